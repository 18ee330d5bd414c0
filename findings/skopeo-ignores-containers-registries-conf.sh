#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# skopeo 1.9.3: the variable CONTAINERS_REGISTRIES_CONF, by which podman and buildah find another registries.conf, is not
# read by skopeo, although all three share the library that reads the file.
#
# One would guess that a host that says where its configuration is says so to all of them: mirrors and blocks then hold
# for skopeo too. Seen: with the variable, a registry that the file blocks is looked up in DNS all the same; with the
# flag --registries-conf, which no help text names, it is refused as "blocked". Nothing is asked over a network: the name
# ends in .invalid.
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
