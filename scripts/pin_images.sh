#!/usr/bin/env bash
# Brings the digests behind the images' tags in docker-compose.yml and the Dockerfile up to date; needs Docker with buildx,
# and the registries. To take another version, change the tag, then run this.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
files=(docker-compose.yml Dockerfile)
grep -hoE '[a-z/]+:v?[0-9][0-9A-Za-z.-]+@sha256:[0-9a-f]{64}' "${files[@]}" | sort -u | while read -r pinned; do
  tag=${pinned%@*}
  digest=$(docker buildx imagetools inspect "$tag" --format '{{.Manifest.Digest}}')
  echo "$tag $digest"
  sed -i "s|$pinned|$tag@$digest|" "${files[@]}"
done
