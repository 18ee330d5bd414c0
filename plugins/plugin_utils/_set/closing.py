# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a run that is shared out over hosts: their archives become a set on the controller."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.airgap.images.plugins.module_utils._archive.bases import BaseArchive
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock
from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    InvalidReferenceError,
    StorageError,
    printable,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._lists.merged_lock import covered
from ansible_collections.airgap.images.plugins.plugin_utils._set import names, notices
from ansible_collections.airgap.images.plugins.plugin_utils._set.changes import difference
from ansible_collections.airgap.images.plugins.plugin_utils._set.members import Members, members_of, next_record
from ansible_collections.airgap.images.plugins.plugin_utils._set.orphans import find_orphans, remove_orphans
from ansible_collections.airgap.images.plugins.plugin_utils._set.planned import Planned
from ansible_collections.airgap.images.plugins.plugin_utils._set.record import Record
from ansible_collections.airgap.images.plugins.plugin_utils._set.shelf import Content, Shelf, content_of
from ansible_collections.airgap.images.plugins.plugin_utils._set.spared import references_in


@dataclass(frozen=True)
class Ending:
    """The state of all hosts at the end of a run. Only names of the inventory and numbers are in it.

    :param play: the hosts that the play began with.
    :param inventory: all hosts of the inventory.
    :param taken_over: hosts whose shares the others have taken over.
    :param archives: the name of each host's archive.
    :param done: the hosts that have saved their shares.
    :param failed: the hosts that have tried, and failed.
    :param sharing: those that have an archive.
    :param needless: those that say that earlier archives have all of their shares, and so have none.
    :param carried: these earlier archives.
    :param planned: what the hosts foresee, in check mode.
    :param lines: the list of all hosts together; empty if it was not read in this run.
    :param shares: the lines of each host; empty in that case.
    """

    play: Sequence[str]
    inventory: Collection[str]
    taken_over: Collection[str]
    archives: Mapping[str, str]
    done: Collection[str]
    failed: Collection[str]
    sharing: Sequence[str]
    lines: Sequence[str]
    shares: Mapping[str, Sequence[str]]
    needless: Collection[str] = ()
    carried: Sequence[BaseArchive] = ()
    planned: Planned = field(default_factory=Planned)

    @property
    def spared(self) -> frozenset[str]:
        """The references that no archive of this run has, as earlier ones have them.

        :raises StorageError: when a host has no archive, although not all of its share was carried before.
        """
        references = references_in(self.carried)
        spared: set[str] = set()
        for host in self.needless:
            share = [reference for line in self.shares.get(host, ()) if (reference := _full(line))]
            new = [reference for reference in share if reference not in references]
            if new:
                raise StorageError(
                    f"{host} says that earlier archives have all of its share, but {printable(new[0], 500)} is not in "
                    "any of image_save_since; run again"
                )
            spared.update(share)
        return frozenset(spared)


