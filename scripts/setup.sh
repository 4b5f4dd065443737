#!/usr/bin/env bash
# Makes a virtual environment hold exactly what a lock file names, and the project itself.
# usage: setup.sh VENV LOCK      quick when nothing changed since the last call
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=$1 lock=$2
UV_VERSION=0.13.9
export UV_SYSTEM_CERTS=1  # a company network may have a certificate authority of its own

stamp=$(cat "$lock" pyproject.toml scripts/setup.sh | sha256sum | cut -d' ' -f1)-$PWD
if [ "$(cat "$venv/.stamp" 2>/dev/null)" = "$stamp" ]; then exit 0; fi

python=
for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
  if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "setup: no Python 3.11 or newer found: install one, or name it with PYTHON=/path/to/python3" >&2
  exit 1
fi

if ! [ -x .uv/bin/uv ] || ! .uv/bin/uv --version | grep -q "uv $UV_VERSION"; then
  rm -rf .uv
  if ! "$python" -m venv .uv 2>/dev/null; then
    # Debian splits venv from Python.
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
      (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv) >&2
      "$python" -m venv .uv
    else
      echo "setup: '$python -m venv' does not work: install the package python3-venv" >&2
      exit 1
    fi
  fi
  .uv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
fi

echo "setup: filling $venv from $lock" >&2
[ -x "$venv/bin/python" ] || .uv/bin/uv venv --quiet --allow-existing --python "$python" "$venv"
# Compiled once, here: else every service that is started compiles its libraries anew where Python may not keep them.
.uv/bin/uv pip sync --quiet --require-hashes --compile-bytecode --python "$venv" "$lock"
.uv/bin/uv pip install --quiet --no-deps --python "$venv" --editable .
echo "$stamp" > "$venv/.stamp"
