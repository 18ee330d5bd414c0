# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The functions that all parts of a restore script use, for POSIX shells.

People call it with other shells too: in zsh, for instance, variables must not be called ``status`` or ``path``."""

from __future__ import annotations

BASICS = r"""
say() {
    printf '%s\n' "$1" >&2
}

fail() {
    say "error: $1"
    exit 1
}

misuse() {
    say "error: $1"
    help >&2
    exit 2
}

# quote TEXT: as a shell takes it
quote() {
    case $1 in
        '' | *[!A-Za-z0-9_./:@%+=,-]*) ;;
        *)
            printf '%s' "$1"
            return
            ;;
    esac
    rest=$1
    printf "'"
    while :; do
        case $rest in
            *\'*)
                printf "%s'\\\\''" "${rest%%\'*}"
                rest=${rest#*\'}
                ;;
            *)
                printf "%s'" "$rest"
                return
                ;;
        esac
    done
}

need() {
    lacking=
    for program in "$@"; do
        command -v "$program" >/dev/null 2>&1 || lacking="$lacking $program"
    done
    [ -z "$lacking" ] || fail "not found, but needed:$lacking. Install them. Nothing was done"
}
"""

HELP = r"""
help() {
    printf '%s\n' \
        "usage: sh $(quote "$0") TARGET_DIR" \
        "  checks the $total files of $archive ($size) beside this script," \
        "  then unpacks $count ($unpacked) to TARGET_DIR/saved-image-cache, whole or not at all" \
        "other uses:" \
        "  --check          only check the files" \
        "  --rebuild        check them, and make a lost one again beside this script, if there are parity files" \
        "  --oci-tar FILE   check them, then write one tar that containerd, podman and buildah read" \
        "  --images         list the images, one a line" \
        "  --help           show this"
}
"""
