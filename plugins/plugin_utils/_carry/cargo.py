# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files on the controller that are copied to a host: lock files and parts of archives."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.airgap.images.plugins.module_utils._archive.output import DIR
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_count, format_size
from ansible_collections.airgap.images.plugins.module_utils._host.files import open_regular, sha256_of
from ansible_collections.airgap.images.plugins.module_utils._source.errors import SourceError, cannot_read
from ansible_collections.airgap.images.plugins.module_utils._source.find import FoundArchive, find_archives
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.names import check_remote

Hash = Callable[[str], str]


@dataclass(frozen=True)
class Item:
    """A file that is copied.

    :param path: on the controller.
    :param name: of the file in the directory on the host.
    :param sha256: hex digits that it must have.
    """

    path: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Cargo:
    """Everything that is copied.

    :param items: the small files first.
    :param sources: the names of the files that the load is given, one for each archive.
    :param references: those in the lock files of the archives; empty if one has no lock file.
    """

    items: tuple[Item, ...]
    sources: tuple[str, ...]
    references: frozenset[str] = frozenset()

    def foreseen(self, coming: Sequence[Item], directory: str) -> str:
        """Say in check mode what would be copied, and what is known of the load after that.

        :param coming: the files that the host lacks.
        :param directory: on the host.
        """
        files = f"{format_count(len(coming), 'file')} ({format_size(sum(item.size for item in coming))})"
        images = f" with {format_count(len(self.references), 'image')}" if self.references else ""
        return (
            f"would copy {files} to {directory}, of {format_count(len(self.sources), 'archive')}{images}. What would "
            "be loaded of that can be determined once the files are there"
        )


def cargo_of(sources: Sequence[str], directory: str, *, sha256: Hash = sha256_of) -> Cargo:
    """Find what is to be copied. Parts that are not there yet are left out: a later stick may bring them.

    :param sources: paths on the controller.
    :param directory: on the host.
    :param sha256: hashes a part of an archive that has neither a lock file nor a checksum file.
    :raises OptionError: when two different files have one name, or an archive is a directory.
    :raises SourceError: when a path does not lead to an archive, or a file cannot be read.
    :raises LockFileError: when a lock file is not valid.
    """
    found: dict[str, Item] = {}
    names: list[str] = []
    references: set[str] = set()
    has_locks = True
    try:
        for archive in find_archives([os.path.expanduser(path) for path in sources]):
            items = [*_items(archive, sha256)]
            names.append(items[0].name)
            references.update(str(image.reference) for image in (archive.lock.images if archive.lock else ()))
            has_locks = has_locks and archive.lock is not None
            for item in items:
                check_remote("image_load_controller_src", os.path.join(directory, item.name))
                before = found.setdefault(item.name, item)
                if before.sha256 != item.sha256:
                    raise OptionError(
                        f"image_load_controller_src: {before.path} and {item.path} are different files of one name; "
                        "load one after the other, or copy them to the host and name them in image_load_src."
                    )
    except SourceError as error:
        raise SourceError(f"image_load_controller_src, on the controller: {error}") from error
    return Cargo(
        items=tuple(sorted(found.values(), key=lambda item: item.size)),
        sources=tuple(dict.fromkeys(names)),
        references=frozenset(references if has_locks else ()),
    )


def temporary_of(name: str, host: str) -> str:
    """Return the name of a file on its way; hosts that share a disk have different ones."""
    return f".{name}.{hashlib.sha256(host.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}.new"


def _items(archive: FoundArchive, sha256: Hash) -> Iterator[Item]:
    """Yield the lock file of an archive, if there is one, and the parts that are there."""
    if archive.compress == DIR:
        raise OptionError(
            f"image_load_controller_src: {archive.path} is an unpacked directory, whose files would be copied one by "
            "one. Copy it to the host with a tool such as rsync, and name it in image_load_src."
        )
    try:
        if archive.lock is not None:
            yield _lock_file(archive)
        for part in archive.parts:
            if part.path:
                size = os.path.getsize(part.path)
                yield Item(part.path, part.name, size, part.sha256 or sha256(part.path))
    except OSError as error:
        raise cannot_read(error.filename or archive.path, error) from error


def _lock_file(archive: FoundArchive) -> Item:
    with open_regular(archive.path) as file:
        raw = file.read()
    return Item(archive.path, os.path.basename(archive.path), len(raw), hashlib.sha256(raw).hexdigest())
