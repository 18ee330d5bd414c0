#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# ksh93u+m 1.0.4: `wait` without operands does not wait for all of a pipeline in the background, only for its last command.
#
# POSIX has `wait` wait for all process ids known to the shell, and dash, bash, mksh and zsh do not return before each
# command of `a | b &` has ended. One would write `tar ... | hash & wait` and read what tar made. Seen: ksh93 returns as soon as
# the last command has ended; the first may still be at work, and what it makes is not there yet.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Debian 12's packages, unpacked here and not installed; what they are linked with is in the same list.
apt-get -qq download ksh93u+m dash >/dev/null 2>&1
for package in ./*.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$(printf "%s:" "$work"/root/usr/lib/*-linux-gnu "$work"/root/lib/*-linux-gnu)
export LD_LIBRARY_PATH
export PATH=$work/root/usr/bin:$PATH HOME=$work/home
mkdir -p "$HOME"

# The first command ends when it is let go: nothing here rests on how long anything takes.
script='mkfifo go; { read -r _ <go; : >made; } | true & wait; if [ -e made ]; then echo waited; else echo "did not wait"; fi; echo >go'
dpkg-deb -f ksh93u+m_*.deb Version
seen=$(timeout 60 ksh93 -c "$script")
echo "ksh93: $seen"
# A shell that waits never comes to the line that lets the first command go.
status=0
(mkdir other && cd other && timeout 3 dash -c "$script") >dash.said 2>&1 || status=$?
echo "dash: ended with $status (124: it waits)"
[[ $seen == "did not wait" && $status == 124 ]]
