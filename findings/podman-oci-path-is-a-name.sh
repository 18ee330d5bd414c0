#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# podman 4.3.1: `podman pull oci:DIRECTORY` fails where a part of the path would not do in the name of an image.
#
# Expected: a layout is read wherever it is, as skopeo does. Observed: without an annotation that names the image, podman
# makes a name of the path, localhost/DIRECTORY, and parses it as a reference. A layout is pulled from out/layout, and the
# same from Out/layout or out_/layout fails with "invalid reference format", as in most directories of mktemp.
set -euo pipefail
work=${TMPDIR:-/tmp}/finding-$$ # mktemp uses capitals
mkdir -m 700 "$work"
trap 'rm -rf "$work"' EXIT
cd "$work"

# Packages of Debian 12 with the libraries that they need, unpacked here and not installed.
apt-get -qq download podman=4.3.1+ds1-8+deb12u1+b3 skopeo=1.9.3+ds1-1+b10 libgpgme11 libassuan0 libdevmapper1.02.1 libsubid4 \
  >/dev/null 2>&1
for package in ./*.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$(printf "%s:" "$work"/root/usr/lib/*-linux-gnu "$work"/root/lib/*-linux-gnu)
export LD_LIBRARY_PATH
export PATH=$work/root/usr/bin:$PATH HOME=$work/home
mkdir -p "$HOME"
printf '{"default":[{"type":"insecureAcceptAnything"}]}' >policy.json

put() { # FILE: stores a blob and prints its descriptor's digest and size
  local hex
  hex=$(sha256sum "$1" | cut -c1-64)
  cp "$1" "layout/blobs/sha256/$hex"
  printf '"digest":"sha256:%s","size":%s' "$hex" "$(stat -c %s "$1")"
}
mkdir -p layout/blobs/sha256 files
echo finding >files/finding
tar -C files -cf layer.tar finding
printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
  "$(sha256sum layer.tar | cut -c1-64)" >config
oci=application/vnd.oci.image
printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"%s",%s},"layers":[{"mediaType":"%s",%s}]}' \
  "$oci.manifest.v1+json" "$oci.config.v1+json" "$(put config)" "$oci.layer.v1.tar" "$(put layer.tar)" >manifest
printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s",%s}]}' "$oci.manifest.v1+json" "$(put manifest)" >layout/index.json
printf '{"imageLayoutVersion":"1.0.0"}' >layout/oci-layout
mkdir out out_ Out
for directory in out out_ Out; do cp -R layout "$directory/"; done

pull() { # DIRECTORY
  podman --root "$work/storage" --runroot "$work/run" --storage-driver vfs pull --signature-policy policy.json \
    "oci:$work/$1/layout" >"said-$1" 2>&1 && echo yes || echo no
}
copy() { # DIRECTORY
  skopeo --policy policy.json copy --quiet "oci:$work/$1/layout" "dir:$work/copy-$1" && echo yes || echo no
}
told=
for directory in out out_ Out; do
  told+="$directory: podman $(pull "$directory"), skopeo $(copy "$directory"); "
done
echo "$(podman --version): $told$(grep -l 'invalid reference format' said-* | tr '\n' ' ')say so"
[ "$told" = "out: podman yes, skopeo yes; out_: podman no, skopeo yes; Out: podman no, skopeo yes; " ]
[ "$(grep -l 'invalid reference format' said-* | wc -l)" = 2 ]
