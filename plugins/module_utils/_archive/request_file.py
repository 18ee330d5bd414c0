# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of requests on the closed side: where each is, and how it is read, replaced and removed."""

from __future__ import annotations

import os
from contextlib import suppress

from .._base.errors import LockFileError, OptionError
from .._host.disk_errors import explained
from .._host.files import make_directories, put_whole, read_regular
from .request import REQUEST_SUFFIX, Request, read_request, write_request

_LARGEST = 64 * 1024 * 1024
_DIGITS = 12


def is_directory(path: str) -> bool:
    """Return True if a path is meant as that of a directory, in which each archive has a file of its own."""
    return path.endswith("/") or os.path.isdir(path)


def place_in(directory: str, archive: str, lock_sha256: str, *, is_alone: bool) -> str:
    """Return the path of an archive's file in a directory.

    :param archive: name of the archive.
    :param lock_sha256: hex digits of the sha256 of its lock file.
    :param is_alone: whether no other archive has this name; hosts of a set often have archives of one name.
    """
    mark = "" if is_alone else f".{lock_sha256[:_DIGITS]}"
    return os.path.join(directory, f"{archive}{mark}{REQUEST_SUFFIX}")


def read_request_file(path: str) -> Request | None:
    """Read a request; ``None`` if there is none.

    :raises OptionError: when something else is there.
    :raises StorageError: when it cannot be read.
    """
    try:
        return read_request(read_regular(path, _LARGEST), path=path)
    except FileNotFoundError:
        return None
    except LockFileError as error:
        raise OptionError(f"request_file: {path} would be replaced, but {error}; name another file") from error
    except OSError as error:
        raise explained(f"request_file: cannot read {path}", error) from error


def put_request_file(path: str, request: Request | None) -> None:
    """Write a request, or remove what is there.

    :param request: ``None``: nothing is asked for any more.
    :raises StorageError: when it cannot be written or removed.
    """
    try:
        if request is None:
            with suppress(FileNotFoundError):
                os.unlink(path)
            return
        make_directories(os.path.dirname(os.path.abspath(path)))
        put_whole(path, write_request(request))
    except OSError as error:
        raise explained(f"request_file: cannot write {path}", error) from error
