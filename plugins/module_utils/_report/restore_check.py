# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of a restore script that finds the archive's files and checks them."""

from __future__ import annotations

CHECK = r"""
# The files are beside this script, or beside what it is a link to.
find_here() {
    case $0 in
        /*) script=$0 ;;
        *) script=./$0 ;;
    esac
    here=${script%/*}/
    while [ -h "$script" ] && ! [ -e "$here$first" ] && command -v readlink >/dev/null 2>&1; do
        link=$(readlink "$script") || break
        case $link in
            /*) script=$link ;;
            *) script=$here$link ;;
        esac
        here=${script%/*}/
    done
}

# progress WHAT NAME: of very many files, about a hundred are named
progress() {
    number=$((number + 1))
    if [ "$number" -eq 1 ] || [ "$number" -eq "$total" ] || [ $((number % step)) -eq 0 ]; then
        say "$1 file $number of $total: $2"
    fi
}

find_file() {
    at "$3"
    if ! [ -f "$file" ] && ! has_candidate "$2" "$3"; then
        miss_file "$3"
    fi
}

miss_file() {
    say "missing: $1"
    missing=$((missing + 1))
    lost="$lost $index"
}

check_file() {
    at "$3"
    found=
    if ! [ -f "$file" ]; then
        number=$((number + 1))
        ! has_candidate "$2" "$3" || find_other "$@" || miss_file "$3"
        return 0
    fi
    progress checking "$3"
    hash_file "$2" "$3" || found=
    readable=$found
    if [ "${found%% *}" = "$1" ] || find_other "$@"; then
        return 0
    elif [ -z "$readable" ]; then
        say "damaged: $3 cannot be read"
    elif command -v wc >/dev/null 2>&1 && found=$(wc -c <"$file") && [ "$found" -ne "$2" ]; then
        say "damaged: $3 has $((found)) bytes instead of $2"
    else
        say "damaged: $3 has the right size, but not the sha256 $1"
    fi
    damaged=$((damaged + 1))
    lost="$lost $index"
}

# The numbers of lost files, from 1, and where those are that were made again.
index=0
lost=
rebuilt=

# one_file SHA256 SIZE NAME: what each_file was called for
one_file() {
    index=$((index + 1))
    case $doing in
        find) find_file "$@" ;;
        check) check_file "$@" ;;
        sum) sum_file "$@" ;;
        visit) visit_file "$@" ;;
        *) put_file "$3" ;;
    esac
}

sum_file() {
    kill -0 "$$" 2>/dev/null || exit 1
    at "$3"
    printf '%s  %s\n' "$1" "$file"
}

# check_at_once: one program checks the many files of a directory, most of which are read sooner than a program starts
check_at_once() {
    [ -n "$at_once" ] || return 1
    each_file sum | sha256sum -c 2>/dev/null | (
        number=0
        while IFS= read -r line; do
            case $line in
                *': OK') line=${line%: OK} ;;
                *) exit 1 ;;
            esac
            line=${line#\\}
            progress checking "${line#"$here"}"
        done
        [ "$number" -eq "$total" ]
    )
}

check() {
    missing=0
    damaged=0
    lost=
    index=0
    renumbered=0
    each_file find
    # If anything is wrong, each file by itself says what.
    if [ -n "$lost" ] || ! check_at_once; then
        index=0
        each_file check
    fi
    if [ -n "$lost" ]; then
        if can_rebuild; then
            say "of $total files, $missing are missing and $damaged are damaged; they can be made again from the \
parity files"
            return 0
        fi
        fail "of $total files, $missing are missing and $damaged are damaged; they are listed above. Copy them again \
to $(quote "$here"), then call this script again. Nothing was unpacked"
    fi
    [ "$renumbered" -eq 0 ] || say "$renumbered of them are here under other numbers, and are read there"
    say "all $total files are whole"
}
"""

BESIDE_THE_SCRIPT = r"""
# at NAME: where a file is
at() {
    file=$here$1
    at_other_number "$1"
    if [ -n "$rebuilt" ] && [ -f "$rebuilt$1" ]; then
        file=$rebuilt$1
    fi
}
"""
