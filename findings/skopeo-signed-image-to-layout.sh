#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# skopeo 1.9.3: a signed image cannot be copied into an OCI layout without --remove-signatures, even if the policy does not
# require signatures.
#
# Expected: what the destination cannot hold is left out, as for other content that a layout does not support; or the
# policy alone decides about signatures. Observed: "Can not copy signatures to oci:...". With --remove-signatures the copy
# works, and the policy is still checked: an unsigned image is refused under a policy that requires a signature. A program
# that saves images for a site with some signed images therefore always has to set the flag.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Packages of Debian 12 with the libraries that they need, unpacked here and not installed.
apt-get -qq download skopeo=1.9.3+ds1-1+b10 libgpgme11 libassuan0 libdevmapper1.02.1  >/dev/null 2>&1
for package in ./*.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$(printf "%s:" "$work"/root/usr/lib/*-linux-gnu "$work"/root/lib/*-linux-gnu)
export LD_LIBRARY_PATH
export PATH=$work/root/usr/bin:$PATH HOME=$work/home
mkdir -p "$HOME"

image() { # DIRECTORY: a small image as skopeo's transport "dir" has it
  mkdir -p "$1"
  printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}' >config.json
  digest=$(sha256sum config.json | cut -c1-64)
  cp config.json "$1/$digest"
  printf '{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":%s,"digest":"sha256:%s"},"layers":[]}' \
    "$(stat -c %s config.json)" "$digest" >"$1/manifest.json"
  printf 'Directory Transport Version: 1.1\n' >"$1/version"
}
command -v gpg >/dev/null || { echo "needs gpg" >&2; exit 2; }
export GNUPGHOME=$work/gpg
mkdir -m 700 "$GNUPGHOME"
gpg --batch --quiet --passphrase '' --quick-generate-key nobody@example.org rsa2048 sign never 2>/dev/null
gpg --batch --armor --export nobody@example.org >key.asc
printf '{"default":[{"type":"insecureAcceptAnything"}]}' >anything.json
printf '{"default":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"%s","signedIdentity":{"type":"exactRepository","dockerRepository":"registry.example.org/app"}}]}' \
  "$work/key.asc" >signed.json
image plain
cp -r plain signed
skopeo standalone-sign signed/manifest.json registry.example.org/app:1 nobody@example.org --output signed/signature-1

skopeo --version
copy() { skopeo --policy "$work/$1.json" copy --quiet "${@:3}" "dir:$2" "oci:out-$RANDOM$RANDOM:1" 2>&1 && echo copied; }
bare=$(copy anything signed || true)
removed=$(copy anything signed --remove-signatures || true)
unsigned=$(copy signed plain --remove-signatures || true)
echo "signed:                         $bare"
echo "signed, --remove-signatures:    $removed"
echo "unsigned, a policy that wants signatures, --remove-signatures: $unsigned"
[[ $bare == *"signatures to oci:"* && $bare != *copied ]]
[[ $removed == copied ]]
[[ $unsigned == *"signature was required"* && $unsigned != *copied ]]
