# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hidden directory on the controller that files arrive in; what a run leaves there, the next one finds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from ansible_collections.airgap.images.plugins.module_utils._base.errors import ImagesError
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.bundle import recover, unpack
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item, Place, explain
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.room import refuse_other_spelling


def clear_way(place: Place, item: Item) -> str:
    """Make the directory that an item arrives in, and remove what an interrupted run has left of it.

    :returns: the path to write to.
    :raises OptionError: when the directory belongs to another archive, by another spelling of its name.
    :raises StorageError: when it cannot be made.
    """
    path = place.temporary(item)
    try:
        _clear(place, path)
        refuse_other_spelling(place)  # of two hosts at the same time, one has made the directory
    except OSError as error:
        raise explain(error, path) from error
    return path


def clear_way_for_bundle(place: Place) -> None:
    """Do the same for a bundle.

    :raises OptionError: as :func:`clear_way` does.
    :raises OSError: when it cannot be made.
    """
    _clear(place, place.bundle)
    refuse_other_spelling(place)


def take_out(place: Place, items: Sequence[Item], *, is_whole: bool, whose: str) -> list[Item]:
    """Take small files out of the bundle that has arrived.

    :param items: that were asked for, in that order.
    :param is_whole: whether its transfer ended well.
    :param whose: name of the host.
    :returns: the items that are in the hidden directory with the right content.
    :raises StorageError: when anything else is in the bundle, and its transfer ended well.
    :raises OSError: when the disk cannot be read or written.
    """
    for folder in {os.path.dirname(place.temporary(item)) for item in items}:
        place.make_folder(folder)

    def target(item: Item) -> str:
        path = place.temporary(item)
        with suppress(FileNotFoundError):
            os.unlink(path)
        return path

    with open(place.bundle, "rb") as file:
        if is_whole:
            return unpack(file, items, whose=whose, target=target)
        return recover(file, items, target=target)


def recover_arrived(place: Place, items: Sequence[Item]) -> None:
    """Take out of the bundle what has arrived whole in a run that was killed.

    :param items: of the archive.
    """
    if os.path.lexists(place.bundle):
        missing = [item for item in items if not place.holds(place.temporary(item), item)]
        with suppress(OSError):
            take_out(place, missing, is_whole=False, whose="")
        discard_bundle(place)


def discard_bundle(place: Place) -> None:
    """Remove the bundle, if there is one."""
    with suppress(OSError):
        os.unlink(place.bundle)


def _clear(place: Place, path: str) -> str:
    place.make_folder(os.path.dirname(path))
    with suppress(FileNotFoundError):
        os.unlink(path)
    return path


def discard_arrived(place: Place) -> None:
    """Remove the hidden directory and everything in it."""
    shutil.rmtree(place.incoming, ignore_errors=True)


@contextmanager
def tidy_if_refused(place: Place, records: Sequence[Item]) -> Iterator[None]:
    """Remove the hidden directory if the block fails before anything but the records has arrived: these come first."""
    try:
        yield
    except ImagesError:
        of_little_use = {place.temporary(record) for record in records}
        if records and of_little_use.issuperset(_files_below(place.incoming)):
            discard_arrived(place)
        raise


def _files_below(folder: str) -> Iterator[str]:
    for directory, _folders, files in os.walk(folder):
        yield from (os.path.join(directory, name) for name in files)
