#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# docker-registry 2.8.2: a manifest that arrives while the disk is full is lost for good, though the registry says 201 later.
#
# Expected: once there is room again, PUT of the manifest stores it. Observed: the first PUT creates an empty file and fails
# with 500. Every further PUT of the same manifest, also under a tag, takes the empty file for the manifest and answers 201.
# Whoever pulls it, by digest or by tag, gets 500. Needs root, for a small filesystem.
set -euo pipefail
work=$(mktemp -d)
finish() {
  kill "$registry" 2>/dev/null || true
  umount --lazy "$work/storage" 2>/dev/null || true
  rm -rf "$work"
}
registry=
trap finish EXIT
cd "$work"

apt-get -qq download docker-registry >/dev/null 2>&1
dpkg -x ./docker-registry_*.deb root
mkdir storage
mount -t tmpfs -o size=400k finding storage
cat >config.yml <<END
version: 0.1
storage: {filesystem: {rootdirectory: $work/storage}}
http: {addr: "127.0.0.1:0"}
END
root/usr/bin/docker-registry serve config.yml >log 2>&1 &
registry=$!
until port=$(grep -om1 'listening on 127.0.0.1:[0-9]*' log | grep -o '[0-9]*$'); do
  kill -0 "$registry"
  sleep 0.1
done
url=http://127.0.0.1:$port/v2/finding

upload() { # FILE: prints its digest
  local digest location
  digest=sha256:$(sha256sum "$1" | cut -c1-64)
  location=$(curl -sS -i -X POST "$url/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
  curl -sSf -o /dev/null -X PUT --data-binary "@$1" -H 'Content-Type: application/octet-stream' "$location&digest=$digest"
  echo "$digest"
}
type=application/vnd.docker.distribution.manifest.v2+json
status() { curl -sS -o answer -w '%{http_code}' "$@"; }
put() { status -X PUT --data-binary @manifest -H "Content-Type: $type" "$url/manifests/$1"; }

printf '{}' >config
printf 'a layer' >layer
printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"%s","size":2},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","digest":"%s","size":7}]}' \
  "$type" "$(upload config)" "$(upload layer)" >manifest
digest=sha256:$(sha256sum manifest | cut -c1-64)

dd if=/dev/zero of=storage/filler bs=4k status=none 2>/dev/null || true
full=$(put "$digest")
rm storage/filler
again=$(put "$digest")
tagged=$(put tag)
pulled=$(status -H "Accept: $type" "$url/manifests/tag")
root/usr/bin/docker-registry --version
echo "disk full: PUT $full; room again: PUT $again, PUT by tag $tagged, GET of the tag $pulled"
[[ $full == 500 && $again == 201 && $tagged == 201 && $pulled == 500 ]]
