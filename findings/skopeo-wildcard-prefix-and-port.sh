#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# skopeo 1.9.3: a wildcard prefix of registries.conf with a location matches references that have a port, and then makes
# something of them that is no reference.
#
# containers-registries.conf(5) lets `prefix` be `*.example.com`, and replaces what matched by `location`. One would guess
# that the port of `a.example.com:5000` belongs to the host that is replaced, or that such a host does not match. Seen: it
# matches, `:5000/team/app` is put behind the location, and the pull ends with "invalid reference format" before anything is
# asked; the same reference without a port is rewritten well.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Debian 12's packages, unpacked here and not installed; what they are linked with is in the same list.
apt-get -qq download skopeo=1.9.3+ds1-1+b10 libgpgme11 libassuan0 libdevmapper1.02.1 >/dev/null 2>&1
for package in ./*.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$(printf "%s:" "$work"/root/usr/lib/*-linux-gnu "$work"/root/lib/*-linux-gnu)
export LD_LIBRARY_PATH
export PATH=$work/root/usr/bin:$PATH HOME=$work/home
mkdir -p "$HOME"

cat >wild.conf <<'END'
[[registry]]
prefix = "*.corp.invalid"
location = "mirror.invalid/hub"
END

skopeo --version
ask() { skopeo --registries-conf "$work/wild.conf" inspect --raw "docker://$1" 2>&1 || true; }
with_port=$(ask a.corp.invalid:5000/team/app:1)
without=$(ask a.corp.invalid/team/app:1)
echo "with a port:    $with_port"
echo "without a port: $without"
[[ $with_port == *"invalid reference format"* ]]
[[ $without != *"invalid reference format"* && $without == *mirror.invalid* ]]
