# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directory ``NAME.requested``: parts by their own names, with copies of the lock file and of the request.

The request is the first file in it, and says whose directory it is. The lock file is the last.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from .._archive.names import checksum_lines, is_file_name
from .._archive.parts import WrittenFile, explain_write_error
from .._archive.request import read_request
from .._base.errors import LockFileError, OptionError
from .._host.attributes import Attributes
from .._host.disk_errors import explained
from .._host.files import OF_ARCHIVES, make_directories, open_regular, put_whole
from .._host.move import sync_filesystem
from .._host.verified_files import VerifiedFiles
from .._publish.paths import staging_path
from .request import Asked


def prepare_directory(asked: Asked, *, check: bool) -> None:
    """Make the directory. One for another lock file of the archive is emptied, as its parts are of no use any more.

    :param check: change nothing.
    :raises OptionError: when something else is there.
    :raises StorageError: when it cannot be made.
    """
    directory = asked.directory
    try:
        if os.path.lexists(directory):
            is_other = _is_for_other_archive(asked)
            if is_other and not check:
                shutil.rmtree(directory)
        if check:
            return
        make_directories(directory, OF_ARCHIVES, above=OF_ARCHIVES)
        if _content(asked.request_file) != asked.raw:
            put_whole(asked.request_file, asked.raw)
    except OSError as error:
        raise explained(f"cannot make the directory {directory}", error) from error


def is_there(asked: Asked, memory: VerifiedFiles) -> bool:
    """Return True if everything that was asked for is in the directory, and nothing else that a run has made."""
    output = asked.output
    if os.path.lexists(staging_path(output)):  # a killed run has left it
        return False
    names = {part.name for part in asked.parts}
    try:
        if {name for name in os.listdir(asked.directory) if is_file_name(output.name, name)} != names:
            return False
        for part in asked.parts:
            path = os.path.join(asked.directory, part.name)
            if os.path.islink(path) or os.path.getsize(path) != part.size or memory.sha256(path) != part.sha256:
                return False
    except OSError:
        return False
    beside = {output.lock_file: asked.raw_lock, output.checksum_file: checksum_lines(output, asked.parts)}
    return all(_content(path) == raw for path, raw in beside.items())


def publish_parts(asked: Asked, files: Sequence[WrittenFile], attributes: Attributes, memory: VerifiedFiles) -> None:
    """Give the parts their names, and remove those of an earlier request.

    :param files: in the order of the parts.
    :raises StorageError: when a file cannot be written; the next run begins again.
    """
    output, directory = asked.output, asked.directory
    finals = [os.path.join(directory, part.name) for part in asked.parts]
    try:
        for name in os.listdir(directory):
            if is_file_name(output.name, name):
                os.unlink(os.path.join(directory, name))
        for file, final in zip(files, finals):
            attributes.give(file.path, final)
            os.rename(file.path, final)
        put_whole(output.checksum_file, checksum_lines(output, asked.parts))
        put_whole(output.lock_file, asked.raw_lock)
        for path in (asked.request_file, output.checksum_file, output.lock_file):
            attributes.give(path)
        sync_filesystem(directory)
    except OSError as error:
        raise explain_write_error(error, directory) from error
    for part, final in zip(asked.parts, finals):
        memory.learn(final, part.sha256)
        attributes.protect(final)


def _is_for_other_archive(asked: Asked) -> bool:
    """Return True if the directory has what was asked for of another lock file.

    :raises OptionError: when no request has made it.
    """
    raw = _content(asked.request_file)
    try:
        if os.path.isdir(asked.directory) and not os.path.islink(asked.directory):
            if raw is None and not os.listdir(asked.directory):
                return False
            if raw is not None:
                return read_request(raw, path=asked.request_file).lock_sha256 != asked.request.lock_sha256
    except LockFileError:
        pass
    raise OptionError(
        f"request: {asked.directory} is not a directory that an earlier request has made; move it away, or set another "
        "dest"
    )


def _content(path: str) -> bytes | None:
    try:
        with open_regular(path) as file:
            return file.read()
    except OSError:
        return None
