# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of a restore script that finds parts under other numbers: those of an earlier archive of the same name.

Numbers shift when images come or go, if parts end where images do. Otherwise all that follows a change is different,
and nothing is looked for. The files are read where they are, so the medium may be read-only. A file is read only if its
size is that of a part that is missing, and each file once.
"""

from __future__ import annotations

from collections.abc import Iterable

from .._archive.lock import Lock
from .._archive.output import AT_IMAGE

WITHOUT_NUMBERS = r"""
at_other_number() {
    :
}

has_candidate() {
    return 1
}

find_other() {
    return 1
}

hash_file() {
    found=$(sha256sum <"$file")
}
"""

WITH_NUMBERS = r"""
# Once an archive lacks a part, the sizes and numbers of those that are there are listed: " SIZE:NUMBER SIZE:NUMBER ".
listed=0
others=
prefix=
known=
other=

# find_archive NAME: its number, and what is listed
find_archive() {
    stem=$1
    case ${1##*.part} in
        *[!0-9]*) return 1 ;;
    esac
    stem=${1%.part*}
    archive_number=0
    while [ "$archive_number" -lt "$listed" ]; do
        archive_number=$((archive_number + 1))
        eval "others=\$others_$archive_number prefix=\$prefix_$archive_number known=\$stem_$archive_number"
        [ "$known" != "$stem" ] || return 0
    done
    return 1
}

# at_other_number NAME: where a file is that was found under another number
at_other_number() {
    if [ "$listed" -eq 0 ] || ! find_archive "$1"; then
        return 0
    fi
    eval "other=\${other_${archive_number}_${1##*.part}-}"
    [ -z "$other" ] || file=$prefix.part$other
}

list_others() {
    find_archive "$1" && return 0
    [ "$stem" != "$1" ] || return 1
    prefix=$here$stem
    for other in "$prefix".part*; do
        [ -e "$other" ] || prefix=$here${stem#*/}
        break
    done
    listed=$((listed + 1))
    archive_number=$listed
    others=" $(list_sizes)"
    eval "others_$listed=\$others prefix_$listed=\$prefix stem_$listed=\$stem"
}

# One process for all of them; a pipe of that name would be waited for.
list_sizes() {
    for other in "$prefix".part*; do
        [ -f "$other" ] || return 0
    done
    cd "${prefix%/*}/" || return 0
    wc -c "./${prefix##*/}".part* 2>/dev/null | while read -r bytes other; do
        case ${other##*.part} in
            '' | *[!0-9]*) ;;
            *) printf '%s:%s ' "$bytes" "${other##*.part}" ;;
        esac
    done
}

# has_candidate SIZE NAME: there is a part of that size
has_candidate() {
    list_others "$2" || return 1
    case $others in
        *" $1:"*) return 0 ;;
    esac
    return 1
}

# hash_file SIZE NAME: a file is read once; not at all if a part was missed before, and its size is wrong
hash_file() {
    if find_archive "$2" && [ "$file" = "$prefix.part${file##*.part}" ]; then
        case $others in
            *" $1:${file##*.part} "*)
                hash_part "${file##*.part}"
                return
                ;;
            *":${file##*.part} "*)
                found=-
                return
                ;;
        esac
    fi
    found=$(sha256sum <"$file")
}

# hash_part NUMBER
hash_part() {
    eval "found=\${sum_${archive_number}_$1-}"
    if [ -z "$found" ]; then
        found=$(sha256sum <"$prefix.part$1") || found='?'
        found=${found%% *}
        eval "sum_${archive_number}_$1=\$found"
    fi
    [ "$found" != '?' ]
}

# find_other SHA256 SIZE NAME: a part with that content under another number. Until then, found is what is under its own
find_other() {
    own=${found%% *}
    list_others "$3" || return 1
    case $own in
        [0-9a-f]*) [ "$file" != "$prefix.part${3##*.part}" ] || eval "sum_${archive_number}_${3##*.part}=\$own" ;;
    esac
    for each in $others; do
        case $each in
            "$2":*) hash_part "${each#*:}" ;;
            *) continue ;;
        esac
        if [ "$found" = "$1" ]; then
            eval "other_${archive_number}_${3##*.part}=\${each#*:}"
            renumbered=$((renumbered + 1))
            return 0
        fi
    done
    return 1
}
"""


def renamed(locks: Iterable[Lock]) -> str:
    """Return the functions for parts under other numbers.

    :param locks: of the script's archives.
    """
    return WITH_NUMBERS if any(lock.options.get("part_at") == AT_IMAGE for lock in locks) else WITHOUT_NUMBERS
