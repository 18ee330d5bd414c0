# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The managed host, as far as files have to be looked at and transferred."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.airgap.images.plugins.module_utils._errors import OptionError, StorageError
from ansible_collections.airgap.images.plugins.module_utils._options import BESIDE
from ansible_collections.airgap.images.plugins.module_utils._reference import is_digest
from ansible_collections.airgap.images.plugins.plugin_utils._place import Item, Place
from ansible_collections.airgap.images.plugins.plugin_utils._ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._transport import transfer_methods


class Host:
    """One host of a task.

    :param ticker: shows what goes on.
    :param retries: how often a transfer is tried again.
    :param delay: seconds before the first retry; each further one is twice as long.

    ``transferred`` grows with what has arrived whole.
    """

    def __init__(
        self, action: ActionBase, task_vars: dict[str, Any], ticker: Ticker, *, retries: int, delay: float
    ) -> None:
        self._action = action
        self.ticker = ticker
        self._task_vars = task_vars
        self._retries = retries
        self._delay = delay
        self._methods = transfer_methods(action._connection)
        self._display = Display()
        self.name = str(task_vars.get("inventory_hostname", "the host"))
        self.transferred: list[Item] = []

    def survey(self, arguments: Mapping[str, Any]) -> dict[str, Item]:
        """The small files that there are: what stands beside the archive, and the list of what failed.

        :param arguments: of the task.
        :returns: by the names of :data:`_options.BESIDE`, in that order, and ``failed_list``.
        :raises StorageError: when the login user cannot read one.
        """
        asked = {name: arguments[name] for name in ("src", "dest", "failed_list") if arguments.get(name)}
        said: dict[str, Any] = self._action._execute_module(
            module_name="airgap.images.image_fetch", module_args=asked, task_vars=self._task_vars
        )
        if said.get("unreadable"):
            raise StorageError(self._unreadable(said["unreadable"]))
        if not isinstance(said.get("found"), dict):
            raise StorageError(f"{self.name} cannot be looked at: {said.get('msg', 'no reason was given')}")
        paths = {name: f"{arguments['src']}{suffix}" for name, suffix in BESIDE.items()} if arguments.get("src") else {}
        if arguments.get("failed_list"):
            paths["failed_list"] = arguments["failed_list"]
        found = {name: self._as_asked(path, said["found"].get(name)) for name, path in paths.items()}
        return {name: item for name, item in found.items() if item is not None}

    def _as_asked(self, path: str, one: object) -> Item | None:
        """What the host says of a file: its name here is what was asked for, whatever the host calls it.

        :raises StorageError: when it says something else.
        """
        if one is None:
            return None
        name = os.path.basename(path)
        if isinstance(one, dict):
            source, size, sha256 = str(one.get("path")), one.get("size"), str(one.get("sha256"))
            is_number = isinstance(size, int) and 0 <= size < 2**63
            if os.path.basename(source) == name and is_number and is_digest(f"sha256:{sha256}"):
                return Item(source, name, int(size or 0), sha256)
        raise StorageError(f"{self.name} does not say what {path} is, but something that was not asked for")

    def require(self, path: str) -> None:
        """Make sure that the login user can read a file, without reading it.

        :raises StorageError: when that is not so.
        """
        found: dict[str, Any] = self._action._execute_module(
            module_name="ansible.legacy.stat",
            module_args={"path": path, "follow": True, "get_checksum": False},
            task_vars=self._task_vars,
        )
        if found.get("failed"):
            raise StorageError(f"{path} on {self.name} cannot be looked at: {found.get('msg', 'no reason was given')}")
        stat: dict[str, Any] = found["stat"]
        if not stat["exists"]:
            raise StorageError(f"{path} is not on {self.name} any more; save the archive again")
        if not (stat.get("isreg") and stat.get("readable")):
            raise StorageError(self._unreadable(path))

    def refuse_same(self, source: str, place: Place) -> None:
        """Make sure that the archive is not to be fetched to where it is.

        :raises OptionError: where host and controller are one, and so are the directories.
        """
        folder = os.path.dirname(os.path.expanduser(source))
        is_local = self._action._connection.transport == "local"
        if is_local and os.path.realpath(folder) == os.path.realpath(place.directory):
            raise OptionError(
                f"dest: {place.directory} is where {source} is, so there is nothing to fetch; name another"
            )

    def transfer(self, item: Item, place: Place, path: str) -> None:
        """Bring a file to the controller, and make sure that it is whole.

        :raises StorageError: when it could not be had, after all retries.
        """
        problem = ""
        for attempt in range(self._retries + 1):
            problem = self._try(item, place, path)
            if not problem:
                self.transferred.append(item)
                return
            if attempt < self._retries:
                wait = min(self._delay * 2**attempt, 60.0)
                self._display.warning(f"{item.source} on {self.name}: {problem}; trying again in {wait:g} seconds")
                time.sleep(wait)
        raise StorageError(
            f"{item.source} could not be fetched from {self.name}: {problem}. What has arrived is kept; run again"
        )

    def say(self, text: str) -> None:
        """Tell what is going on, with C(-vv)."""
        self._display.vv(text, host=self.name)

    def _unreadable(self, path: str) -> str:
        return (
            f"{path} on {self.name} is no file that the login user can read, and files are never fetched with "
            "become: give the archive a mode (image_save_mode: '0644') and let the user enter its directory"
        )

    def _try(self, item: Item, place: Place, path: str) -> str:
        problem = self._receive(item, path)
        if problem:
            return problem
        if place.holds(path, item):
            return ""
        return f"what arrived has not the sha256 {item.sha256} of its lock file; look at the file and the disks of both"

    def _receive(self, item: Item, path: str) -> str:
        problems = []
        for method in self._methods or ("",):
            if method:
                self._action._connection.set_option("ssh_transfer_method", method)
            try:
                self._action._connection.fetch_file(item.source, path)
                return ""
            except (AnsibleError, OSError) as error:  # also of a connection that is lost
                self._reconnect()
                problems.append(str(error))
        return problems[0]

    def _reconnect(self) -> None:
        reset: Callable[[], None] | None = getattr(self._action._connection, "reset", None)
        if reset is not None:
            try:
                reset()
            except AnsibleError as error:
                self._display.vv(f"{self.name}: {error}")
