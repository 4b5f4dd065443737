#!/bin/sh
# The image of a release, by the digest that its release workflow has signed: "image=NAME@DIGEST" and "digest=DIGEST".
# scripts/signed_image.sh NAME VERSION; needs cosign, jq and, for the keyless identity, GITHUB_REPOSITORY.
set -eu
name=$1
version=$2
digest=$(cosign verify "$name:$version" \
    --certificate-oidc-issuer https://token.actions.githubusercontent.com \
    --certificate-identity "https://github.com/$GITHUB_REPOSITORY/.github/workflows/release.yml@refs/tags/$version" \
    --output json | jq --exit-status --raw-output '.[0].critical.image."docker-manifest-digest"')
printf 'image=%s@%s\ndigest=%s\n' "$name" "$digest" "$digest"
