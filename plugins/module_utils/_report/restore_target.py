# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a restore script writes to: what is refused, and what a killed run has left there."""

from __future__ import annotations

TARGET = r"""
# aim_at DIRECTORY NAME: what is wrong with them is said before hours go into checking.
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
    [ -d "$place" ] || fail "$place is no directory. Name another $asked"
    if ! [ -w "$place" ] || ! [ -x "$place" ]; then
        fail "you may not write to $place. Name another $asked, or call this script as another user"
    fi
}

aim_at_directory() {
    asked=TARGET_DIR
    aim_at "$1" saved-image-cache
}

# podman, buildah and skopeo take what stands after the first colon for the image.
aim_at_tar() {
    asked=FILE
    case ${1##*/} in
        '' | . | ..) misuse "--oci-tar takes the name of a file to write" ;;
        *:*) misuse "a colon in the name of FILE ends it for podman, buildah and skopeo. Name another FILE" ;;
    esac
    case $1 in
        */*)
            directory=${1%/*}
            aim_at "${directory:-/}" "${1##*/}"
            ;;
        *) aim_at . "$1" ;;
    esac
}

refuse_final() {
    if [ -e "$final" ] || [ -h "$final" ]; then
        fail "$final is there already, and stays as it is. Remove it with rm -r $(quote "$final"), or name another \
$asked"
    fi
}

# Of a target that several machines have, what belongs to which is told by a name in it.
find_host() {
    host=
    { read -r host </proc/sys/kernel/hostname; } 2>/dev/null || host=$(uname -n 2>/dev/null) || host=
}

# A run that was killed could not clear up behind itself. Only its user may write to its directory; of a process of
# somebody else, kill does not tell whether it is there.
clear_leftovers() {
    for left in "${target%/}"/.saved-image-cache.restore.*; do
        process=${left##*.}
        case $process in
            '' | *[!0-9]*) continue ;;
        esac
        by=
        [ -f "$left/host" ] && read -r by <"$left/host"
        if [ -z "$by" ] || [ "$by" != "$host" ] || ! [ -w "$left" ]; then
            say "$left may belong to a run of another user or on another machine; it is left alone. Where nothing is \
restored to $target any more, remove it with rm -r $(quote "$left")"
        elif [ "$process" != "$$" ] && { kill -0 "$process" 2>/dev/null || [ -d "/proc/$process" ]; }; then
            say "$left belongs to process $process, which still runs; it is left alone"
        else
            rm -rf "$left" || say "$left, which an earlier run has left, cannot be removed"
        fi
    done
}

# Who writes to the directory is ended, and not waited for: that would be waiting for the medium too, which may hang. So
# a last file may yet appear while the directory is being removed.
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
    say "stopped by SIG$1; nothing of it is left in $target. Call this script again to begin anew"
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
        fail "$work has the name that this run needs, and stays as it is. Call this script again"
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
