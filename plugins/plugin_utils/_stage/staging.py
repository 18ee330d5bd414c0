# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the role's variables to the list on a host."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, quoted
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._lists.selection import (
    Chosen,
    Source,
    choose,
    compile_choice,
    origins_of,
    source_of_items,
)
from ansible_collections.airgap.images.plugins.plugin_utils._set import notices
from ansible_collections.airgap.images.plugins.plugin_utils._set.members import Members, members_of
from ansible_collections.airgap.images.plugins.plugin_utils._set.record import Record
from ansible_collections.airgap.images.plugins.plugin_utils._set.shelf import Shelf
from ansible_collections.airgap.images.plugins.plugin_utils._stage.checks import Play
from ansible_collections.airgap.images.plugins.plugin_utils._stage.lists import sources_of_controller, sources_of_host
from ansible_collections.airgap.images.plugins.plugin_utils._stage.lock_file import (
    pinned,
    read_lock_file,
    references_of,
    staged_lock,
)
from ansible_collections.airgap.images.plugins.plugin_utils._stage.options import Options, Paths, paths_of
from ansible_collections.airgap.images.plugins.plugin_utils._stage.pool import Pool, read_shares
from ansible_collections.airgap.images.plugins.plugin_utils._stage.request import read_given, refuse_no_host
from ansible_collections.airgap.images.plugins.plugin_utils._stage.sharing import Sharer
from ansible_collections.airgap.images.plugins.plugin_utils._stage.since import read_base, staged_files
from ansible_collections.airgap.images.plugins.plugin_utils._stage.target import Directory, Target

_ROOT = 0


