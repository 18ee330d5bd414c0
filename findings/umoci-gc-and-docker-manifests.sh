#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# umoci 0.4.7: `umoci gc` removes the configuration and layers of Docker manifests that an OCI index names.
#
# A layout may hold a Docker schema 2 manifest below an OCI index; skopeo --preserve-digests creates such layouts, and pushes
# them again under the same digest. Expected: the collector keeps everything that a kept manifest names. Observed: media
# types that umoci does not know are treated as leaves, so index and manifest are kept, configuration and layer are removed,
# and the exit status is 0.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Packages of Debian 12 with the libraries that they need, unpacked here and not installed.
apt-get -qq download umoci=0.4.7+ds-3+b7 >/dev/null 2>&1
for package in ./*.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$(printf "%s:" "$work"/root/usr/lib/*-linux-gnu "$work"/root/lib/*-linux-gnu)
export LD_LIBRARY_PATH
export PATH=$work/root/usr/bin:$PATH HOME=$work/home
mkdir -p "$HOME"

mkdir -p layout/blobs/sha256
put() { # FILE: prints digest and size
  local hex
  hex=$(sha256sum "$1" | cut -c1-64)
  cp "$1" "layout/blobs/sha256/$hex"
  echo "$hex $(stat -c %s "$1")"
}
printf 'a layer' | gzip -n >layer
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}' >config
read -r layer layer_size <<<"$(put layer)"
read -r config config_size <<<"$(put config)"
docker=application/vnd.docker
printf '{"schemaVersion":2,"mediaType":"%s.distribution.manifest.v2+json","config":{"mediaType":"%s.container.image.v1+json","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"%s.image.rootfs.diff.tar.gzip","digest":"sha256:%s","size":%s}]}' \
  $docker $docker "$config" "$config_size" $docker "$layer" "$layer_size" >manifest
read -r manifest manifest_size <<<"$(put manifest)"
printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s.distribution.manifest.v2+json","digest":"sha256:%s","size":%s,"platform":{"architecture":"amd64","os":"linux"}}]}' \
  $docker "$manifest" "$manifest_size" >index
read -r index index_size <<<"$(put index)"
printf '{"imageLayoutVersion":"1.0.0"}' >layout/oci-layout
printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:%s","size":%s,"annotations":{"org.opencontainers.image.ref.name":"v1"}}]}' \
  "$index" "$index_size" >layout/index.json

umoci --version
umoci gc --layout layout
status=$?
kept() { if [[ -e layout/blobs/sha256/$1 ]]; then echo kept; else echo removed; fi; }
echo "exit $status; index $(kept "$index"), manifest $(kept "$manifest"), config $(kept "$config"), layer $(kept "$layer")"
[[ $(kept "$index") == kept && $(kept "$manifest") == kept && $(kept "$config") == removed && $(kept "$layer") == removed ]]
