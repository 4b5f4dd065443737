#!/usr/bin/env bash
# Resolves requirements/*.lock from pyproject.toml: every version and hash, no host.
# The run set is resolved first and binds the dev set, so that tests run what users run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
options=(--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet)
.uv/bin/uv pip compile pyproject.toml "${options[@]}" "$@" --output-file requirements/run.lock
.uv/bin/uv pip compile pyproject.toml --extra train --extra dev "${options[@]}" "$@" \
  --constraints requirements/run.lock --output-file requirements/dev.lock
