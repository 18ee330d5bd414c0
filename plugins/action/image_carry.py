# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps of the roles image_load and image_verify. The documentation is in plugins/modules/image_carry.py."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.airgap.images.plugins.plugin_utils._carry.cargo import cargo_of
from ansible_collections.airgap.images.plugins.plugin_utils._carry.checks import check_options
from ansible_collections.airgap.images.plugins.plugin_utils._carry.copies import (
    Told,
    copies_of,
    remove_obsolete,
    with_copies,
)
from ansible_collections.airgap.images.plugins.plugin_utils._carry.lists import listed_on_controller
from ansible_collections.airgap.images.plugins.plugin_utils._carry.options import Options
from ansible_collections.airgap.images.plugins.plugin_utils._carry.sending import Patience, send
from ansible_collections.airgap.images.plugins.plugin_utils._carry.target import Target
from ansible_collections.airgap.images.plugins.plugin_utils._carry.verification import (
    Verification,
    check_verification,
    write_requests,
)
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._stage.checks import refuse_facts
from ansible_collections.airgap.images.plugins.plugin_utils._stage.search import check_types, find_beside, play_of
from ansible_collections.airgap.images.plugins.plugin_utils._stage.steps import Step, StepsAction, notice_of_lacking


class ActionModule(StepsAction):
    """C(airgap.images.image_carry)."""

    def steps(self) -> dict[str, Step]:
        return {
            "validate": self._validate,
            "probe": self._probe,
            "send": self._send,
            "check": self._check,
            "request": self._request,
            "collect": self._collect,
        }

    def _validate(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Check the variables of the role, and read the lists on the controller."""
        play = play_of(variables)
        refuse_facts(variables.get("ansible_facts") or {}, play.host)
        check_types(self, variables)
        options = self._options(variables)
        check_options(options, play, self._find)
        chosen = listed_on_controller(options, self._find)
        # All hosts of a call run the same task, and each call has its own.
        return {
            "call": str(self._task._uuid),
            "is_check": bool(self._task.check_mode),
            "share_among": play.all if options.distribute else [],
            "lines": chosen.lines,
            "origins": chosen.origins,
        }

    def _probe(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Find out what the host lacks."""
        options = self._options(variables)
        sources = [*options.src, *options.controller_src]
        said = Target(self, variables).probe(self._task.args["libraries"], sources)
        if self._task.check_mode and said["lacking"]:
            Ticker.of(self._task, variables).say(notice_of_lacking(said["lacking"], done="loaded"))
        return said

    def _send(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Copy files to the host, as the user who logs in; in check mode find out which."""
        options, target = self._options(variables), Target(self, variables)
        refuse_facts(variables.get("ansible_facts") or {}, target.name)
        directory, is_check = options.staging_dir, bool(self._task.check_mode)
        ticker = Ticker.of(self._task, variables)
        cargo = cargo_of(options.controller_src, directory)
        coming = target.look(directory, cargo.items, write=not is_check)
        if coming and not is_check:
            send(
                coming,
                directory,
                self._connection,
                target,
                host=target.name,
                patience=self._patience(),
                ticker=ticker,
            )
        told = cargo.foreseen(coming, directory) if coming and is_check else ""
        if told:
            ticker.say(told)
        return {
            "changed": bool(coming),
            **({"msg": told} if told else {}),
            "copied": len(coming),
            "src": [os.path.join(directory, name) for name in cargo.sources],
            "files": [os.path.join(directory, item.name) for item in cargo.items],
        }

    def _check(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Check the variables of the role image_verify."""
        play = play_of(variables)
        refuse_facts(variables.get("ansible_facts") or {}, play.host)
        check_types(self, variables)
        options = self._verification(variables)
        check_verification(options)
        # All hosts of a call run the same task, and each call has its own.
        return {
            "call": str(self._task._uuid),
            "is_check": bool(self._task.check_mode),
            "src": [*options.src, *map(os.path.expanduser, options.controller_src)],
            "request_file": os.path.expanduser(options.request_file),
        }

    def _request(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Write the request files on the controller."""
        path, said = str(self._task.args["path"]), self._task.args["requests"]
        files, is_changed = write_requests(path, said, check=bool(self._task.check_mode))
        return {"changed": is_changed, "request_files": files}

    def _collect(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Find out what is fetched from the host after a load, and remove requests that are obsolete."""
        told = Told.of(self._templar.template(variables[self._task.args["variables"]]))
        directory = self._loader.path_dwim(str(self._task.args["directory"]))
        receipts, requests = copies_of(told, directory)
        removed = remove_obsolete(told, directory, requests, check=bool(self._task.check_mode))
        return {
            "changed": bool(removed),
            "copies": [{"src": one.src, "dest": one.dest} for one in (*receipts, *requests)],
            "removed": removed,
            "told": with_copies(told.msg, requests),
        }

    def _verification(self, variables: Mapping[str, Any]) -> Verification:
        return Verification.of(self._templar.template(variables[self._task.args["variables"]]))

    def _patience(self) -> Patience:
        given = {name: value for name, value in self._task.args.items() if value not in ("", None)}
        return Patience(int(given.get("retries", 3)), float(given.get("retry_delay", 2.0)))

    def _options(self, variables: Mapping[str, Any]) -> Options:
        return Options.of(self._templar.template(variables[self._task.args["variables"]]))

    def _find(self, path: str) -> str | None:
        return find_beside(self, path)