@dataclass(frozen=True)
class Closing:
    """Writes the files of a set, or says why there is none.

    :param media: the directory of the set on the controller; empty: nothing is fetched.
    :param removes_orphans: whether archives that are no longer part of the set are removed.
    :param is_check: whether nothing may be changed (C(--check)).
    :param is_current: whether what was fetched is what the hosts have; in check mode it may not be.
    :param is_diff: whether the difference is returned, too (C(--diff)).
    :param before: the lock file of the set before this run, for C(--diff), as the fetch may have removed it since;
        empty: it is not known.
    """

    media: str
    ticker: Ticker
    removes_orphans: bool
    is_check: bool
    is_current: bool
    is_diff: bool
    before: bytes = b""

    def run(self, ending: Ending) -> dict[str, Any]:
        """Close the run.

        :returns: what the task returns.
        :raises ImagesError: when the record cannot be read, or a file cannot be read or written.
        """
        shelf = Shelf(self.media)
        record = shelf.record() if self.media else Record()
        members = members_of(record, play=ending.play, inventory=ending.inventory, taken_over=ending.taken_over)
        is_changed = self._keep_record(shelf, record, members, ending) if self.media else False
        dead = [host for host in members.present if host not in {*ending.done, *ending.failed}]
        failed = [host for host in members.present if host in ending.failed]
        if dead or failed:
            # The message names the first ones. All in the result of a task that fails would fill the screen.
            for host in (*dead, *failed):
                for line in ending.shares.get(host, ()):
                    self.ticker.detail(f"not saved by {host} in this run: {line}")
            told = [notices.notice_of_missing(dead, ending.shares)] if dead else []
            told += [notices.notice_of_failed(failed, ending.shares)] if failed else []
            return {"failed": True, "changed": is_changed, "msg": ". ".join(told)}
        if not self.media:
            closed = {}
        elif self.is_current:
            closed = self._write(shelf, members, record, ending)
        else:
            closed = self._foresee(ending.planned)
        return {"missing": {}, **closed, "changed": is_changed or bool(closed.get("changed"))}

    def _keep_record(self, shelf: Shelf, record: Record, members: Members, ending: Ending) -> bool:
        """Write the record of the set, name the archives that are no longer part of it, and remove them on request.

        :returns: True if anything was changed, or would be.
        """
        idle = {
            host: ending.archives[host]
            for host in members.present
            if host in ending.done and host in ending.archives and ending.shares and not ending.shares.get(host)
        }
        orphans = find_orphans(self.media, {**members.left, **idle})
        for host in orphans:
            if not self.removes_orphans:
                self.ticker.warn(notices.notice_of_orphan(host, os.path.join(self.media, host)))
        left = {} if self.removes_orphans else {host: name for host, name in members.left.items() if host in orphans}
        coming = next_record(record, members, shares=ending.shares, archives=ending.archives)
        coming = replace(coming, left=left)
        if self.is_check:
            return self.removes_orphans and bool(orphans)
        if self.removes_orphans:
            remove_orphans(self.media, orphans)
        if ending.shares:
            shelf.put_record(coming)
        return self.removes_orphans and bool(orphans)

    def _foresee(self, planned: Planned) -> dict[str, Any]:
        """Say in check mode what is known of a set whose archives are not here yet."""
        if not planned.hosts:
            return {}
        line = notices.of_plan(planned, self.media)
        self.ticker.say(line)
        return {"changed": planned.writes, "msg": f"{notices.WHO}: {line}"}

    def _write(self, shelf: Shelf, members: Members, record: Record, ending: Ending) -> dict[str, Any]:
        """Write the files of the set, unless hosts that were left out of this run lack images of the list."""
        archives = {host: record.archives.get(host, "") for host in members.absent}
        archives.update((host, ending.archives[host]) for host in ending.sharing if host in members.present)
        locks = shelf.locks(archives)
        lost = [host for host in ending.sharing if host in members.present and host not in locks]
        if lost:
            raise StorageError(f"lock file of {', '.join(lost)} not found below {self.media}; run again")
        lacking = self._lacking(members, locks, archives, ending)
        if lacking:
            line = notices.notice_of_gap(lacking)
            self.ticker.warn(line)
            return {"changed": False, "msg": f"{notices.WHO}: {line}", "missing": lacking}
        if not locks:
            return {}
        content = content_of(
            locks,
            archives,
            [line for line in ending.lines if _full(line) not in ending.spared],
            spared=ending.spared,
            carried=ending.carried,
        )
        before = self.before or shelf.old_lock()
        changed = shelf.differing(content.files) if self.is_check else shelf.put(content.files)
        line = notices.of_set(content, self.media, check=self.is_check)
        self.ticker.say(line)
        return {"changed": bool(changed), "msg": f"{notices.WHO}: {line}", **self._paths(content, before)}

    def _lacking(
        self, members: Members, locks: Mapping[str, bytes], archives: Mapping[str, str], ending: Ending
    ) -> dict[str, list[str]]:
        """List the lines of hosts that are left out which their archives of earlier runs do not cover, by host."""
        lacking = {}
        for host in members.absent:
            lock = read_lock(locks[host], path=archives[host]) if host in locks else None
            known = {"", *(covered(lock) if lock else ())}
            lacking[host] = [line for line in ending.shares.get(host, []) if _full(line) not in known]
        return {host: lines for host, lines in lacking.items() if lines}

    def _paths(self, content: Content, before: bytes) -> dict[str, Any]:
        path = os.path.join(self.media, names.LOCK)
        said: dict[str, Any] = {
            "files": [os.path.join(self.media, name) for name in names.CARRIED],
            "report_file": os.path.join(self.media, names.REPORT),
            "restore_file": os.path.join(self.media, names.RESTORE),
            "lock_file": path,
        }
        return {**said, "diff": difference(path, before, content.files[names.LOCK])} if self.is_diff else said


def _full(line: str) -> str:
    """Return a line as lock files have it; empty if it is not a reference."""
    try:
        return str(parse_reference(line))
    except InvalidReferenceError:
        return ""
