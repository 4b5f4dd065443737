#!/usr/bin/env bash
# The lock files hold what pyproject.toml asks for, no more and no less, and name no host.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if grep -nE 'https?://' requirements/*.lock; then
  echo "check_lock: a lock file names a host: make it with 'make lock'" >&2
  exit 1
fi
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
# Starting from the present lock files, a resolution that changes nothing shows that they are whole.
cp requirements/*.lock "$fresh"
scripts/lock.sh "$fresh"
if ! diff -ru requirements "$fresh"; then
  echo "check_lock: pyproject.toml asks for something else: run 'make lock' and commit" >&2
  exit 1
fi
