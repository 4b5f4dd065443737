#!/usr/bin/env bash
# The lock files hold what pyproject.toml asks for, and name no host.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if grep -nE 'https?://' requirements/*.lock; then
  echo "check_lock: a lock file names a host: make it with 'make lock'" >&2
  exit 1
fi
for extra in "" "--extra train --extra dev"; do
  lock=requirements/run.lock
  [ -z "$extra" ] || lock=requirements/dev.lock
  # shellcheck disable=SC2086 # the words of $extra are options of their own
  .uv/bin/uv pip compile pyproject.toml $extra --universal --python-version 3.11 --no-emit-index-url --no-annotate \
    --no-header --quiet --constraints "$lock" --output-file /dev/null --generate-hashes >/dev/null
done
