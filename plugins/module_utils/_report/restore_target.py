# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of a restore script that refuses wrong targets, and removes what a killed run has left there."""

from __future__ import annotations

TARGET = r"""
# aim_at DIRECTORY NAME: refuses what is wrong with them before hours go into checking.
aim_at() {
    case $1 in
        /* | .) target=$1 ;;
        *) target=./$1 ;;
    esac
    final=${target%/}/$2
    refuse_final
    place=$target
    while ! [ -e "$place" ]; do
        place=${place%/*}
        [ -n "$place" ] || place=/
    done
    [ -d "$place" ] || fail "$place is not a directory. Name another $asked"
    if ! [ -w "$place" ] || ! [ -x "$place" ]; then
        fail "no permission to write to $place. Name another $asked, or call this script as another user"
    fi
}

aim_at_directory() {
    asked=TARGET_DIR
    aim_at "$1" saved-image-cache
}

# Several machines may share a target: a file in each directory there names its machine.
find_host() {
    host=
    { read -r host </proc/sys/kernel/hostname; } 2>/dev/null || host=$(uname -n 2>/dev/null) || host=
}

# A run that was killed could not clean up. Only its user may write to its directory; kill does not say whether a
# process of another user exists.
clear_leftovers() {
    for left in "${target%/}"/.saved-image-cache.restore.*; do
        process=${left##*.}
        case $process in
            '' | *[!0-9]*) continue ;;
        esac
        by=
        [ -f "$left/host" ] && read -r by <"$left/host"
        if [ -z "$by" ] || [ "$by" != "$host" ] || ! [ -w "$left" ]; then
            say "$left may belong to a run of another user or on another machine; it is left as it is. If nothing is \
being restored to $target, remove it with rm -r $(quote "$left")"
        elif [ "$process" != "$$" ] && { kill -0 "$process" 2>/dev/null || [ -d "/proc/$process" ]; }; then
            say "$left belongs to process $process, which is still running; it is left as it is"
        else
            rm -rf "$left" || say "cannot remove $left, which an earlier run left behind"
        fi
    done
}

# The process that writes to the directory is ended, but not waited for: that would mean waiting for the medium too,
# which may hang. So one more file may appear while the directory is being removed.
clear_up() {
    [ -z "$child" ] || kill "$child" 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9; do
        rm -rf "$work" 2>/dev/null && return
    done
    rm -rf "$work"
}

# shellcheck disable=SC2317,SC2329  # called by traps
stop() {
    trap '' HUP INT PIPE QUIT TERM
    clear_up
    say "stopped by SIG$1; nothing is left of it in $target. Call this script again to start over"
    exit "$2"
}

give_up() {
    clear_up
    fail "$1"
}

open_work() {
    mkdir -p "$target" || fail "cannot make the directory $target"
    find_host
    clear_leftovers
    child=
    work=${target%/}/.saved-image-cache.restore.$$
    if [ -e "$work" ] || [ -h "$work" ]; then
        fail "$work has the name that this run needs and is left as it is. Call this script again"
    fi
    trap 'stop HUP 129' HUP
    trap 'stop INT 130' INT
    trap 'stop QUIT 131' QUIT
    trap 'stop PIPE 141' PIPE
    trap 'stop TERM 143' TERM
    mkdir -m 700 "$work" || give_up "cannot make the directory $work"
    find_links
    { printf '%s\n' "$host" >"$work/host"; } 2>/dev/null
}
"""

FINAL = r"""
refuse_final() {
    if [ -e "$final" ] || [ -h "$final" ]; then
        fail "$final already exists and is left as it is. Name another $asked, or remove it with rm -r \
$(quote "$final") if nothing in it is needed. The archives of several hosts are restored together by images.restore.sh"
    fi
}
"""
