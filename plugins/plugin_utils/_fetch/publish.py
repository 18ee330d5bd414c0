# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the hidden directory to the final names."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from ansible_collections.airgap.images.plugins.module_utils._archive.names import lacking_links
from ansible_collections.airgap.images.plugins.module_utils._host.files import keep_from_others, sync_directory
from ansible_collections.airgap.images.plugins.module_utils._host.filesystem import link_if_possible
from ansible_collections.airgap.images.plugins.module_utils._host.move import sync_filesystem
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.delivery import Delivery
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.incoming import discard_arrived
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item, explain


def publish(delivery: Delivery, outdated: Collection[str]) -> None:
    """Give files that have arrived their final names, in the order of the items, and remove those of another archive.

    :param outdated: paths to remove first.
    :raises StorageError: when that fails. Files that have arrived stay for the next run.
    """
    place, removed = delivery.place, {*outdated, *delivery.stale}
    try:
        # A full disk is noticed before anything is changed.
        for folder in dict.fromkeys(os.path.dirname(place.final(item)) for item in delivery.wanted):
            # Directories of another archive are removed with it.
            if not place.is_through_link(folder) and not _stands_in_the_way(folder, removed):
                place.make_folder(folder)
        _bring_to_disk(delivery)
        _set_aside(delivery)
        for path in (*outdated, *delivery.stale):
            with suppress(FileNotFoundError):
                os.unlink(path)
        _rename(delivery, delivery.wanted[:-1])
        _rename(delivery, delivery.wanted[-1:])  # the lock file must not be there before what it describes
        if delivery.is_layout:
            _tidy_layout(place.root, delivery.links)
        discard_arrived(place)
    except OSError as error:
        raise explain(error, place.directory) from error


def _stands_in_the_way(folder: str, removed: Collection[str]) -> bool:
    """Return True if a file to be removed is in the place of a directory that is needed."""
    return any(folder == path or folder.startswith(f"{path}{os.sep}") for path in removed)


def _bring_to_disk(delivery: Delivery) -> None:
    """Sync what has arrived, so that a power cut leaves the previous file of a name or the new one.

    A directory has thousands of files, which are synced much faster together than one by one.
    """
    place = delivery.place
    for item in delivery.wanted:
        with open(delivery.renamed.get(item, place.temporary(item)), "rb") as file:
            keep_from_others(file.fileno())  # whatever umask or default ACL it was made under
            if not delivery.is_layout:
                os.fsync(file.fileno())
    if delivery.is_layout and delivery.wanted:
        sync_filesystem(place.incoming)


def _set_aside(delivery: Delivery) -> None:
    """Move files that are there under other names to where they have no number, before anything takes their places.

    Wherever a run is killed, each of them has exactly one name, and the next run looks there.
    """
    place = delivery.place
    moved = {item: path for item, path in delivery.renamed.items() if path != place.kept(item)}
    if not moved:
        return
    place.make_folder(place.incoming)
    for item, path in moved.items():
        os.replace(path, place.kept(item))
        if place.memory:
            place.memory.learn(place.kept(item), item.sha256)
    for folder in (place.incoming, place.directory):
        sync_directory(folder)


def _rename(delivery: Delivery, items: Sequence[Item]) -> None:
    """Give files their final names, and bring these to disk: those in many directories together."""
    place = delivery.place
    folders = dict.fromkeys(os.path.dirname(place.final(item)) for item in items)
    for folder in folders:
        place.make_folder(folder)
    for item in items:
        final = place.final(item)
        os.replace(place.kept(item) if item in delivery.renamed else place.temporary(item), final)
        if place.memory:
            place.memory.learn(final, item.sha256)
    if len(folders) == 1:
        sync_directory(*folders)
    elif folders:
        sync_filesystem(place.directory)  # with the entries of new directories


def _tidy_layout(root: str, links: Mapping[str, str]) -> None:
    """Remove empty directories, and make the links of the layout."""
    for folder, _folders, _files in os.walk(root, topdown=False):
        with suppress(OSError):
            os.rmdir(folder)
    for name in lacking_links(root, links):
        link = os.path.join(root, name)
        with suppress(FileNotFoundError):
            os.unlink(link)
        link_if_possible(links[name], link)
