# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of a restore script that makes a lost file again from the parity file of its group.

The XOR is computed by python3, or else by perl. A file that was made again is used only if its sha256 is right.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from .._archive.lock import Lock
from .._archive.parity import members_of

# Both read the paths of the other files from standard input, and take the size of the lost one as their argument.
_PYTHON = """
import sys
left = int(sys.argv[1])
files = [open(line[:-1], "rb") for line in sys.stdin.buffer]
piece = 262144
while left > 0:
    sums = [0] * 32
    for file in files:
        for number in range(32):
            data = file.read(piece)
            if not data:
                break
            sums[number] ^= int.from_bytes(data, "little")
    for one in sums:
        sys.stdout.buffer.write(one.to_bytes(piece, "little")[:left])
        left -= min(left, piece)
sys.stdout.buffer.flush()
"""
_PERL = r"""
use strict;
my $left = shift;
my @files = map { chomp; open(my $file, "<:raw", $_) or die "$_: $!\n"; $file } <STDIN>;
binmode STDOUT;
while ($left > 0) {
    my $size = $left < 8388608 ? $left : 8388608;
    my $sum = "\0" x $size;
    for my $file (@files) {
        my $data = "";
        defined read($file, $data, 8388608) or die "$!\n";
        $sum ^= $data;
    }
    print substr($sum, 0, $size) or die "$!\n";
    $left -= $size;
}
close STDOUT or die "$!\n";
"""

_WITHOUT_PARITY = r"""
has_parity() {
    return 1
}

can_rebuild() {
    return 1
}

rebuild_lost() {
    :
}

check_parity() {
    :
}

rebuild_here() {
    :
}
"""

