# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refusals before the first byte: no space, files too large for the filesystem, names that it takes for one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ansible_collections.airgap.images.plugins.module_utils._archive.name_clashes import archive_spelled_otherwise
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, SpaceError, StorageError
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_bytes, format_size, handy_size
from ansible_collections.airgap.images.plugins.module_utils._host.filesystem import filesystem_of, spelled_otherwise
from ansible_collections.airgap.images.plugins.module_utils._host.space import free_bytes, require
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.delivery import Delivery
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item, Place, explain


def ensure_space(place: Place, coming: Sequence[Item]) -> None:
    """Refuse to start a transfer that the disk has no space for.

    :param coming: files to be transferred; for one of them, space is needed up to the size at which it is cut off.
    :raises SpaceError: says what is needed, what is free, and where.
    :raises StorageError: when the free space cannot be read.
    """
    directory = place.directory
    try:
        free = free_bytes(directory)
    except OSError as error:
        raise explain(error, directory) from error
    needed = sum(item.size for item in coming) + max((item.most - item.size for item in coming), default=0)
    require(f"{directory} on the controller", free, needed, otherwise="or choose another directory")


def ensure_fits(delivery: Delivery) -> None:
    """Refuse files that are too large for the filesystem: FAT32 takes up to 4 GiB less one byte.

    :raises OptionError: names the largest one, and a part size that fits.
    """
    directory = delivery.place.directory
    longest = max(delivery.coming, key=lambda item: item.size, default=None)
    if longest is None:
        return
    largest = filesystem_of(directory).largest_file
    if longest.size > largest:
        remedy = "" if delivery.is_layout else f"save with a part_size of {handy_size(largest)}, or "
        raise OptionError(
            f"{longest.name} has {format_bytes(longest.size)}, but the filesystem of {directory} on the controller "
            f"supports files of {format_bytes(largest)} at most; {remedy}choose a directory on another filesystem"
        )


def refuse_other_spelling(place: Place) -> None:
    """Refuse a directory or an archive that exists by another spelling where ``A`` and ``a`` are the same name.

    :raises OptionError: says how it is spelled.
    """
    parent, name = os.path.split(place.directory)
    found = spelled_otherwise(parent, name)
    folder = parent if found else place.directory
    found = found or archive_spelled_otherwise(place.directory, place.archive)
    if found:
        raise OptionError(
            f"{found} in {folder} on the controller would be overwritten, because its filesystem does not distinguish "
            f"that name from the one to be fetched; choose a directory on another filesystem, or another name"
        )


@contextmanager
def explaining_full(place: Place, item: Item) -> Iterator[None]:
    """Explain a failed transfer if its cause is a full disk.

    :raises SpaceError: instead of the error of the block.
    """
    try:
        yield
    except StorageError as error:
        if not _is_full(place, item):
            raise
        raise SpaceError(
            f"no space left in {place.directory} on the controller for {item.name} ({format_size(item.size)}): "
            "the disk has been filled since the start of the run. Free some space and run again; files that have "
            f"arrived are kept ({error})"
        ) from error


def _is_full(place: Place, item: Item) -> bool:
    """Return True if the disk has no space for the rest of a file that is on its way."""
    path = place.temporary(item)
    try:
        arrived = os.path.getsize(path) if os.path.exists(path) else 0
        return free_bytes(place.directory) < item.size - arrived
    except OSError:
        return False
