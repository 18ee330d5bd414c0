# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The managed host, as far as files have to be looked at and transferred.

It is not trusted. It is asked for paths that the play gave or that follow from these, and what it answers is only ever
a size, a sha256 or a text to be shown.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.airgap.images.plugins.module_utils._archive.output import BESIDE
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, StorageError, printable
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_size
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import is_digest
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item, Place
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.transport import transfer_methods
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.bounds import LARGEST_RECORD, no_file_beyond
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.names import check_remote

_HOMES: Mapping[str, Callable[[str], str]] = {
    # sftp and scp begin there. Not "out/…": what begins with a dash would be an option.
    "ssh": lambda path: f"./{path[2:].lstrip('/')}",
    "local": os.path.expanduser,
}
"""The connection plugins that know where a user is at home without asking the host, by what they want for ``~/``."""

_SPECIAL = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX


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
        :returns: by the names of :data:`_archive.output.BESIDE`, in that order, and ``failed_list``.
        :raises StorageError: when the login user cannot read one, or one is larger than any can be.
        """
        asked = {name: arguments[name] for name in ("src", "dest", "failed_list") if arguments.get(name)}
        said = self._ask("airgap.images.image_fetch", asked)
        paths = {name: f"{arguments['src']}{suffix}" for name, suffix in BESIDE.items()} if arguments.get("src") else {}
        if arguments.get("failed_list"):
            paths["failed_list"] = arguments["failed_list"]
        if said.get("unreadable"):
            raise StorageError(self._unreadable(paths.get(str(said["unreadable"]), "what is to be fetched")))
        if not isinstance(said.get("found"), dict):
            raise StorageError(f"{self.name} cannot be looked at: {_reason(said)}")
        found = {name: self._as_asked(path, said["found"].get(name)) for name, path in paths.items()}
        return {name: item for name, item in found.items() if item is not None}

    def _as_asked(self, path: str, one: object) -> Item | None:
        """What the host says of a file: how large it is, and its sha256.

        :raises StorageError: when it says something else.
        """
        if one is None:
            return None
        if isinstance(one, dict):
            size, sha256 = one.get("size"), one.get("sha256")
            is_sum = isinstance(sha256, str) and is_digest(f"sha256:{sha256}")
            if is_sum and isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**63:
                if size > LARGEST_RECORD:
                    raise StorageError(
                        f"{path} on {self.name} has {format_size(size)}; what comes with an archive is fetched up to "
                        f"{format_size(LARGEST_RECORD)}. Save the list as several archives"
                    )
                return Item(path, os.path.basename(path), size, str(sha256))
        raise StorageError(f"{self.name} does not say what {path} is, but something that was not asked for")

    def require(self, path: str) -> None:
        """Make sure that the login user can read a file, without reading it.

        :raises StorageError: when that is not so.
        """
        found = self._ask("ansible.legacy.stat", {"path": path, "follow": True, "get_checksum": False})
        stat = found.get("stat")
        if found.get("failed") or not isinstance(stat, dict):
            raise StorageError(f"{path} on {self.name} cannot be looked at: {_reason(found)}")
        if not stat.get("exists"):
            raise StorageError(f"{path} is not on {self.name} any more; save the archive again")
        if not (stat.get("isreg") and stat.get("readable")):
            raise StorageError(self._unreadable(path))

    def check_path(self, option: str, path: str) -> None:
        """Refuse a path that cannot be transferred from.

        :raises OptionError: says what to give instead.
        """
        check_remote(option, path)
        if path.startswith("~/") and self._action._connection.transport not in _HOMES:
            raise OptionError(
                f"{option}: the connection plugin {self._action._connection.transport} does not know what '~' is on "
                f"{self.name}; give an absolute path"
            )

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

        :raises StorageError: when it could not be had, after all retries, or the host sent more than that.
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
                with no_file_beyond(item.most + 1):
                    self._action._connection.fetch_file(self._source(item.source), path)
            except (AnsibleError, OSError) as error:  # also of a connection that is lost
                self._reconnect()
                self._look_at(item, path)
                problems.append(printable(str(error)))
            else:
                self._look_at(item, path)
                return ""
        return problems[0]

    def _source(self, path: str) -> str:
        """A path as a transfer knows it: it begins where the user is at home, who may not be called by ``~``."""
        return _HOMES[self._action._connection.transport](path) if path.startswith("~/") else path

    def _look_at(self, item: Item, path: str) -> None:
        """Make sure that what has arrived is no more than was to come, and an ordinary file.

        :raises StorageError: when more has come than that.
        """
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return
        if found.st_size > item.most:
            os.unlink(path)
            raise StorageError(
                f"{self.name} sent more than {format_size(item.most)} for {item.source}, of which it says that it has "
                f"{format_size(item.size)}; the transfer was cut off. Nothing of that file is kept"
            )
        if found.st_mode & _SPECIAL:  # scp takes these from the host
            os.chmod(path, stat.S_IMODE(found.st_mode) & ~_SPECIAL)

    def _ask(self, module: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """What a module answers on the host, which is no more than what the host likes to say."""
        said: dict[str, Any] = self._action._execute_module(
            module_name=module, module_args=arguments, task_vars=self._task_vars
        )
        return said

    def _reconnect(self) -> None:
        reset: Callable[[], None] | None = getattr(self._action._connection, "reset", None)
        if reset is not None:
            try:
                reset()
            except AnsibleError as error:
                self._display.vv(f"{self.name}: {printable(str(error))}")


def _reason(said: Mapping[str, Any]) -> str:
    return printable(str(said.get("msg") or "no reason was given"))
