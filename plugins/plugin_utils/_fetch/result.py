# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a fetch, as the play gets it. Pure, except :func:`difference`, which reads the lock file before."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_changes import (
    changed_only,
    file_line,
    record_lines,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.output import BESIDE, LOCK_SUFFIX
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_count, format_size
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.delivery import Delivery
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item, Place
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.bounds import LARGEST_RECORD, MOST_VALUES
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.names import names_of, parity_names_of


def paths(
    place: Place, parts: Sequence[Item], parity: Sequence[Item], records: Mapping[str, Item], failed: Item | None
) -> dict[str, Any]:
    """Return where everything is on the controller, by the names of return values.

    The files of a directory, which may be a hundred thousand, are only counted; its lock file lists them.

    :param parity: the parity files.
    :param records: the files beside the archive, by the names of :data:`BESIDE`.
    :param failed: the list of failed images.
    """
    listed = [part for part in parts if not os.path.dirname(part.name)]
    directory = [place.root] if parts and not listed else []
    beside = [place.final(item) for item in (*parity, *records.values(), *([failed] if failed else []))]
    return {
        "dest": place.directory,
        "parts": _described(place, listed),
        "part_count": len(parts),
        "parity_files": _described(place, parity),
        **{name: place.final(records[name]) if name in records else None for name in BESIDE},
        "failed_list": place.final(failed) if failed else None,
        "files": [*(place.final(part) for part in listed), *directory, *beside],
    }


def _described(place: Place, items: Sequence[Item]) -> list[dict[str, Any]]:
    return [{"path": place.final(item), "size": item.size, "sha256": item.sha256} for item in items]


def message(whose: str, delivery: Delivery, items: Sequence[Item], *, is_check: bool) -> str:
    """Return what happened in a sentence.

    :param whose: name of the host.
    :param items: those that were transferred, or would be.
    """
    directory = delivery.place.directory
    older = format_count(len(delivery.stale), "older file")
    removed = f", {older} {'would be removed' if is_check else 'removed'}" if delivery.stale else ""
    renumbered = format_count(len(delivery.renamed), "file")
    renamed = f", {renumbered} {'would be renamed' if is_check else 'renamed'}" if delivery.renamed else ""
    links = ", whose filesystem has no links: those called blobs are left out" if delivery.goes_without_link else ""
    if not items:
        return f"nothing new to fetch from {whose} to {directory}{links}{renamed}{removed}"
    verb = "would be fetched" if is_check else "fetched"
    count, size = format_count(len(items), "file"), format_size(sum(item.size for item in items))
    return f"{count} ({size}) {verb} from {whose} to {directory}{links}{renamed}{removed}"


def difference(delivery: Delivery, lock: Lock | None) -> dict[str, str]:
    """Return what will be different on the controller, as C(--diff) shows it: by image, and by file.

    :param lock: of the archive that is fetched; ``None`` if only a list of failed images is.
    """
    place = delivery.place
    before = _lock_before(place) if lock is not None else None
    return {
        "before_header": place.directory,
        "after_header": place.directory,
        **changed_only(
            [*record_lines(before), *_replaced(delivery, before)],
            [*record_lines(lock), *(file_line(item.name, item.size, item.sha256) for item in delivery.wanted)],
        ),
    }


def _replaced(delivery: Delivery, before: Lock | None) -> Iterator[str]:
    """Describe the files that will be replaced or removed; the lock file before knows most of them."""
    place = delivery.place
    known = {}
    if before is not None:
        names = [*names_of(before, place.archive, where=place.root), *(file.name for file in before.parity)]
        known = {name: file_line(name, file.size, file.sha256) for file, name in zip(before.files, names)}
    replaced = [item.name for item in delivery.wanted if os.path.lexists(place.final(item))]
    gone = [*delivery.stale, *(path for path in delivery.renamed.values() if os.path.lexists(path))]
    for name in dict.fromkeys([*replaced, *(os.path.relpath(path, place.directory) for path in gone)]):
        yield known.get(name, f"file {name}")


def _lock_before(place: Place) -> Lock | None:
    """Read the lock file that is on the controller; ``None`` if there is none of this archive that can be read."""
    path = f"{place.root}{LOCK_SUFFIX}"
    with suppress(OSError, LockFileError):
        with open(path, "rb") as file:
            lock = read_lock(file.read(LARGEST_RECORD), path=path, most=MOST_VALUES)
        names_of(lock, place.archive, where=path)
        parity_names_of(lock, place.archive, where=path)
        return lock
    return None
