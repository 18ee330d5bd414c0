# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of what failed: usable as a list again, with the reasons as comments."""

from __future__ import annotations

import os
from collections.abc import Iterable

from .._base.errors import OptionError, printable
from .._host.attributes import Attributes, give_alone
from .._host.disk_errors import explained, reason
from .._host.files import make_directories, open_regular, put_whole, temporary_of
from .._host.space import mount_points_among
from .._oci.image import FailedImage
from .._oci.image_list import ImageList, InvalidLine

_START = "# airgap.images: what could not be "
_HEADER = f"{_START}%s, with the reasons\n"
_LINE = 512


def refuse_foreign(path: str, *, made: str) -> None:
    """Make sure that nothing is there, or a list that a run has written: it will be replaced or removed.

    :param made: a directory that the run makes if it is missing, with its parents.
    :raises OptionError: when something else is there.
    """
    if mount_points_among([path]):
        raise OptionError(f"failed_list: {path} is a mount point and cannot be replaced; name a file below it")
    try:
        with open_regular(path) as file:
            start = file.read(len(_START))
    except FileNotFoundError:
        directory = os.path.dirname(os.path.abspath(path))
        if not os.access(_made_by(directory, made), os.W_OK | os.X_OK):
            raise OptionError(
                f"failed_list: {directory} is not a directory that this user can write to; create it, or name another"
            ) from None
        return
    except OSError as error:
        raise OptionError(f"failed_list: cannot read {path}: {reason(error)}") from error
    if start and start != _START.encode():
        raise OptionError(
            f"failed_list: {path} is a file that this module did not write, and would be replaced; name another"
        )


def _made_by(directory: str, made: str) -> str:
    """Find the parent in which a directory has to be made, if a run does that; else the directory itself."""
    if os.path.lexists(directory) or os.path.commonpath([directory, made]) != directory:
        return directory
    while not os.path.lexists(directory):
        directory = os.path.dirname(directory)
    return directory


def is_failed_list(path: str) -> bool:
    """Return True if a list that a run has written is there.

    :raises StorageError: when a file is there that cannot be read.
    """
    try:
        with open_regular(path) as file:
            return file.read(len(_START)) == _START.encode()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise explained(f"{path} cannot be read", error) from error


def render(failed: Iterable[FailedImage], invalid: Iterable[InvalidLine], *, done: str = "saved") -> bytes:
    """Write each reference or line below a comment with its place and reason; empty if nothing failed.

    :param done: what was to be done with the images.
    """
    entries = [(f"{one.listed.origin}: {one.reason}", str(one.listed.reference)) for one in failed]
    entries += [(f"{line.origin}: {line.reason}", line.text) for line in invalid]
    if not entries:
        return b""
    return "".join([_HEADER % done, *(f"# {printable(reason)}\n{text}\n" for reason, text in entries)]).encode("utf-8")


def size_of_list(listed: ImageList) -> int:
    """Estimate the bytes of the list if everything fails, with reasons of usual length."""
    return sum(_LINE + len(str(one.reference)) for one in listed.images) + _LINE * len(listed.invalid)


def update(path: str, content: bytes, attributes: Attributes, *, made: str, check: bool) -> bool:
    """Give the file this content; without content, remove it.

    :param made: as for :func:`refuse_foreign`.
    :param attributes: those that it is given, except flags that would keep it from being replaced or removed.
    :param check: only report, change nothing.
    :returns: whether it was (or would be) different.
    :raises StorageError: when it cannot be written.
    """
    try:
        with open_regular(path) as file:
            before: bytes | None = file.read()
    except FileNotFoundError:
        before = None
    except OSError as error:
        raise explained(f"failed_list: cannot read {path}", error) from error
    is_same = before == (content or None)
    if check:
        return not is_same or bool(content and attributes.differ(path))
    try:
        if not is_same and not content:
            os.unlink(path)
        elif not is_same:
            directory = os.path.dirname(os.path.abspath(path))
            if _made_by(directory, made) != directory:
                make_directories(directory)
            put_whole(path, content)
        differed = bool(content) and give_alone(attributes, path, by=temporary_of(path))
    except OSError as error:
        raise explained(f"failed_list: cannot write {path}", error) from error
    return differed or not is_same