@dataclass(frozen=True)
class Stager:
    """Stages the list of one host.

    :param find: returns the path of a file on the controller, or None if there is none.
    :param pool: the lists of all hosts of this call.
    :param access: returns the options of the module that say how to reach registries.
    """

    options: Options
    target: Target
    ticker: Ticker
    play: Play
    find: Callable[[str], str | None]
    pool: Pool
    access: Callable[[], Mapping[str, Any]]

    def read(self) -> None:
        """Read the lists of this host, to be shared out with those of all hosts.

        :raises ImagesError: when one of them cannot be read.
        """
        self.pool.put(self.play.host, self._sources())

    def stage(self) -> dict[str, Any]:
        """Choose the images of this host, and write its list.

        :returns: what the task returns.
        :raises ImagesError: when there is nothing to save, or the host does not let it be written or fetched.
        """
        paths = paths_of(self.options, self.play.host)
        login = self._refuse_what_cannot_be_fetched(paths.directory)
        if self.options.request:
            return self._stage_request(paths, login)
        share, origins, shared = self._share()
        bases = self._bases(paths)
        arguments = {**self._arguments(paths, share), **({"files": bases} if bases else {})}
        must_be_open = self.options.fetch and login is None
        seen, shown = self.target.write(
            {**arguments, "directory": paths.directory, "write": True, "must_be_open": must_be_open}
        )
        if must_be_open:
            self._refuse_closed(seen, paths.directory)
        are_staged = bool(shown.pop("has_files", False))
        return {
            **shown,
            "count": len(share),
            **self._for_the_module(paths, share, is_staged=not self.target.is_check or not shown["changed"]),
            "since": self._since_for_the_module(bases, are_staged=are_staged),
            "origins": origins,
            "shares_file": shared,
            "is_other_user": _are_others(login or seen, seen),
        }

    def _stage_request(self, paths: Paths, login: Directory | None) -> dict[str, Any]:
        """Stage a request on the host whose archive it is for; on all others, there is nothing to do."""
        given = read_given(self.options.request, self.find)
        refuse_no_host(given, [paths_of(self.options, host).archive for host in self.play.all])
        is_ours = given.is_for(paths.archive)
        raw_lock = self._lock_file() if self.options.from_lock_file else None
        files = given.staged(os.path.join(paths.since_dir, "request"), raw_lock) if is_ours else {}
        must_be_open = self.options.fetch and login is None
        seen, shown = self.target.write(
            {
                **({"files": files} if files else {}),
                "directory": paths.directory,
                "write": True,
                "must_be_open": must_be_open,
            }
        )
        if must_be_open:
            self._refuse_closed(seen, paths.directory)
        are_staged = bool(shown.pop("has_files", False))
        if is_ours and not are_staged:
            self.ticker.warn(
                "image_save_request: it is not on the host yet, and check mode does not copy it there, so nothing is "
                "foreseen"
            )
        staged = [*files] if are_staged else []
        return {
            **shown,
            "count": len(staged),
            "share": [],
            "from_lock": staged[1] if len(staged) > 1 else self.options.from_lock,
            "request": staged[0] if staged else "",
            "requested": given.fetched(paths.archive, self.options.compress) if staged else [],
            "since": [],
            "origins": [],
            "shares_file": "",
            "is_other_user": _are_others(login or seen, seen),
        }

    def _arguments(self, paths: Paths, share: list[str]) -> dict[str, Any]:
        """Return what is staged on the host: the list or the lock file, and the archive that is taken over."""
        formerly = {"formerly": paths.formerly, "archive": paths.archive} if paths.formerly else {}
        if self.options.from_lock:
            return formerly
        text = "".join(f"{line}\n" for line in share)
        if self.options.from_lock_file:
            text = staged_lock(self._lock_file(), share)
        return {**formerly, "list_file": paths.list_file, "text": text}

    def _for_the_module(self, paths: Paths, share: list[str], *, is_staged: bool) -> dict[str, Any]:
        """Return what the module saves: C(share), lines instead of a list that check mode does not write, and
        C(from_lock), the path of a lock file on the host.

        :param is_staged: whether the list or the lock file is on the host.
        """
        if not self.options.from_lock_file:
            return {"share": share if self.target.is_check else [], "from_lock": self.options.from_lock}
        if is_staged:
            return {"share": [], "from_lock": paths.list_file}
        return {"share": pinned(self._lock_file(), share), "from_lock": ""}

    def _bases(self, paths: Paths) -> dict[str, str]:
        """Return the files that a bundle rests on, by their paths on the host."""
        files, why_full = read_base(self.options.since, self.options.since_missing, self.find)
        if why_full:
            self.ticker.warn(f"the archive is full, as image_save_since_missing is full: {why_full}")
        return staged_files(files, paths.since_dir)

    def _since_for_the_module(self, bases: dict[str, str], *, are_staged: bool) -> list[str]:
        if bases and not are_staged:  # in check mode, which writes nothing on the host
            self.ticker.warn(
                "image_save_since: its files are not on the host yet, and check mode does not copy them there, so a "
                "full archive is foreseen"
            )
            return []
        return [*bases]

    def _lock_file(self) -> bytes:
        return read_lock_file(self.options.from_lock_file, self.find)

    def _refuse_what_cannot_be_fetched(self, directory: str) -> Directory | None:
        """Refuse a directory from which the user who logs in could not fetch, where that can be known beforehand.

        :returns: the directory as that user sees it, if another one may save.
        :raises OptionError: says what to change.
        """
        if not self.options.fetch:
            return None
        login = self.target.look_as_login(directory) if self.target.becomes else None
        if self.options.names_home:
            saver = self.target.look(directory)
            if _are_others(login or saver, saver):
                raise OptionError(
                    "image_save_dest, image_save_failed_list: '~' is the home of the user who saves, but files are "
                    "fetched as the user who logs in, because that is never done with become; give an absolute path."
                )
        if login is not None:
            self._refuse_closed(login, directory)
        return login

    def _refuse_closed(self, seen: Directory, directory: str) -> None:
        if seen.is_closed:
            raise OptionError(
                f"{self.target.name}: the user who logs in cannot enter {directory}, so the archive could not be "
                "fetched from there, because files are never fetched with become. Let the user in, or choose another "
                "image_save_dest."
            )

    def _share(self) -> tuple[list[str], list[str], str]:
        """Choose the lines of this host.

        :returns: them, where each of them is in the lists of the user, and the path of the file with the shares of all
            hosts, if there are several.
        :raises OptionError: when the choice of all hosts is empty.
        """
        options = self.options
        if options.from_lock:
            return [], [], ""
        shared = ""
        if options.distribute:
            record = Shelf(options.media).record() if options.media else Record()
            members = members_of(
                record, play=self.play.all, inventory=self.play.inventory, taken_over=options.take_over
            )
            shared = self.pool.share(
                members.all,
                self.play.running,
                include=options.include,
                exclude=options.exclude,
                share_out=self._sharer(record, members).share_out,
            )
            chosen, shares = read_shares(shared)
            share = shares.get(self.play.host, [])
            self._show_hosts(members, shares)
        else:
            chosen = choose(self._sources(), compile_choice(options.include, options.exclude))
            share = chosen.lines
        if not chosen.lines:
            raise OptionError(
                "There is nothing to save: the lists name no image, or image_save_include and image_save_exclude leave "
                f"none of {len(chosen.excluded)}."
            )
        self._show_invalid(chosen, share)
        return share, origins_of(share, chosen), shared

    def _sharer(self, record: Record, members: Members) -> Sharer:
        return Sharer(
            media=self.options.media,
            record=record,
            members=members,
            locks=[self._lock_file()] if self.options.from_lock_file else [],
            ask=(lambda lines: self.target.sizes(lines, self.access())) if self.options.balances_sizes else None,
            is_check=self.target.is_check,
            ticker=self.ticker.renamed(notices.WHO),
        )

    def _sources(self) -> list[Source]:
        """Read the lists, in the order of the role's variables, or the lock file that takes their place."""
        if self.options.from_lock_file:
            return [source_of_items("image_save_from_lock_file", references_of(self._lock_file()))]
        images, lists, manifests = sources_of_controller(self.options, self.find)
        for unread in manifests.unread:
            where = f"{unread.file}, document {unread.document}, {unread.path}"
            self.ticker.warn(f"{where}: {unread.value}: {unread.reason}")
        named = [Source("image_save_manifest_files", "\n".join(manifests.images), tuple(manifests.origins))]
        if not self.options.reads_from_host:
            return [*images, *lists, *named]
        contents = self.target.read(self.options.remote_list_files, self.options.list_urls)
        remote, downloaded = sources_of_host(self.options, *contents)
        return [*images, *lists, *remote, *downloaded, *named]

    def _show_hosts(self, members: Members, shares: dict[str, list[str]]) -> None:
        """Show which hosts of the set do not take part; one host does so for all."""
        if self.play.host == self.play.running[0]:
            ticker = self.ticker.renamed(notices.WHO)
            for line in notices.at_the_start(members, self.play.running, shares):
                ticker.warn(line)

    def _show_invalid(self, chosen: Chosen, share: list[str]) -> None:
        """Show where lines are that are not references; of several hosts, each shows its own."""
        own = frozenset(share)
        for line in chosen.invalid:
            if not self.options.distribute or line["line"] in own:
                text = quoted(line["line"], 100)
                self.ticker.warn(f"{line['origin']}: {text} is not a valid reference: {line['reason']}")


def _are_others(login: Directory, saver: Directory) -> bool:
    """Return True if what the second user writes may be closed to the first one."""
    return saver.uid == _ROOT or login.uid != saver.uid