_FUNCTIONS = r"""
has_parity() {
    return 0
}

# can_rebuild: each lost file has a whole parity file for itself alone
can_rebuild() {
    [ $((missing + damaged)) -le "$groups" ] || return 1
    sums_right=0
    doing=plan
    each_group
    [ "$sums_right" -eq $((missing + damaged)) ] || return 1
    find_xor && return 0
    say "a lost file could be made again from the parity files, but neither python3 nor perl was found. Install one \
of them, or call this script with --rebuild on a machine that has one, and copy the file from there"
    return 1
}

find_xor() {
    if python3 -c pass 2>/dev/null; then
        xor=python3
    elif perl -e 1 2>/dev/null; then
        xor=perl
    else
        return 1
    fi
}

# one_group SHA256 SIZE NAME FIRST STEP COUNT: of all files, each STEP from FIRST on belongs to this parity file
one_group() {
    if [ "$doing" = look ]; then
        look_at_group "$@"
        return
    fi
    first=$4
    each_nth=$5
    count_in_group=$6
    in_group=0
    for one in $lost; do
        if is_in_group "$one"; then
            in_group=$((in_group + 1))
            wanted=$one
        fi
    done
    [ "$in_group" -ne 0 ] || return 0
    case $doing in
        plan) plan_group "$@" ;;
        *) rebuild_from "$3" ;;
    esac
}

is_in_group() {
    [ "$1" -ge "$first" ] && [ $((($1 - first) % each_nth)) -eq 0 ] \
        && [ $((($1 - first) / each_nth)) -lt "$count_in_group" ]
}

plan_group() {
    at "$3"
    if [ "$in_group" -gt 1 ]; then
        say "$in_group lost files belong to $3, from which only one can be made again"
    elif ! [ -f "$file" ]; then
        say "missing: $3, from which the lost file could be made again"
    elif found=$(sha256sum <"$file") && [ "${found%% *}" = "$1" ]; then
        sums_right=$((sums_right + 1))
    else
        say "damaged: $3, from which the lost file could be made again"
    fi
}

# visit_file SHA256 SIZE NAME: the lost file is looked up, and all others of its group are listed
visit_file() {
    if [ "$index" -eq "$wanted" ]; then
        lost_sum=$1
        lost_size=$2
        lost_name=$3
    elif [ "$listing" = yes ] && is_in_group "$index"; then
        list_path "$3"
    fi
}

# A path has no line end: names have none, and the directory of this script is left out.
list_path() {
    at "$1"
    printf './%s\n' "${file#"$here"}"
}

list_group() {
    listing=yes
    index=0
    each_file visit
    list_path "$1"
}

run_xor() {
    cd "$here" || exit 1
    case $xor in
        python3) exec python3 -c "$xor_with_python" "$1" ;;
        *) exec perl -e "$xor_with_perl" "$1" ;;
    esac
}

rebuild_from() {
    listing=
    index=0
    each_file visit
    say "making $lost_name again from $1"
    list_group "$1" | run_xor "$lost_size" >"$work/rebuilding" &
    child=$!
    wait "$child" || give_up "cannot make $lost_name again; see the messages above"
    child=
    found=$(sha256sum <"$work/rebuilding") || give_up "cannot read what was made; see the messages above"
    [ "${found%% *}" = "$lost_sum" ] || give_up "what was made from $1 is not $lost_name: its sha256 is wrong, so a \
file has changed since it was checked. Call this script again"
    keep_rebuilt
}

# The files that were made again are used from the directory of this run.
rebuild_lost() {
    [ -n "$lost" ] || return 0
    beside_script=
    mkdir "$work/rebuilt" || give_up "cannot make the directory $work"
    doing=rebuild
    each_group
    rebuilt=$work/rebuilt/
}

keep_rebuilt() {
    if [ -n "$beside_script" ]; then
        # Of a set, it is in the directory of its host, unless all files are beside the script.
        file=$here$lost_name
        [ -d "${file%/*}" ] || at "$lost_name"
        if [ "$renumbered" -gt 0 ]; then  # what has its number may be another part, which is read there
            while [ -e "$file" ]; do
                file=${file}0
            done
        fi
        bring_to_disk
        mv -f "$work/rebuilding" "$file" || give_up "cannot write $file"
        say "$file is whole again"
        return
    fi
    case $lost_name in
        */*) mkdir -p "$work/rebuilt/${lost_name%/*}" ;;
    esac
    mv "$work/rebuilding" "$work/rebuilt/$lost_name" || give_up "cannot write $lost_name"
}

rebuild_here() {
    need sha256sum mkdir mv rm ln
    find_here
    check
    [ -n "$lost" ] || return 0
    target=$here
    open_work
    beside_script=yes
    doing=rebuild
    each_group
    trap '' HUP INT PIPE QUIT TERM
    rm -rf "$work"
}

# The parity files are only needed when something is lost; still, damage is told while another copy is at hand.
check_parity() {
    doing=look
    each_group
}

look_at_group() {
    at "$3"
    if ! [ -f "$file" ]; then
        say "not here: $3, from which a lost file could be made again"
    elif ! found=$(sha256sum <"$file") || [ "${found%% *}" != "$1" ]; then
        say "damaged: $3, from which a lost file could be made again. The archive does not need it"
    fi
}
"""


def group_calls(name: str, lock: Lock, folder: str = "", *, before: int = 0) -> list[str]:
    """Return the calls of ``one_group`` for the parity files of an archive.

    :param folder: the directory that they may be in, with ``/`` at its end.
    :param before: how many files of the script precede those of the archive.
    """
    calls = []
    for group, file in enumerate(lock.parity):
        members = members_of(group, len(lock.parts))
        path = shlex.quote(f"{folder}{file.name}")
        calls.append(f"one_group {file.sha256} {file.size} {path} {before + group + 1} {members.step} {len(members)}")
    return calls


def parity(calls: Iterable[str]) -> str:
    """Return the functions for parity files.

    :param calls: those of ``one_group`` for all parity files.
    """
    lines = [*calls]
    if not lines:
        return _WITHOUT_PARITY
    body = "".join(f"    {line}\n" for line in lines)
    programs = f"xor_with_python={shlex.quote(_PYTHON.strip())}\nxor_with_perl={shlex.quote(_PERL.strip())}\n"
    return f"groups={len(lines)}\n{programs}{_FUNCTIONS}\neach_group() {{\n{body}}}\n"
