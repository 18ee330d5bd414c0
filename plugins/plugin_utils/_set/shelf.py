# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a set on the controller: its record, the lock files of its hosts, and what is written from them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.airgap.images.plugins.module_utils._archive.bases import BaseArchive
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.output import LOCK_SUFFIX
from ansible_collections.airgap.images.plugins.module_utils._archive.referrers import images_only
from ansible_collections.airgap.images.plugins.module_utils._base.errors import StorageError
from ansible_collections.airgap.images.plugins.module_utils._host.disk_errors import explained
from ansible_collections.airgap.images.plugins.module_utils._host.files import open_regular, put_whole
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.bounds import LARGEST_RECORD
from ansible_collections.airgap.images.plugins.plugin_utils._lists.merged_lock import merge
from ansible_collections.airgap.images.plugins.plugin_utils._set import names
from ansible_collections.airgap.images.plugins.plugin_utils._set.documents import merged_index, merged_list
from ansible_collections.airgap.images.plugins.plugin_utils._set.record import Record, read_record, write_record
from ansible_collections.airgap.images.plugins.plugin_utils._set.report import set_report
from ansible_collections.airgap.images.plugins.plugin_utils._set.restore import Archive, set_script
from ansible_collections.airgap.images.plugins.plugin_utils._set.spared import with_spared


@dataclass(frozen=True)
class Content:
    """The content of the files of a set.

    :param archives: of all hosts.
    :param files: the bytes of each file by its name, in the order in which they are written.
    :param images: number of references in the set.
    """

    archives: tuple[Archive, ...]
    files: Mapping[str, bytes]
    images: int

    @property
    def parts(self) -> int:
        return sum(len(archive.lock.parts) for archive in self.archives)

    @property
    def size(self) -> int:
        return sum(archive.size for archive in self.archives)


def content_of(
    locks: Mapping[str, bytes],
    archives: Mapping[str, str],
    lines: Iterable[str],
    *,
    spared: Collection[str] = (),
    carried: Sequence[BaseArchive] = (),
) -> Content:
    """Make the files of a set. Pure.

    :param locks: the lock file of each host.
    :param archives: the name of each host's archive.
    :param lines: the list that all of them together have to cover.
    :param spared: references that no host has to carry, and so none has in its archive.
    :param carried: the archives that have these.
    :raises LockFileError: when they do not, or one of them is not a lock file.
    """
    raw = merge({f"{host}/{archives[host]}{LOCK_SUFFIX}": lock for host, lock in locks.items()}, lines)
    merged = read_lock(raw, path=names.LOCK)
    made = tuple(
        Archive(host, archives[host], read_lock(locks[host], path=f"{host}/{archives[host]}{LOCK_SUFFIX}"))
        for host in sorted(locks)
    )
    everything = with_spared(merged, spared, carried)
    documents = {names.INDEX: merged_index(everything), names.LIST: merged_list(everything)}
    files = {
        names.REPORT: set_report(made, merged),
        names.RESTORE: set_script(made, everything, documents),
        **documents,
        names.LOCK: raw,
    }
    return Content(made, files, len(images_only(merged.images)))


class Shelf:
    """The directory of a set on the controller.

    :param media: absolute path.
    """

    def __init__(self, media: str) -> None:
        self.media = media

    def record(self) -> Record:
        """Read the record of earlier runs.

        :returns: an empty one if there is none.
        :raises OptionError: when it is not a record.
        """
        path = os.path.join(self.media, names.RECORD)
        raw = _read(path)
        return Record() if raw is None else read_record(raw, path=path)

    def locks(self, archives: Mapping[str, str]) -> dict[str, bytes]:
        """Read the lock files of hosts whose archives were fetched.

        :param archives: the name of each host's archive; an empty one: not known.
        """
        found = {
            host: _read(os.path.join(self.media, host, f"{name}{LOCK_SUFFIX}"))
            for host, name in archives.items()
            if name
        }
        return {host: raw for host, raw in found.items() if raw is not None}

    def locks_of_set(self, record: Record) -> list[bytes]:
        """Return the lock file of the set, if there is one, and those of its hosts; what is later counts more.

        That of the set has each blob once, also if several hosts have it.

        :raises StorageError: when that of a host cannot be read.
        """
        left, hosts = self.locks(record.left).values(), self.locks(record.archives).values()
        return [raw for raw in (*left, self.old_lock(), *hosts) if raw]

    def put_record(self, record: Record) -> None:
        """Write the record, if it differs.

        :raises StorageError: when it cannot be written.
        """
        self.put({names.RECORD: write_record(record)})

    def differing(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return those of some files that are missing or have other content."""
        return {name: raw for name, raw in files.items() if self._old(name) != raw}

    def old_lock(self) -> bytes:
        """Return the lock file of the set as it is; empty if there is none that can be read."""
        return self._old(names.LOCK) or b""

    def _old(self, name: str) -> bytes | None:
        """Read a file that is replaced whatever it is."""
        try:
            return _read(os.path.join(self.media, name))
        except StorageError:
            return None

    def put(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """Write files that differ, in their order.

        :returns: those that differed.
        :raises StorageError: when one cannot be written.
        """
        changed = self.differing(files)
        for name, raw in changed.items():
            path = os.path.join(self.media, name)
            try:
                os.makedirs(self.media, exist_ok=True)
                put_whole(path, raw)
            except OSError as error:
                raise explained(f"cannot write {path} on the controller", error) from error
        return changed


def _read(path: str) -> bytes | None:
    """Read a file; ``None`` if there is none.

    :raises StorageError: when it cannot be read.
    """
    try:
        with open_regular(path) as file:
            return file.read(LARGEST_RECORD + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise explained(f"cannot read {path} on the controller", error) from error
