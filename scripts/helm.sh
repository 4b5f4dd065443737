#!/usr/bin/env bash
# Brings Helm into .tools/go/bin by way of Go's module proxy, where Go is; elsewhere install Helm 3 by any means.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v helm >/dev/null && [ ! -x .tools/go/bin/helm ]; then
  command -v go >/dev/null || { echo "helm: neither Helm nor Go is here: install one of them" >&2; exit 1; }
  GOBIN=$PWD/.tools/go/bin go install helm.sh/helm/v3/cmd/helm@v3.19.0 >&2
fi
