# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names that files of an archive can have, and the paths that a transfer can carry. Pure.

Hosts are not trusted. Of what a host says, only the number of a part, the digits of a sha256 and the numbers in the
name of a temporary directory become part of a path, and these are matched as a whole. Everything else in a path comes
from the play, the configuration or the format.
"""

from __future__ import annotations

import os
import re
import shlex
from itertools import zip_longest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.names import part_names
from ansible_collections.airgap.images.plugins.module_utils._archive.output import DIR, compress_of
from ansible_collections.airgap.images.plugins.module_utils._archive.parity import parity_names
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

# sftp reads a path from a command line by rules that differ from those of a shell: a backslash escapes within quotes as
# well, and a line end starts the next command (sftp(1), and makeargv() in its source).
_NOT_CARRIED = re.compile(r"[\x00-\x1f\x7f-\x9f'\"\\]")
# Ansible's temporary directory: the time, the process, and a random number, all chosen on the controller.
_TEMPORARY = re.compile(r"ansible-tmp-[0-9]{1,20}(\.[0-9]{1,20})?-[0-9]{1,20}-[0-9]{1,20}")
# sftp reads lines of up to 2,048 bytes, and takes the rest of a longer one as another command.
_LONGEST_LINE = 2047
_LONGEST_ENDING = len("/share/sha256/") + 64


def names_of(lock: Lock, archive: str, *, where: str) -> list[str]:
    """List the names of an archive's files, relative to its lock file, as the format prescribes them.

    :param archive: name of the archive, as the play gave it.
    :param where: path of the lock file, for the error.
    :raises LockFileError: when the lock file lists anything else, or belongs to another kind of archive.
    """
    kind = compress_of(archive)
    said = lock.options.get("compress")
    if said != kind:
        raise LockFileError(
            f"{where} belongs to an archive with compress={printable(str(said), 20)}, but the name {archive} is that "
            f"of an archive with compress={kind}; give the archive the right suffix and save it again"
        )
    if kind == DIR:
        names = _layout_names(lock)
    else:
        names = _stream_names(archive, lock)
    for part, name in zip(lock.parts, [*names, None]):
        if part.name != name:
            raise LockFileError(f"{where} lists {quoted(part.name, 200)}, which is not expected in {archive}")
    return [f"{archive}/{name}" for name in names] if kind == DIR else names


def parity_names_of(lock: Lock, archive: str, *, where: str) -> list[str]:
    """List the names of an archive's parity files, relative to its lock file, as the format prescribes them.

    :param archive: name of the archive, as the play gave it.
    :param where: path of the lock file, for the error.
    :raises LockFileError: when the lock file lists anything else.
    """
    if not lock.parity:
        return []
    names = [] if compress_of(archive) == DIR else parity_names(archive, min(len(lock.parts), MAX_PARTS))
    for file, name in zip_longest(lock.parity, names):
        if file is None or file.name != name:
            said = quoted(file.name, 200) if file else f"no {name}"
            raise LockFileError(f"{where} lists {said}, which is not expected in {archive}")
    return names


def _layout_names(lock: Lock) -> list[str]:
    """List the parts' names up to the first one that a layout cannot have, or that is repeated."""
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
    """List the names of as many parts, or the name of an archive in one piece."""
    first = lock.parts[0].name if lock.parts else ""
    number = _NUMBER.fullmatch(first[len(archive) :]) if first.startswith(archive) else None
    if number is None:
        return [archive][: len(lock.parts)]
    return part_names(archive, min(len(lock.parts), MAX_PARTS), split=True, digits=len(number[1]))


def check_remote(option: str, path: str) -> None:
    """Refuse a path on the host that cannot be transferred from, or that host and controller may read differently.

    :raises OptionError: says what to give instead.
    """
    if not path.startswith(("/", "~/")):
        raise OptionError(f"{option}: {quoted(path)} does not begin with '/' or '~/'; give an absolute path")
    if os.path.basename(path) in ("", ".", ".."):
        raise OptionError(f"{option}: {quoted(path)} must end in a file name")
    check_carried(option, path)
    if "$" in path:
        raise OptionError(f"{option}: {quoted(path)} contains '$', which the host would expand; give an absolute path")


def check_carried(option: str, path: str) -> None:
    """Refuse a path that a transfer cannot carry.

    :raises OptionError: says what is in it.
    """
    if _NOT_CARRIED.search(path):
        raise OptionError(
            f"{option}: {quoted(path)} contains a quotation mark, a backslash or a control character, which not all "
            "programs that transfer files read alike; choose another name"
        )


def temporary_directory(remote_tmp: str, made: str) -> str | None:
    """Return the path of a directory that Ansible has made on the host, if a transfer can carry it.

    :param remote_tmp: the directory for temporary files, as configured.
    :param made: the path that the host gives; only its last name is used.
    """
    name = os.path.basename(made.rstrip("/"))
    is_plain = remote_tmp.startswith(("/", "~/")) and "$" not in remote_tmp and not _NOT_CARRIED.search(remote_tmp)
    return os.path.join(remote_tmp, name) if is_plain and _TEMPORARY.fullmatch(name) else None


def fits_line(source: str, path: str) -> bool:
    """Return True if two paths are short enough for the command of a transfer.

    :param source: the path on the host.
    :param path: where it goes on the controller.
    """
    return _length_of_line(source, path) <= _LONGEST_LINE


def _length_of_line(source: str, path: str) -> int:
    return sum(len(os.fsencode(shlex.quote(each))) for each in (source, path)) + len("get  \n")


def check_length(source: str, directory: str) -> None:
    """Refuse paths that are too long for the command of a transfer.

    :param source: path of the archive, or of another file, on the host.
    :param directory: on the controller.
    :raises OptionError: says by how much they are too long.
    """
    name = os.path.basename(source)
    here = os.path.join(directory, f".{name}.fetching", name)
    taken = _length_of_line(source, here) + 2 * _LONGEST_ENDING
    if taken > _LONGEST_LINE:
        raise OptionError(
            f"dest: together, {quoted(directory)} and {quoted(source)} are {taken - _LONGEST_LINE} bytes too long for "
            "a transfer; choose shorter paths"
        )
