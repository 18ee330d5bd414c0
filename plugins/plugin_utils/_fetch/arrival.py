# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive's files on the controller: which are there, which are wanted, and how they get their final names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock, links_in
from ansible_collections.airgap.images.plugins.module_utils._archive.name_clashes import (
    archive_spelled_otherwise,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.names import (
    is_part_name,
    lacking_links,
    lacks_links,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.output import DIR, LOCK_SUFFIX
from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    ImageSaveError,
    OptionError,
    SpaceError,
    StorageError,
)
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_bytes, format_size, handy_size
from ansible_collections.airgap.images.plugins.module_utils._host.files import (
    keep_from_others,
    sync_directory,
)
from ansible_collections.airgap.images.plugins.module_utils._host.filesystem import (
    filesystem_of,
    link_if_possible,
    spelled_otherwise,
)
from ansible_collections.airgap.images.plugins.module_utils._host.space import free_bytes, require
from ansible_collections.airgap.images.plugins.module_utils._publish.failed_list import is_failed_list
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item, Place, explain
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.names import names_of


@dataclass(frozen=True)
class Delivery:
    """What there is to do on the controller, compared once.

    :param items: all files, in the order in which they are published: the lock file is the last.
    :param wanted: those that do not stand under their final names with the right content.
    :param coming: those of them that have to be transferred; the others have arrived in an earlier run.
    :param stale: paths of files that a reader would take for this archive, and that are none of it.
    :param is_layout: whether the archive is a directory (C(compress=dir)).
    :param links: the links that make it and what is in it image layouts: their targets by their names below it.
    :param lacks_link: whether one of them is not there.
    """

    place: Place
    items: tuple[Item, ...]
    wanted: tuple[Item, ...]
    coming: tuple[Item, ...]
    stale: tuple[str, ...]
    is_layout: bool
    links: Mapping[str, str]
    lacks_link: bool

    @property
    def goes_without_link(self) -> bool:
        """Whether that link is left out because there are none on the filesystem."""
        return self.is_layout and lacks_links(self.place.root)

    @property
    def is_change(self) -> bool:
        """Whether anything under a final name will be different."""
        return bool(self.wanted or self.stale or self.lacks_link)


def is_layout(lock: Lock | None) -> bool:
    """Whether the archive is a directory."""
    return lock is not None and lock.options.get("compress") == DIR


def items_of(lock: Lock, source: str) -> list[Item]:
    """The files of an archive, as its lock file counts them.

    :param source: path of the archive on the host.
    :raises LockFileError: when it names one that this archive cannot have: it could replace another file.
    """
    folder, archive = os.path.split(source)
    names = names_of(lock, archive, where=f"{source}{LOCK_SUFFIX}")
    return [Item(os.path.join(folder, name), name, part.size, part.sha256) for part, name in zip(lock.parts, names)]


def compare(
    place: Place, items: Sequence[Item], *, lock: Lock | None, failed_list: str | None, untrue: Iterable[str] = ()
) -> Delivery:
    """Find out what is wanted, and what is of another archive.

    :param lock: of the archive; ``None`` where only a failed list is fetched.
    :param failed_list: name of the failed list on the controller; one that is not among the items is removed.
    :param untrue: paths of what is of another archive, where the items do not have it.
    :raises OptionError: when something stands in the way that is nobody's archive or list.
    :raises StorageError: when something cannot be read.
    """
    wanted = tuple(item for item in items if not place.holds(place.final(item), item))
    links = links_in(lock) if lock and is_layout(lock) else {}
    try:
        if lock:
            _refuse_foreign_root(place, {place.final(item) for item in {*items} - {*wanted}}, links)
        stale = _other_files(place, items, links) if lock else []
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
        coming=tuple(item for item in wanted if not place.holds(place.temporary(item), item)),
        stale=tuple(stale),
        is_layout=is_layout(lock),
        links=links,
        lacks_link=bool(lacking_links(place.root, links)),
    )


