# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a restore script that differ for a bundle: it is added to the directory that its base was restored to.

Until its lists come, last of all, everything that is there says the same as before. A run that was killed can be
repeated. Blobs that nothing names any more stay.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from .._archive.lock import Lock, Requirement
from .._base.size import format_size
from .._oci.image import hex_of

HELP_OF_BUNDLE = r"""
help() {
    printf '%s\n' \
        "usage: sh $(quote "$0") [--verify] TARGET_DIR" \
        "  checks the $total files of $archive ($size) beside this script," \
        "  and that TARGET_DIR/saved-image-cache has $required of $base," \
        "  then adds what is new ($unpacked), so that $count are there" \
        "  --verify         read these layers, too, instead of comparing their sizes" \
        "other uses:" \
        "  --check          only check the files" \
        "  --rebuild        check them, and make a lost one again beside this script, if there are parity files" \
        "  --images         list the images, one a line" \
        "  --help           show this"
}
"""

FINAL_OF_BUNDLE = r"""
refuse_final() {
    for each in "$final" "$final/share/sha256"; do
        if [ -h "$each" ] || ! [ -d "$each" ]; then
            fail "$each is not a directory. This archive is a bundle, which is added to what was restored from \
$base. Restore that to $target first, or name the TARGET_DIR where it is"
        fi
        if ! [ -w "$each" ] || ! [ -x "$each" ]; then
            fail "no permission to write to $each. Call this script as another user"
        fi
    done
}
"""

REQUIRED = r"""
refuse_tar() {
    fail "--oci-tar needs all layers, and this archive is a bundle. Restore it to the directory that has those of \
$base, and make a tar of that"
}

# one_required HEX SIZE WHERE: a layer that is not in this archive, and what carried it
one_required() {
    blob=$final/share/sha256/$1
    if [ -h "$blob" ] || ! [ -f "$blob" ]; then
        say "missing: layer sha256:$1 ($2 bytes), which was carried by $3"
        absent=$((absent + 1))
        return 0
    fi
    found=$(size_of "$blob")
    if [ "$found" != "$2" ]; then
        say "damaged: layer sha256:$1 has $found bytes instead of $2; it was carried by $3"
    elif [ -z "$verify" ]; then
        return 0
    elif found=$(sha256sum <"$blob") && [ "${found%% *}" = "$1" ]; then
        return 0
    else
        say "damaged: layer sha256:$1 has the right size, but other content; it was carried by $3"
    fi
    unfit=$((unfit + 1))
}

# size_of FILE: many versions of wc read all of it
size_of() {
    # shellcheck disable=SC2012  # the names are digests
    ls -ln "$1" | {
        read -r _ _ _ _ bytes _
        printf '%s' "$bytes"
    }
}

check_required() {
    absent=0
    unfit=0
    say "checking $required in $final"
    each_required
    if [ $((absent + unfit)) -gt 0 ]; then
        fail "of $required that this archive leaves out, $absent are missing in $final and $unfit are damaged; \
they are listed above. Restore what carried them to another directory, and copy these files from its share/sha256, or \
get a full archive. Nothing was changed"
    fi
}
"""

PUBLISH_BUNDLE = r"""
# publish PATH: what is new joins what is there.
publish() {
    say "writing to disk"
    bring_to_disk
    trap '' HUP INT PIPE QUIT TERM
    if ! add_blobs "$1" || ! add_layouts "$1" || ! bring_to_disk || ! add_lists "$1"; then
        give_up "cannot move what is new to $final; see the messages above. Call this script again"
    fi
    rm -rf "$work"
    trap - HUP INT PIPE QUIT TERM
}

add_blobs() {
    from=$1/share/sha256
    for digit in 0 1 2 3 4 5 6 7 8 9 a b c d e f; do
        set -- "$from/$digit"*
        [ ! -e "$1" ] || mv -f "$@" "$final/share/sha256/" || return 1
    done
}

# A link is not replaced: mv would follow it.
add_layouts() {
    for layout in "$1"/*/oci-layout; do
        [ -e "$layout" ] || continue
        from=${layout%/*}
        to=$final/${from##*/}
        if ! [ -d "$to" ]; then
            mv -f "$from" "$to" || return 1
            continue
        fi
        mv -f "$layout" "$from/index.json" "$to/" || return 1
        [ -z "$links" ] || [ -h "$to/blobs" ] || ln -s ../share "$to/blobs" || return 1
    done
    [ -z "$links" ] || [ -h "$final/blobs" ] || ln -s share "$final/blobs"
}

add_lists() {
    for list in oci-layout index.json saved-images-list.json; do
        mv -f "$1/$list" "$final/$list" || return 1
    done
}
"""

OPTIONS_OF_BUNDLE = r"""
        --oci-tar)
            refuse_tar
            ;;
        --verify)
            verify=yes
            shift
            ;;
"""


def required_calls(lock: Lock) -> list[str]:
    """Return the lines of the function that calls ``one_required`` for each layer that a bundle leaves out."""
    places = {where: number for number, where in enumerate(dict.fromkeys(map(_where, lock.requires.values())))}
    return [*_lines(lock, places)]


def _lines(lock: Lock, places: dict[str, int]) -> Iterator[str]:
    for where, number in places.items():
        yield f"where_{number}={shlex.quote(where)}"
    for digest, one in sorted(lock.requires.items()):
        yield f'one_required {hex_of(digest)} {one.size} "$where_{places[_where(one)]}"'


def _where(one: Requirement) -> str:
    if not one.parts or one.parts == (one.archive,):
        return one.archive
    return f"{one.archive} ({', '.join(one.parts)})"


def required_in_words(lock: Lock) -> str:
    """Say how many layers a bundle leaves out, and how large they are."""
    count, total = len(lock.requires), sum(one.size for one in lock.requires.values())
    return f"{count} layer{'s' if count != 1 else ''} ({format_size(total)})"
