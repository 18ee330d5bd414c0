# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of the role image_save around saving. The documentation is in plugins/modules/image_stage.py."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from ansible import constants
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.airgap.images.plugins.module_utils._archive.base_files import archives_of
from ansible_collections.airgap.images.plugins.module_utils._archive.bases import BaseArchive
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._set.closing import Closing, Ending
from ansible_collections.airgap.images.plugins.plugin_utils._set.notices import WHO
from ansible_collections.airgap.images.plugins.plugin_utils._set.planned import Planned, planned_by
from ansible_collections.airgap.images.plugins.plugin_utils._set.shelf import Shelf
from ansible_collections.airgap.images.plugins.plugin_utils._stage.checks import check_options, refuse_facts
from ansible_collections.airgap.images.plugins.plugin_utils._stage.failure import FailedHost, Told, failed_host
from ansible_collections.airgap.images.plugins.plugin_utils._stage.options import Options, paths_of
from ansible_collections.airgap.images.plugins.plugin_utils._stage.pool import Pool, read_shares
from ansible_collections.airgap.images.plugins.plugin_utils._stage.search import check_types, find_beside, play_of
from ansible_collections.airgap.images.plugins.plugin_utils._stage.since import read_base
from ansible_collections.airgap.images.plugins.plugin_utils._stage.staging import Stager
from ansible_collections.airgap.images.plugins.plugin_utils._stage.steps import Step, StepsAction, notice_of_lacking
from ansible_collections.airgap.images.plugins.plugin_utils._stage.target import Target


class ActionModule(StepsAction):
    """C(airgap.images.image_stage)."""

    def steps(self) -> dict[str, Step]:
        return {
            "validate": self._validate,
            "probe": self._probe,
            "read": self._read,
            "stage": self._stage,
            "fail": self._fail,
            "close": self._close,
        }

    def _validate(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Check the variables of the role."""
        play = play_of(variables)
        refuse_facts(variables.get("ansible_facts") or {}, play.host)
        check_types(self, variables)
        options = self._options(variables)
        check_options(options, play, self._find)
        # All hosts of a call run the same task, and each call has its own. What is done on the controller after
        # the save goes by these values, whatever the host returns as facts meanwhile.
        decided = {name: getattr(options, name) for name in ("fetch", "distribute", "failed_list")}
        call = {"call": str(self._task._uuid), "is_check": bool(self._task.check_mode)}
        paths = paths_of(options, play.host)
        if options.distribute and paths.media and self._task.diff:
            with suppress(OSError):  # then everything is new to it
                self._pool(call["call"]).keep_lock(Shelf(paths.media).old_lock())
        return {**call, **decided, **asdict(paths)}

    def _probe(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Find out what the host lacks."""
        said = Target(self, variables).probe(self._task.args["program"], self._task.args["libraries"])
        if self._task.check_mode and said["lacking"]:
            Ticker.of(self._task, variables).say(notice_of_lacking(said["lacking"], done="saved"))
        return said

    def _read(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Read the lists of the host for all hosts of this call."""
        self._stager(variables).read()
        return {}

    def _stage(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Choose the images of the host, and write its list."""
        return self._stager(variables).stage()

    def _fail(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Fail, with one message for all hosts of this call on which the save has failed."""
        play, call = play_of(variables), str(self._task.args["call"])
        options = self._options(variables)
        own = _failed_host(play.host, variables, options.failed_list)

        def others() -> list[FailedHost]:
            found = ((name, variables["hostvars"][name]) for name in play.running if name != play.host)
            return [
                _failed_host(name, values, options.failed_list)
                for name, values in found
                if (values.get("__image_save_call") or {}).get("call") == call
                and (values.get("image_save_result") or {}).get("failed")
            ]

        told = Told(self._pool(call).beside("told.json"))
        return {"failed": True, "msg": told.tell(own, others, check=bool(self._task.check_mode))}

    def _close(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Make a set of the archives of all hosts, on the controller alone."""
        play, options, arguments = play_of(variables), self._options(variables), self._task.args
        lines: list[str] = []
        shares: dict[str, list[str]] = {}
        if arguments.get("shares_file"):
            chosen, shares = read_shares(str(arguments["shares_file"]))
            lines = chosen.lines
        is_current = not self._task.check_mode or boolean(arguments["is_current"])
        closing = Closing(
            media=options.media,
            ticker=Ticker(WHO, is_silent=self._task.no_log is True),
            removes_orphans=options.remove_orphans,
            is_check=bool(self._task.check_mode),
            is_current=is_current,
            is_diff=bool(self._task.diff),
            before=self._pool(arguments["call"]).kept_lock(),
        )
        return closing.run(
            Ending(
                play=play.all,
                inventory=play.inventory,
                taken_over=options.take_over,
                archives={str(host): os.path.basename(str(path)) for host, path in arguments["archives"].items()},
                done=arguments["done"],
                failed=arguments["failed"],
                sharing=arguments["sharing"],
                needless=arguments.get("needless") or (),
                carried=self._carried(options) if arguments.get("needless") else (),
                planned=Planned() if is_current else _planned(variables, arguments),
                lines=lines,
                shares=shares,
            )
        )

    def _carried(self, options: Options) -> Sequence[BaseArchive]:
        """Return the archives that were carried before."""
        return archives_of(read_base(options.since, options.since_missing, self._find)[0])

    def _pool(self, call: object) -> Pool:
        return Pool(_folder(), str(call))

    def _stager(self, variables: dict[str, Any]) -> Stager:
        play = play_of(variables)
        refuse_facts(variables.get("ansible_facts") or {}, play.host)
        return Stager(
            self._options(variables),
            Target(self, variables),
            Ticker.of(self._task, variables),
            play,
            self._find,
            self._pool(self._task.args["call"]),
            lambda: self._access(variables),
        )

    def _access(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options that say how to reach registries. Only what has a value is an option."""
        values = self._templar.template(variables[self._task.args["access"]])
        empty = ("", None, variables.get("omit"))
        return {name: value for name, value in values.items() if value not in empty}

    def _options(self, variables: Mapping[str, Any]) -> Options:
        return Options.of(self._templar.template(variables[self._task.args["variables"]]))

    def _find(self, path: str) -> str | None:
        return find_beside(self, path)


def _planned(variables: Mapping[str, Any], arguments: Mapping[str, Any]) -> Planned:
    """Add up what the hosts that would have an archive foresee."""
    hosts = [host for host in arguments["done"] if host not in {*(arguments.get("needless") or ())}]
    results = [variables["hostvars"][host].get("image_save_result") for host in hosts]
    return planned_by(result for result in results if result and result.get("images"))


def _folder() -> str:
    """Return a directory of the controller that is private to this run of Ansible, and removed with it."""
    return str(constants.DEFAULT_LOCAL_TMP)  # type: ignore[attr-defined]


def _failed_host(name: str, values: Mapping[str, Any], failed_list: str) -> FailedHost:
    """Read what the role has left in the variables of a host on which the save has failed."""
    dest = str((values.get("__image_save_call") or {}).get("archive", ""))
    return failed_host(name, values.get("image_save_result") or {}, dest=dest, failed_list=failed_list)
