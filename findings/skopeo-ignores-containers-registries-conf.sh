#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# skopeo 1.9.3: skopeo does not read the variable CONTAINERS_REGISTRIES_CONF, with which podman and buildah find another
# registries.conf, although all three share the library that reads the file.
#
# Expected: a host that sets the variable sets it for all of them, so that mirrors and blocks also apply to skopeo.
# Observed: with the variable, a registry that the file blocks is still looked up in DNS; with the flag --registries-conf,
# which no help text mentions, it is refused as "blocked". No network request is made: the name ends in .invalid.
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

cat >blocked.conf <<'END'
[[registry]]
location = "registry.corp.invalid"
blocked = true
END
image=docker://registry.corp.invalid/app:1

skopeo --version
by_variable=$(CONTAINERS_REGISTRIES_CONF=$work/blocked.conf skopeo inspect --raw "$image" 2>&1 || true)
by_flag=$(skopeo --registries-conf "$work/blocked.conf" inspect --raw "$image" 2>&1 || true)
echo "by the variable: $by_variable"
echo "by the flag:     $by_flag"
help_names_flag=no
if skopeo --help 2>&1 | grep -q registries-conf; then help_names_flag=yes; fi
echo "--help names the flag: $help_names_flag"
[[ $by_variable != *blocked* && $by_variable == *registry.corp.invalid* ]]
[[ $by_flag == *"is blocked in"* ]]
[[ $help_names_flag == no ]]
