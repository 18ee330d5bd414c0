#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# skopeo 1.9.3: a wildcard prefix with a location in registries.conf matches references with a port, and then rewrites them
# to something that is not a valid reference.
#
# In containers-registries.conf(5), `prefix` may be `*.example.com`, and `location` replaces what matched. Expected: the
# port of `a.example.com:5000` is part of the host that is replaced, or such a host does not match. Observed: it matches,
# `:5000/team/app` is appended to the location, and the pull ends with "invalid reference format" before any request is made.
# The same reference without a port is rewritten correctly.
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
