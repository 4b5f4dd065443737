#!/usr/bin/env bash
# Resolves the lock files from pyproject.toml: every version and hash, no host. Versions in a lock file that still
# fit stay; `lock.sh requirements --upgrade` takes the newest. usage: lock.sh FOLDER [options of uv pip compile]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export UV_SYSTEM_CERTS=1
folder=$1
shift
options=(--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet)
.uv/bin/uv pip compile pyproject.toml "${options[@]}" "$@" --output-file "$folder/run.lock" >/dev/null
# The run set binds the dev set, so that tests run what users run.
.uv/bin/uv pip compile pyproject.toml --extra train --extra dev "${options[@]}" "$@" \
  --constraints "$folder/run.lock" --output-file "$folder/dev.lock" >/dev/null
# What builds the wheel that the image installs.
sed -n 's/^requires = \["\(.*\)"\]$/\1/p' pyproject.toml |
  .uv/bin/uv pip compile - "${options[@]}" "$@" --output-file "$folder/build.lock" >/dev/null
