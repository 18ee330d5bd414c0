#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# skopeo 1.9.3: of the sizes in a manifest, `skopeo copy --preserve-digests` only checks that of the configuration.
#
# Expected: either all sizes of descriptors are checked, or none, because the digest decides in any case. Observed when
# copying from one OCI layout to another: a layer whose descriptor states ten bytes too many is copied with exit status 0,
# and the wrong size is passed on with the manifest; the same error in the descriptor of the configuration ends the copy.
# The next program that reads the layout may be stricter than the one that wrote it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Packages of Debian 12 with the libraries that they need, unpacked here and not installed.
apt-get -qq download skopeo=1.9.3+ds1-1+b10 libgpgme11 libassuan0 libdevmapper1.02.1 >/dev/null 2>&1
for package in ./*.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$(printf "%s:" "$work"/root/usr/lib/*-linux-gnu "$work"/root/lib/*-linux-gnu)
export LD_LIBRARY_PATH
export PATH=$work/root/usr/bin:$PATH HOME=$work/home
mkdir -p "$HOME"

printf '{"default":[{"type":"insecureAcceptAnything"}]}' >anything.json
put() { # FILE LAYOUT: prints digest and size
  local hex
  hex=$(sha256sum "$1" | cut -c1-64)
  cp "$1" "$2/blobs/sha256/$hex"
  echo "$hex $(stat -c %s "$1")"
}
layout() { # NAME CONFIG_MORE LAYER_MORE: an image whose sizes are larger by so much
  mkdir -p "$1/blobs/sha256"
  tar -cf "$1.tar" --files-from /dev/null
  gzip -n -k "$1.tar"
  read -r layer layer_size <<<"$(put "$1.tar.gz" "$1")"
  printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$(sha256sum "$1.tar" | cut -c1-64)" >"$1.config"
  read -r config config_size <<<"$(put "$1.config" "$1")"
  printf '{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:%s","size":%s}]}' \
    "$config" $((config_size + $2)) "$layer" $((layer_size + $3)) >"$1.manifest"
  read -r manifest manifest_size <<<"$(put "$1.manifest" "$1")"
  printf '{"imageLayoutVersion":"1.0.0"}' >"$1/oci-layout"
  printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s}]}' \
    "$manifest" "$manifest_size" >"$1/index.json"
}
skopeo --version
copy() { skopeo --policy anything.json copy --quiet --preserve-digests "oci:$1" "oci:$1-out" 2>&1 && echo copied; }
layout right 0 0
layout layer 0 10
layout config 10 0
right=$(copy right || true)
layer=$(copy layer || true)
config=$(copy config || true)
echo "right sizes:              $right"
echo "layer stated too large:   $layer"
echo "config stated too large:  $config"
[[ $right == copied && $layer == copied && $config != *copied ]]
