# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The managed host before a load. It is not trusted: its answers are checked, and its facts are never used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.airgap.images.plugins.module_utils._base.errors import StorageError, printable
from ansible_collections.airgap.images.plugins.plugin_utils._carry.cargo import Item, temporary_of
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.login import as_login
from ansible_collections.airgap.images.plugins.plugin_utils._stage.steps import ask_module

_MODULE = "airgap.images.image_carry"
_KNOWN = ("requests", "zstandard")


class Target:
    """The host of a task.

    :param action: of the task; its module and its connection are used.
    """

    def __init__(self, action: ActionBase, task_vars: dict[str, Any]) -> None:
        self._action = action
        self._task_vars = task_vars
        self.name = str(task_vars.get("inventory_hostname", "the host"))

    def probe(self, libraries: Sequence[str], sources: Sequence[str]) -> dict[str, Any]:
        """Find out which Python libraries the host lacks.

        :param libraries: those that are needed whatever the archives are.
        :param sources: paths of the archives.
        :returns: C(lacking), C(uid), C(python) and C(python_version).
        :raises StorageError: when the host does not answer what it was asked.
        """
        said = self.ask({"libraries": [*libraries], "src": [*sources]})
        lacking, uid = said.get("lacking"), said.get("uid")
        if not isinstance(lacking, list) or not {*map(str, lacking)} <= {*_KNOWN} or type(uid) is not int:
            raise StorageError(self._unexpected())
        return {
            "lacking": [name for name in _KNOWN if name in lacking],
            "uid": uid,
            "python": printable(str(said.get("python"))),
            "python_version": printable(str(said.get("python_version"))),
        }

    def look(self, directory: str, items: Sequence[Item], *, write: bool) -> list[Item]:
        """Find out which files a directory lacks, as the user who logs in.

        :param write: make the directory if it is missing.
        :raises StorageError: when the directory cannot be used, or has too little space.
        """
        files = [{"name": item.name, "size": item.size, "sha256": item.sha256} for item in items]
        with as_login(self._action):
            said = self.ask({"directory": directory, "files": files, "write": write})
        return self._named(said, "missing", items)

    def receive(self, directory: str, items: Sequence[Item], host: str) -> list[Item]:
        """Check files that have arrived, give them their names, and return those with the wrong content.

        :param host: in whose name they have arrived.
        :raises StorageError: when the host cannot do so.
        """
        arrived = [
            {"name": item.name, "temporary": temporary_of(item.name, host), "sha256": item.sha256} for item in items
        ]
        with as_login(self._action):
            return self._named(self.ask({"directory": directory, "arrived": arrived}), "wrong", items)

    def _named(self, said: Mapping[str, Any], name: str, items: Sequence[Item]) -> list[Item]:
        """Return the items whose numbers an answer has."""
        values = said.get(name)
        numbers = [number for number in values if type(number) is int] if isinstance(values, list) else None
        if numbers is None or not {*numbers} <= {*range(len(items))}:
            raise StorageError(self._unexpected())
        return [items[number] for number in sorted({*numbers})]

    def _unexpected(self) -> str:
        return f"{self.name} did not answer what it was asked before the load; its answer is not used"

    def ask(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run the module.

        :raises StorageError: when it failed there.
        """
        return ask_module(self._action, _MODULE, arguments, self._task_vars, host=self.name)
