# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several small files in one transfer: which they are, and how they are taken out of the bundle on the controller.

A transfer of its own takes a process of sftp and about ten round trips for each file, so 500 small files took 17 times
as long as with ``scp -r``. Therefore the host's module writes them into one file, in Ansible's temporary directory on
the host, and that file is transferred like any other. Two other ways were not taken:

- Streaming the output of a command (``exec_command``) needs no disk space on the host, but Ansible keeps all that a
  host prints in memory, without a limit, and a login shell may print more than it was asked for.
- ``scp -r`` takes names, types and sizes from the host.

A host cannot make anything of a bundle but the files that were asked for: the header of each, with its name, type and
size, must be the very bytes that the controller expects there. Paths are made of the controller's list alone, a content
counts only with the sha256 of the lock file, and the transfer is cut off one byte behind the length of the bundle.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO

from ansible_collections.airgap.images.plugins.module_utils._archive.bundle import (
    BLOCK,
    END,
    Member,
    header_of,
    length_of,
    padding_of,
)
from ansible_collections.airgap.images.plugins.module_utils._base.errors import StorageError, quoted
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_bytes
from ansible_collections.airgap.images.plugins.module_utils._host.files import not_for_others
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.bounds import LARGEST_RECORD

SMALL = 1024 * 1024
"""Files of fewer bytes are bundled. Above that, a transfer of its own costs less than writing all bytes twice."""

LARGEST = LARGEST_RECORD - SMALL
"""Bytes of a bundle at most. While a small file is on its way, as much space is kept free on the controller in any case
(see ``ensure_space``), so a bundle needs no more."""

FEW = 16
"""Fewer files are not bundled: starting the module costs as much as some ten transfers."""

_CHUNK = 1024 * 1024


def member_of(item: Item) -> Member:
    """Return what an item is in a bundle."""
    return Member(item.name, item.size)


def bundles_of(items: Sequence[Item], folder: str) -> Iterator[list[Item]]:
    """Divide the small ones of some items into bundles. Pure.

    :param folder: directory on the host; only items that are there by the same names are bundled.
    :returns: nothing if there are only a few.
    """
    small = [item for item in items if item.size < SMALL and item.source == os.path.join(folder, item.name)]
    if len(small) < FEW:
        return
    bundle: list[Item] = []
    room = LARGEST - len(END)
    for item in small:
        length = length_of(member_of(item))
        if length > room:
            yield bundle
            bundle, room = [], LARGEST - len(END)
        bundle.append(item)
        room -= length
    yield bundle


def unpack(bundle: BinaryIO, items: Sequence[Item], *, whose: str, target: Callable[[Item], str]) -> list[Item]:
    """Take items out of a bundle that may break off at any point.

    :param items: in the order in which they were asked for.
    :param whose: name of the host, for the error.
    :param target: returns the path to write an item to, where nothing is.
    :returns: the items that are there with the right content.
    :raises StorageError: when anything else is in the bundle. What was taken out before stays.
    :raises OSError: when the disk cannot be read or written.
    """
    arrived: list[Item] = []
    for item in items:
        member = member_of(item)
        header = header_of(member)
        found = bundle.read(len(header))
        if found != header[: len(found)]:
            raise _unexpected(whose, f"{item.name} ({format_bytes(item.size)})", _described(found))
        if len(found) < len(header):
            return arrived
        if _take(bundle, item, target(item)):
            arrived.append(item)
        if bundle.read(len(padding_of(member))).strip(b"\0"):
            raise _unexpected(whose, f"{item.name} ({format_bytes(item.size)})", "more bytes")
    found = bundle.read(BLOCK)
    if found.strip(b"\0"):
        raise _unexpected(whose, "no further file", _described(found))
    return arrived


def recover(bundle: BinaryIO, items: Sequence[Item], *, target: Callable[[Item], str]) -> list[Item]:
    """Take out of a bundle whatever whole items there are, as far as it can be read: a killed run has left it.

    :param items: in any order.
    :param target: returns the path to write an item to, where nothing is.
    :returns: the items that are there with the right content.
    :raises OSError: when the disk cannot be read or written.
    """
    known = {header_of(member_of(item)): item for item in items}
    # The header of a long name has several blocks.
    begun = {header[:length] for header in known for length in range(BLOCK, len(header), BLOCK)}
    arrived: list[Item] = []
    while True:
        header = block = bundle.read(BLOCK)
        while block and header in begun:
            block = bundle.read(BLOCK)
            header += block
        item = known.get(header)
        if item is None:
            return arrived
        if _take(bundle, item, target(item)):
            arrived.append(item)
        bundle.read(len(padding_of(member_of(item))))


def _take(bundle: BinaryIO, item: Item, path: str) -> bool:
    """Write the next bytes of a bundle to a file, which is removed unless its content is right."""
    hasher = hashlib.sha256()
    left = item.size
    with open(path, "xb", opener=not_for_others) as file:
        while left and (chunk := bundle.read(min(left, _CHUNK))):
            hasher.update(chunk)
            file.write(chunk)
            left -= len(chunk)
    if left or hasher.hexdigest() != item.sha256:
        os.unlink(path)
        return False
    return True


def _unexpected(whose: str, expected: str, found: str) -> StorageError:
    return StorageError(
        f"{whose} did not send the files that it was asked for: expected {expected}, found {found}. Find out what has "
        "changed on that host, then run again; only files with the right sha256 are kept"
    )


def _described(header: bytes) -> str:
    """Return what a header says of itself, for a message."""
    with suppress(tarfile.HeaderError):
        info = tarfile.TarInfo.frombuf(header[:BLOCK], "utf-8", "surrogateescape")
        kind = "file" if info.isreg() else "link" if info.islnk() or info.issym() else "special file"
        return f"the {kind} {quoted(info.name, 200)} ({format_bytes(info.size)})"
    return "other data"
