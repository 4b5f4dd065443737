#!/usr/bin/env bash
# Writes what the image is made of (CycloneDX) and asks whether any of it has a known vulnerability. Fails when one has,
# and when the package index cannot say: an index that mirrors another often answers no such question.
# usage: audit.sh [FILE]      the bill of materials; sbom.json by default
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export UV_SYSTEM_CERTS=1
bill=${1:-sbom.json}
tool() { .uv/bin/uv tool run --quiet --from "$@"; }

tool cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements/run.lock --pyproject pyproject.toml \
  --output-reproducible --output-file "$bill" 2>/dev/null
echo "audit: $bill lists $(grep --count '"purl"' "$bill") packages"
for lock in requirements/run.lock requirements/build.lock; do
  tool pip-audit==2.10.1 pip-audit --strict --require-hashes --disable-pip --requirement "$lock" || {
    echo "audit: of $lock a package has a known vulnerability, or the index cannot say: see above" >&2
    exit 1
  }
done
