#!/usr/bin/env bash
# Runs every test: those on a real broker and those on real records too. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/debian.sh
# Two workers: every second waits for a broker or a process more than it works.
exec .venv-dev/bin/python -m pytest --numprocesses 2 --dist loadfile "$@"
