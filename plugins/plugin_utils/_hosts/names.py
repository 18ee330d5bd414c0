# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What files of an archive can be called, and which paths a transfer can carry. Pure.

Hosts are not trusted: of what one says, nothing gets into a path but the number of a part and the digits of a sha256,
each matched whole. Everything else of a path is what the play asked for, and what the format prescribes.
"""

from __future__ import annotations

import os
import re
import shlex

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.names import part_names
from ansible_collections.airgap.images.plugins.module_utils._archive.output import DIR, compress_of
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import MAX_PARTS, Part
from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    LockFileError,
    OptionError,
    printable,
    quoted,
)

_HEX = "[0-9a-f]{64}"
_IN_FOLDER = re.compile(rf"{_HEX}/(oci-layout|index\.json)")
_IN_ROOT = ("index.json", "oci-layout", "saved-images-list.json")
_NUMBER = re.compile(r"\.part([0-9]{1,9})")

# sftp takes a path out of a line that it is given, by rules which are not those of a shell: a backslash is one within
# quotes too, and a line end begins the next command (sftp(1), and makeargv() of its source).
_NOT_CARRIED = re.compile(r"[\x00-\x1f\x7f-\x9f'\"\\]")
# It reads lines into 2,048 bytes, and takes the rest of a longer one for another command.
_LONGEST_LINE = 2047
_LONGEST_ENDING = len("/share/sha256/") + 64


def names_of(lock: Lock, archive: str, *, where: str) -> list[str]:
    """The names of an archive's files as they lie beside its lock file, each as the format prescribes it.

    :param archive: name of the archive, as the play gave it.
    :param where: path of the lock file, for the error.
    :raises LockFileError: when the lock file names anything else, or is that of another kind of archive.
    """
    kind = compress_of(archive)
    said = lock.options.get("compress")
    if said != kind:
        raise LockFileError(
            f"{where} is that of an archive with compress={printable(str(said), 20)}, but the name {archive} is that "
            f"of one with compress={kind}; give the archive the suffix of its kind, and save it again"
        )
    if kind == DIR:
        names = _layout_names(lock)
    else:
        names = _stream_names(archive, lock)
    for part, name in zip(lock.parts, [*names, None]):
        if part.name != name:
            raise LockFileError(f"{where} names {quoted(part.name, 200)}, which cannot be a part of {archive}")
    return [f"{archive}/{name}" for name in names] if kind == DIR else names


def _layout_names(lock: Lock) -> list[str]:
    """The names that a layout can have, each once; they end before the first other one."""
    names: dict[str, None] = {}
    for part in lock.parts:
        if not _is_of_layout(part) or part.name in names:
            break
        names[part.name] = None
    return list(names)


def _is_of_layout(part: Part) -> bool:
    is_blob = part.name == f"share/sha256/{part.sha256}" and re.fullmatch(_HEX, part.sha256) is not None
    return is_blob or part.name in _IN_ROOT or _IN_FOLDER.fullmatch(part.name) is not None


def _stream_names(archive: str, lock: Lock) -> list[str]:
    """The names of as many parts, or that of an archive in one piece."""
    first = lock.parts[0].name if lock.parts else ""
    number = _NUMBER.fullmatch(first[len(archive) :]) if first.startswith(archive) else None
    if number is None:
        return [archive][: len(lock.parts)]
    return part_names(archive, min(len(lock.parts), MAX_PARTS), split=True, digits=len(number[1]))


def check_remote(option: str, path: str) -> None:
    """Refuse a path of the host that cannot be transferred from, or that host and controller may read differently.

    :raises OptionError: says what to give instead.
    """
    if not path.startswith(("/", "~/")):
        raise OptionError(f"{option}: {quoted(path)} is not a path that begins with '/' or '~/'; give an absolute path")
    if os.path.basename(path) in ("", ".", ".."):
        raise OptionError(f"{option}: {quoted(path)} must end in the name of a file")
    check_carried(option, path)
    if "$" in path:
        raise OptionError(f"{option}: {quoted(path)} has a '$' in it, as a variable of the host; give an absolute path")


def check_carried(option: str, path: str) -> None:
    """Refuse a path that a transfer cannot carry.

    :raises OptionError: says what is in it.
    """
    if _NOT_CARRIED.search(path):
        raise OptionError(
            f"{option}: {quoted(path)} has a quotation mark, a backslash or a control character in it, which programs "
            "that transfer files read in their own ways; choose another name"
        )


def check_length(source: str, directory: str) -> None:
    """Refuse paths of which one transfer could not be told.

    :param source: path of the archive, or of another file, on the host.
    :param directory: of the controller.
    :raises OptionError: says how much too long they are.
    """
    name = os.path.basename(source)
    here = os.path.join(directory, f".{name}.fetching", name)
    taken = sum(len(os.fsencode(shlex.quote(path))) + _LONGEST_ENDING for path in (source, here)) + len("get  \n")
    if taken > _LONGEST_LINE:
        raise OptionError(
            f"dest: {quoted(directory)} and {quoted(source)} are {taken - _LONGEST_LINE} bytes too long together for "
            "a transfer; choose shorter paths"
        )