def ensure_space(place: Place, coming: Sequence[Item]) -> None:
    """Refuse to begin what cannot end well.

    :param coming: what is to be transferred; one of them may be as large as what is cut off before the run ends.
    :raises SpaceError: says what is needed, what is free, and where.
    :raises StorageError: when that cannot be told.
    """
    directory = place.directory
    try:
        free = free_bytes(directory)
    except OSError as error:
        raise explain(error, directory) from error
    needed = sum(item.size for item in coming) + max((item.most - item.size for item in coming), default=0)
    require(f"{directory} on the controller", free, needed, otherwise="or choose another directory")


def ensure_fits(delivery: Delivery) -> None:
    """Refuse files that the filesystem ends before they end: FAT32 takes 4 GiB less one byte.

    :raises OptionError: names the first, and a size of parts that fits.
    """
    directory = delivery.place.directory
    longest = max(delivery.coming, key=lambda item: item.size, default=None)
    if longest is None:
        return
    largest = filesystem_of(directory).largest_file
    if longest.size > largest:
        remedy = "" if delivery.is_layout else f"save with a part_size of {handy_size(largest)}, or "
        raise OptionError(
            f"{longest.name} has {format_bytes(longest.size)}, and a file in {directory} on the controller may have "
            f"{format_bytes(largest)} at most; {remedy}choose a directory on another filesystem"
        )


def refuse_other_spelling(place: Place) -> None:
    """Where ``A`` and ``a`` are one name, refuse a directory or an archive that is there by another spelling.

    :raises OptionError: says how it is spelled there.
    """
    parent, name = os.path.split(place.directory)
    found = spelled_otherwise(parent, name)
    folder = parent if found else place.directory
    found = found or archive_spelled_otherwise(place.directory, place.archive)
    if found:
        raise OptionError(
            f"{found} in {folder} on the controller would be overwritten by another spelling of its name, as its "
            "filesystem takes both for one; choose a directory on another filesystem, or names that differ"
        )


@contextmanager
def explaining_full(place: Place, item: Item) -> Iterator[None]:
    """Tell why a transfer failed, where it is that the disk has no room any more.

    :raises SpaceError: instead of what the block raises.
    """
    try:
        yield
    except StorageError as error:
        if not _is_full(place, item):
            raise
        raise SpaceError(
            f"no space left in {place.directory} on the controller for {item.name} ({format_size(item.size)}): "
            "something else has filled the disk since there was room for it. Free some space, then run again; what has "
            f"arrived is kept ({error})"
        ) from error


def _is_full(place: Place, item: Item) -> bool:
    """Whether there is no room for the rest of a file that is on its way."""
    path = place.temporary(item)
    try:
        arrived = os.path.getsize(path) if os.path.exists(path) else 0
        return free_bytes(place.directory) < item.size - arrived
    except OSError:
        return False


def clear_way(place: Place, item: Item) -> str:
    """Make the directory that the item arrives in, and remove what an interrupted run has left of it.

    :returns: the path to write to.
    :raises OptionError: when the directory is another's by another spelling.
    :raises StorageError: when that fails.
    """
    path = place.temporary(item)
    try:
        place.make_folder(os.path.dirname(path))
        refuse_other_spelling(place)  # of two hosts at the same time, one has made the directory
        with suppress(FileNotFoundError):
            os.unlink(path)
    except OSError as error:
        raise explain(error, path) from error
    return path


def publish(delivery: Delivery, outdated: Collection[str]) -> None:
    """Give what has arrived its final names, in the order of the items, and remove what is of another archive.

    :param outdated: paths to remove first.
    :raises StorageError: what has arrived stays for the next run.
    """
    place, removed = delivery.place, {*outdated, *delivery.stale}
    try:
        for item in delivery.wanted:  # a disk that takes no more is noticed before anything is touched
            folder = os.path.dirname(place.final(item))
            # What is of another archive goes with that.
            if not place.is_through_link(folder) and not _stands_in_the_way(folder, removed):
                place.make_folder(folder)
        for path in (*outdated, *delivery.stale):
            with suppress(FileNotFoundError):
                os.unlink(path)
        for item in delivery.wanted:
            _settle(place, item)
        if delivery.is_layout:
            _tidy_layout(place.root, delivery.links)
        discard_arrived(place)
    except OSError as error:
        raise explain(error, place.directory) from error


