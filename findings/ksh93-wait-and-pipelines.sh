#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# ksh93u+m 1.0.4: `wait` without operands does not wait for every command of a background pipeline, only for the last one.
#
# In POSIX, `wait` waits for all process IDs known to the shell; dash, bash, mksh and zsh do not return before every command
# of `a | b &` has ended. A script with `tar ... | hash & wait` would therefore expect to be able to read tar's output.
# Observed: ksh93 returns as soon as the last command has ended; the first one may still be running, and its output missing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Packages of Debian 12 with the libraries that they need, unpacked here and not installed.
apt-get -qq download ksh93u+m dash >/dev/null 2>&1
for package in ./*.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$(printf "%s:" "$work"/root/usr/lib/*-linux-gnu "$work"/root/lib/*-linux-gnu)
export LD_LIBRARY_PATH
export PATH=$work/root/usr/bin:$PATH HOME=$work/home
mkdir -p "$HOME"

# The first command ends when it is released: nothing here depends on timing.
script='mkfifo go; { read -r _ <go; : >made; } | true & wait; if [ -e made ]; then echo waited; else echo "did not wait"; fi; echo >go'
dpkg-deb -f ksh93u+m_*.deb Version
seen=$(timeout 60 ksh93 -c "$script")
echo "ksh93: $seen"
# A shell that waits never reaches the line that releases the first command.
status=0
(mkdir other && cd other && timeout 3 dash -c "$script") >dash.said 2>&1 || status=$?
echo "dash: ended with $status (124: it waits)"
[[ $seen == "did not wait" && $status == 124 ]]
