# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive's files on the controller: which are there, which are wanted, and which belong to another archive."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock, links_in
from ansible_collections.airgap.images.plugins.module_utils._archive.names import (
    is_file_name,
    lacking_links,
    lacks_links,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.output import DIR, LOCK_SUFFIX
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._publish.failed_list import is_failed_list
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item, Place, explain
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.renamed import find_renamed
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.names import names_of, parity_names_of


@dataclass(frozen=True)
class Delivery:
    """The work to be done on the controller.

    :param items: all files, in the order in which they are published: the lock file is the last.
    :param wanted: those that are not there by their final names with the right content.
    :param coming: those wanted that have to be transferred; the others arrived in an earlier run, or are renamed.
    :param renamed: the paths of those wanted that are there under other names, as numbers of parts shift: under their
        final names until then, or set aside by a run that was interrupted.
    :param stale: paths of files that look like files of this archive, but are not.
    :param is_layout: whether the archive is a directory (C(compress=dir)).
    :param links: the links that make it and its subdirectories image layouts: their targets by their names below it.
    :param lacks_link: whether one of them is missing.
    """

    place: Place
    items: tuple[Item, ...]
    wanted: tuple[Item, ...]
    coming: tuple[Item, ...]
    renamed: Mapping[Item, str]
    stale: tuple[str, ...]
    is_layout: bool
    links: Mapping[str, str]
    lacks_link: bool

    @property
    def goes_without_link(self) -> bool:
        """True if links are left out because the filesystem has none."""
        return self.is_layout and lacks_links(self.place.root)

    @property
    def is_change(self) -> bool:
        """True if anything under a final name will be different."""
        return bool(self.wanted or self.stale or self.lacks_link)


def is_layout(lock: Lock | None) -> bool:
    """Return True if the archive is a directory."""
    return lock is not None and lock.options.get("compress") == DIR


def items_of(lock: Lock, source: str) -> list[Item]:
    """List the files of an archive, in the order of its lock file.

    :param source: path of the archive on the host.
    :raises LockFileError: when it lists one that this archive cannot have: it could replace another file.
    """
    folder, archive = os.path.split(source)
    names = names_of(lock, archive, where=f"{source}{LOCK_SUFFIX}")
    return [Item(os.path.join(folder, name), name, part.size, part.sha256) for part, name in zip(lock.parts, names)]


def parity_items_of(lock: Lock, source: str) -> list[Item]:
    """List the parity files of an archive; see :func:`items_of`."""
    folder, archive = os.path.split(source)
    names = parity_names_of(lock, archive, where=f"{source}{LOCK_SUFFIX}")
    return [Item(os.path.join(folder, name), name, file.size, file.sha256) for file, name in zip(lock.parity, names)]


def compare(
    place: Place, items: Sequence[Item], *, lock: Lock | None, failed_list: str | None, untrue: Iterable[str] = ()
) -> Delivery:
    """Compare the files of an archive with those on the controller.

    :param lock: of the archive; ``None`` if only a list of failed images is fetched.
    :param failed_list: name of that list on the controller; one that is not among the items is removed.
    :param untrue: paths of files that belong to another archive unless the items have them.
    :raises OptionError: when something is in the way that is not an archive or a list.
    :raises StorageError: when something cannot be read.
    """
    wanted = tuple(item for item in items if not place.holds(place.final(item), item))
    links = links_in(lock) if lock and is_layout(lock) else {}
    try:
        if lock:
            _refuse_foreign_root(place, {place.final(item) for item in {*items} - {*wanted}}, links)
        others = _other_files(place, items, links) if lock else []
        lacking = [item for item in wanted if not place.holds(place.temporary(item), item)]
        renamed = {} if links else _renamed(place, lacking, [*others, *map(place.final, wanted)])
        used = {*renamed.values()}
        stale = [path for path in others if path not in used]
        ours = {place.final(item) for item in items}
        stale += [path for path in untrue if path not in ours and os.path.lexists(path) and not os.path.isdir(path)]
        if failed_list is not None:
            stale += _stale_list(place, items, failed_list)
    except OSError as error:
        raise explain(error, place.directory) from error
    return Delivery(
        place=place,
        items=tuple(items),
        wanted=wanted,
        coming=tuple(item for item in lacking if item not in renamed),
        renamed=renamed,
        stale=tuple(stale),
        is_layout=is_layout(lock),
        links=links,
        lacks_link=bool(lacking_links(place.root, links)),
    )


def _renamed(place: Place, items: Sequence[Item], paths: Sequence[str]) -> dict[Item, str]:
    """Find items that are set aside, or in files of this archive that have another number."""
    aside = {item: place.kept(item) for item in items if place.holds(place.kept(item), item)}
    parts = [path for path in paths if is_file_name(place.archive, os.path.relpath(path, place.directory))]
    return {**aside, **find_renamed(place, [item for item in items if item not in aside], parts)}


def _refuse_foreign_root(place: Place, held: set[str], links: Mapping[str, str]) -> None:
    """Make sure that the file or directory to be replaced is an archive.

    :param held: paths of files that have the right content.
    :param links: those of the archive; empty unless it is a directory.
    """
    root, record, layout = place.root, f"{place.root}{LOCK_SUFFIX}", bool(links)
    if not layout and os.path.isdir(root):
        raise OptionError(f"{root} on the controller is a directory, but the archive is a file; move it away")
    if not layout or not os.path.lexists(root):
        return
    if os.path.islink(root) or not os.path.isdir(root):
        raise OptionError(f"{root} on the controller is not a directory, but the archive is one; move it away")
    # Without a lock file, publishing may have been interrupted; then all files are its own.
    if not os.path.lexists(record) and not held.issuperset(_files_of(place, links)):
        raise OptionError(f"{root} on the controller was not fetched ({record} not found); move it away")


def _stale_list(place: Place, items: Iterable[Item], name: str) -> list[str]:
    """Return the path of a list of failed images that is to be removed; make sure that one to be replaced is a list.

    :raises OptionError: when it is something else.
    """
    path = os.path.join(place.directory, name)
    if not any(item.name == name for item in items):
        return [path] if is_failed_list(path) else []
    if os.path.exists(path) and os.path.getsize(path) and not is_failed_list(path):
        raise OptionError(f"{path} on the controller is not a list of failed images; move it away")
    return []


def _other_files(place: Place, items: Iterable[Item], links: Mapping[str, str]) -> list[str]:
    """Return the paths of files that look like files of this archive, but are not."""
    ours = {place.final(item) for item in items}
    return sorted(path for path in _files_of(place, links) if path not in ours)


def _files_of(place: Place, links: Mapping[str, str]) -> Iterator[str]:
    if links:
        lacking = {*lacking_links(place.root, links)}
        known = {os.path.join(place.root, name) for name in links if name not in lacking}
        for folder, folders, files in os.walk(place.root, onerror=_fail):
            linked = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            paths = [os.path.join(folder, name) for name in [*files, *linked]]
            yield from (path for path in paths if path not in known)
        return
    if os.path.lexists(place.directory):
        for name in os.listdir(place.directory):
            path = os.path.join(place.directory, name)
            if is_file_name(place.archive, name) and (os.path.islink(path) or not os.path.isdir(path)):
                yield path


def _fail(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