def _stands_in_the_way(folder: str, removed: Collection[str]) -> bool:
    """Whether a file that is to be removed stands where a directory is to be."""
    return any(folder == path or folder.startswith(f"{path}{os.sep}") for path in removed)


def discard_arrived(place: Place) -> None:
    """Remove what is on its way, which nobody waits for any more."""
    shutil.rmtree(place.incoming, ignore_errors=True)


@contextmanager
def tidy_if_refused(place: Place, records: Sequence[Item]) -> Iterator[None]:
    """Leave no hidden directory behind where nothing has come but the records, which came first."""
    try:
        yield
    except ImageSaveError:
        of_little_use = {place.temporary(record) for record in records}
        if records and of_little_use.issuperset(_files_below(place.incoming)):
            discard_arrived(place)
        raise


def _files_below(folder: str) -> Iterator[str]:
    for directory, _folders, files in os.walk(folder):
        yield from (os.path.join(directory, name) for name in files)


def _settle(place: Place, item: Item) -> None:
    """Rename a file once its bytes are on disk, so that a power cut leaves the one before or this one."""
    final = place.final(item)
    place.make_folder(os.path.dirname(final))
    _keep_from_others(place.temporary(item))
    os.replace(place.temporary(item), final)
    sync_directory(os.path.dirname(final))
    if place.memory:
        place.memory.learn(final, item.sha256)


def _keep_from_others(path: str) -> None:
    """Flush a file to disk. Whoever has brought it, and whatever umask or default ACL: not everyone may write to it."""
    with open(path, "rb") as file:
        keep_from_others(file.fileno())
        os.fsync(file.fileno())


def _tidy_layout(root: str, links: Mapping[str, str]) -> None:
    """Remove directories that nothing is left in, and make the links of the layout."""
    for folder, _folders, _files in os.walk(root, topdown=False):
        with suppress(OSError):
            os.rmdir(folder)
    for name in lacking_links(root, links):
        link = os.path.join(root, name)
        with suppress(FileNotFoundError):
            os.unlink(link)
        link_if_possible(links[name], link)


def _refuse_foreign_root(place: Place, held: set[str], links: Mapping[str, str]) -> None:
    """Make sure that what will be replaced or emptied is an archive.

    :param held: paths of files that have the right content.
    :param links: those of the archive; none where it is no directory.
    """
    root, record, layout = place.root, f"{place.root}{LOCK_SUFFIX}", bool(links)
    if not layout and os.path.isdir(root):
        raise OptionError(f"{root} on the controller is a directory, but the archive is none; move it away")
    if not layout or not os.path.lexists(root):
        return
    if os.path.islink(root) or not os.path.isdir(root):
        raise OptionError(f"{root} on the controller is no directory, but the archive is one; move it away")
    # Without a lock file, publishing may have been interrupted; then there is nothing but what it has published.
    if not os.path.lexists(record) and not held.issuperset(_files_of(place, links)):
        raise OptionError(f"{root} on the controller was not fetched (there is no {record}); move it away")


def _stale_list(place: Place, items: Iterable[Item], name: str) -> list[str]:
    """The list of what failed, where it is to be removed; where it is to be replaced, make sure that it is one."""
    path = os.path.join(place.directory, name)
    if not any(item.name == name for item in items):
        return [path] if is_failed_list(path) else []
    if os.path.exists(path) and os.path.getsize(path) and not is_failed_list(path):
        raise OptionError(f"{path} on the controller is no list of what failed, and would be replaced; move it away")
    return []


def _other_files(place: Place, items: Iterable[Item], links: Mapping[str, str]) -> list[str]:
    """Files that a reader would take for this archive, and that are none of it."""
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
            if is_part_name(place.archive, name) and (os.path.islink(path) or not os.path.isdir(path)):
                yield path


def _fail(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
