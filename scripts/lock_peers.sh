#!/usr/bin/env bash
# Resolves the lock files of the peers: every version and hash, no host. What carries the work has the product's versions.
# usage: lock_peers.sh [options of uv pip compile, such as --upgrade]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export UV_SYSTEM_CERTS=1
folder=peers/requirements
same=$(mktemp)
trap 'rm -f "$same"' EXIT
grep -E '^(aiokafka|fastavro|numpy|onnxruntime|scipy|sleepecg|threadpoolctl)==' requirements/run.lock | sed 's/ \\$//' > "$same"
for peer in confluent faust quix_streams faststream bytewax; do
  .uv/bin/uv pip compile "$folder/$peer.in" --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-annotate --no-header --quiet "$@" --constraints "$same" --output-file "$folder/$peer.lock" >/dev/null
done
