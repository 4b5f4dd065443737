#!/usr/bin/env bash
# How long a new user waits: from `make demo` in a fresh clone to the first verdict, in seconds.
# usage: first_verdict.sh cold|warm     cold: with empty package caches; warm: with this user's
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mode=${1:-warm}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git clone --quiet . "$work/clone"
case $mode in
  cold) export XDG_CACHE_HOME=$work/cache UV_CACHE_DIR=$work/cache/uv PIP_CACHE_DIR=$work/cache/pip ;;
  # Warm means that the command was run before: once here, so that every package is in the caches.
  warm) (cd "$work/clone" && make --silent setup && .venv/bin/python -c 'from bus.broker_jars import *' && rm -rf .venv) ;;
  *)
    echo "first_verdict: '$mode' is neither cold nor warm" >&2
    exit 2
    ;;
esac
began=$(date +%s.%N)
# A record that the package brings, on any machine.
(cd "$work/clone" && exec make --silent demo ARGS="--record 208-excerpt --speed 10 --duration 300") >"$work/demo.log" 2>&1 &
demo=$!
touch "$work/demo.log"
until grep -qE ' (normal|abnormal|unusable) ' "$work/demo.log"; do
  if ! kill -0 "$demo" 2>/dev/null; then
    cat "$work/demo.log" >&2
    exit 1
  fi
  sleep 0.1
done
ended=$(date +%s.%N)
pkill -INT -P "$demo" 2>/dev/null || true
wait "$demo" || true
echo "$mode: first verdict $(python3 -c "print(round($ended - $began, 1))") s after 'make demo'"
