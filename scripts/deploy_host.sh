#!/bin/sh
# Run an image, NAME@DIGEST, as the compose file in ecgstream/ says: scripts/deploy_host.sh IMAGE; needs Docker.
set -eu
image=$1
cd ecgstream
docker pull "$image"
docker tag "$image" "$(docker compose config --images | grep '^ecgstream:' | sort -u)"
docker compose up --detach --no-build --wait --wait-timeout 300
