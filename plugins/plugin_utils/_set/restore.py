# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The script that restores all archives of a set into one directory. Pure.

It is made of the pieces of the script of a single archive, so it has the same options and messages. All names in it are
made on the controller; sizes and checksums are those that were verified when the files were fetched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.output import DIR
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_count
from ansible_collections.airgap.images.plugins.module_utils._report.restore import (
    assemble,
    directories_of,
    expanders,
    file_calls,
    function,
    pipeline,
    programs,
    settings,
)
from ansible_collections.airgap.images.plugins.module_utils._report.restore_parity import group_calls, parity
from ansible_collections.airgap.images.plugins.module_utils._report.restore_renamed import renamed
from ansible_collections.airgap.images.plugins.module_utils._report.restore_tar import GATHER_BY_UNPACKING
from ansible_collections.airgap.images.plugins.module_utils._report.restore_unpack import EXTRACT, SET_TAR_OPTIONS
from ansible_collections.airgap.images.plugins.plugin_utils._set.names import INDEX, LIST

# A file of a host is in the directory of the host, or beside the script.
_AT = """
# at NAME: where a file is
at() {
    file=$here$1
    [ -f "$file" ] || file=$here${1#*/}
    at_other_number "$1"
    if [ -n "$rebuilt" ] && [ -f "$rebuilt$1" ]; then
        file=$rebuilt$1
    fi
}
"""

_PUT = """
put_file() {
    at "$1"
    if [ "$doing" = put ]; then
        kill -0 "$$" 2>/dev/null || exit 1
        progress unpacking "$1"
        cat <"$file" || exit 1
        return 0
    fi
    [ "$ended" -eq 0 ] || return 0
    progress copying "$1"
    inner=${1#*/}
    cat <"$file" >"$work/saved-image-cache/${inner#*/}" &
    child=$!
    wait "$child" || ended=1
    child=
}
"""

_FINISH = f"""
# The documents of the set take the place of those of its archives. Directories come without links.
put_documents() {{
    at {INDEX}
    cat <"$file" >"$work/saved-image-cache/index.json" || return 1
    at {LIST}
    cat <"$file" >"$work/saved-image-cache/saved-images-list.json" || return 1
    [ -n "$links" ] || return 0
    [ -h "$work/saved-image-cache/blobs" ] || ln -s share "$work/saved-image-cache/blobs" || return 1
    for layout in "$work/saved-image-cache"/*/oci-layout; do
        [ ! -e "$layout" ] || [ -h "${{layout%/*}}/blobs" ] || ln -s ../share "${{layout%/*}}/blobs" || return 1
    done
}}
"""


@dataclass(frozen=True)
class Archive:
    """The archive of a host of the set.

    :param host: its name in the inventory.
    :param name: of the archive.
    :param lock: with the archive's files.
    """

    host: str
    name: str
    lock: Lock

    @property
    def compress(self) -> str:
        return str(self.lock.options.get("compress"))

    @property
    def size(self) -> int:
        """Bytes of the archive's files."""
        return sum(part.size for part in self.lock.parts)


def set_script(archives: Sequence[Archive], merged: Lock, documents: Mapping[str, bytes]) -> bytes:
    """Write the script.

    :param archives: of all hosts.
    :param merged: the lock file of the set.
    :param documents: the merged C(index.json) and hangar's list, by the names of their files.
    """
    parts = [Part(name, len(raw), hashlib.sha256(raw).hexdigest()) for name, raw in documents.items()]
    calls = [f"one_file {part.sha256} {part.size} {part.name}" for part in parts]
    numbers = range(1, len(archives) + 1)
    pieces = [
        function("each_file", ["doing=$1", "number=0", *calls, *(f"each_file_{number}" for number in numbers)]),
        _AT,
        _PUT,
    ]
    before = len(parts)
    groups: list[str] = []
    for number, archive in zip(numbers, archives):
        pieces.append(function(f"each_file_{number}", file_calls(archive.name, archive.lock, f"{archive.host}/")))
        pieces.append(_unpack(number, archive, before=before))
        groups += group_calls(archive.name, archive.lock, f"{archive.host}/", before=before)
        before += len(archive.lock.parts)
    steps = " && ".join([*(f'unpack_{number} "$@"' for number in numbers), "put_documents"])
    pieces += [
        *([EXTRACT] if any(archive.compress != DIR for archive in archives) else []),
        expanders([archive.compress for archive in archives]),
        _FINISH,
        f"unpack() {{\n{SET_TAR_OPTIONS.strip(chr(10))}\n    {steps}\n}}\n",
        parity(groups),
        renamed(archive.lock for archive in archives),
        *([] if merged.is_bundle else [GATHER_BY_UNPACKING]),
    ]
    everything = Lock(
        options=merged.options,
        images=merged.images,
        failed=merged.failed,
        blobs=merged.blobs,
        parts=(*parts, *(part for archive in archives for part in archive.lock.parts)),
        parity=tuple(file for archive in archives for file in archive.lock.parity),
        base=merged.base,
        requires=merged.requires,
    )
    what = f"the set of {format_count(len(archives), 'host')}"
    return assemble(
        everything,
        settings(
            what,
            INDEX,
            everything,
            needs_copy=True,
            is_directory=all(archive.compress == DIR for archive in archives),
        ),
        programs((archive.compress for archive in archives), is_bundle=merged.is_bundle),
        pieces,
    )


def _unpack(number: int, archive: Archive, *, before: int) -> str:
    """Write the function that unpacks an archive.

    :param before: how many files are unpacked before it.
    """
    if archive.compress == DIR:
        made = [f'mkdir -p "$1"/{each} || return 1' for each in directories_of(archive.lock)]
        lines = [
            f"number={before}",
            "doing=copying",
            "ended=0",
            f'make_directories_{number} "$work/saved-image-cache" || return 1',
            f"each_file_{number}",
            'return "$ended"',
        ]
        return function(f"make_directories_{number}", ['mkdir -p "$1" || return 1', *made]) + function(
            f"unpack_{number}", lines
        )
    start = f'    number={before}\n    doing=put\n    rm -f "$work/joined" "$work/expanded"\n'
    return f"unpack_{number}() {{\n{start}{pipeline(archive.compress, f'each_file_{number}')}}}\n"
