#!/usr/bin/env bash
# Runs every test: those on a real broker and those on real records too. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/debian.sh
exec .venv-dev/bin/python -m pytest "$@"
