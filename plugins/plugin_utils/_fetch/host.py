# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The managed host: what it is asked about its files.

The host is not trusted. It is asked about paths that the play gave or that follow from these, and nothing is taken from
its answers but sizes, sha256 sums, and text to be shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.airgap.images.plugins.module_utils._archive.bundle import BUNDLE
from ansible_collections.airgap.images.plugins.module_utils._archive.output import BESIDE
from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    OptionError,
    StorageError,
    printable,
    quoted,
)
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_size
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import is_digest
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item, Place
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.bounds import LARGEST_RECORD
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.names import check_remote, temporary_directory
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.shell import ask_shell, shell_path

_HOMES: Mapping[str, Callable[[str], str]] = {
    # sftp and scp start there. Not "out/…": a leading dash would make it an option.
    "ssh": lambda path: f"./{path[2:].lstrip('/')}",
    "local": os.path.expanduser,
}
"""The connection plugins that find a user's home without asking the host, with what they take for ``~/``."""

_MODULE = "airgap.images.image_fetch"


class Host:
    """One host of a task.

    :param action: the task's action plugin, which runs modules on the host.
    :param task_vars: the task's variables.
    """

    def __init__(self, action: ActionBase, task_vars: dict[str, Any]) -> None:
        self._action = action
        self._task_vars = task_vars
        self._display = Display()
        self.name = str(task_vars.get("inventory_hostname", "the host"))

    @property
    def is_controller(self) -> bool:
        """True if the host is this machine."""
        return self._transport == "local"

    def survey(self, arguments: Mapping[str, Any]) -> dict[str, Item]:
        """Ask which of the small files exist: those beside the archive, and the list of failed images.

        :param arguments: of the task.
        :returns: by the names of :data:`_archive.output.BESIDE`, in that order, and ``failed_list``.
        :raises StorageError: when the login user cannot read one, or one is larger than any can be.
        """
        paths = {name: f"{arguments['src']}{suffix}" for name, suffix in BESIDE.items()} if arguments.get("src") else {}
        if arguments.get("failed_list"):
            paths["failed_list"] = arguments["failed_list"]
        asked = {name: arguments[name] for name in ("src", "dest", "failed_list") if arguments.get(name)}
        said = self._survey_by_shell(paths) or self._ask(_MODULE, asked)
        if said.get("unreadable"):
            raise StorageError(self._unreadable(paths.get(str(said["unreadable"]), "a file to be fetched")))
        if not isinstance(said.get("found"), dict):
            raise StorageError(f"cannot inspect {self.name}: {_reason(said)}")
        found = {name: self._as_asked(path, said["found"].get(name)) for name, path in paths.items()}
        return {name: item for name, item in found.items() if item is not None}

    def _survey_by_shell(self, paths: Mapping[str, str]) -> dict[str, Any] | None:
        """Survey the files without a module.

        :param paths: by the names of the files.
        :returns: what the module would return; ``None`` if it has to be asked.
        """
        words = [shell_path(path) for path in paths.values()]
        if "lock_file" not in paths or None in words:
            return None
        answer = ask_shell(
            self._action,
            f"for f in {' '.join(map(str, words))}; do "
            'if [ -f "$f" ] && [ -r "$f" ]; then echo $(wc -c < "$f") $(sha256sum < "$f"); '
            'elif [ -e "$f" ]; then echo closed; else echo none; fi; done',
        )
        lines = [line.split() for line in (answer or "").splitlines()]
        if len(lines) != len(paths):
            return None
        found = {name: _seen(line) for name, line in zip(paths, lines)}
        # Where the lock file is, the user can enter the directory, so that what is not found there does not exist.
        lacks = {name for name, line in zip(paths, lines) if line == ["none"]}
        is_plain = all(found[name] is not None or name in lacks for name in paths)
        return {"found": found} if is_plain and not lacks & {"lock_file", "failed_list"} else None

    def _as_asked(self, path: str, one: object) -> Item | None:
        """Return the size and sha256 that the host gives for a file; ``None`` if it has none.

        :raises StorageError: when the answer is anything else.
        """
        if one is None:
            return None
        if isinstance(one, dict):
            size, sha256 = one.get("size"), one.get("sha256")
            is_sum = isinstance(sha256, str) and is_digest(f"sha256:{sha256}")
            if is_sum and isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**63:
                if size > LARGEST_RECORD:
                    raise StorageError(
                        f"{path} on {self.name} has {format_size(size)}; files beside an archive are fetched up to "
                        f"{format_size(LARGEST_RECORD)}. Save the list as several archives"
                    )
                return Item(path, os.path.basename(path), size, str(sha256))
        raise StorageError(f"unexpected answer from {self.name}: expected the size and sha256 of {path}")

    def require(self, path: str) -> None:
        """Make sure that the login user can read a file, without reading it.

        :raises StorageError: when it does not exist or cannot be read.
        """
        found = self._ask("ansible.legacy.stat", {"path": path, "follow": True, "get_checksum": False})
        stat = found.get("stat")
        if found.get("failed") or not isinstance(stat, dict):
            raise StorageError(f"cannot inspect {path} on {self.name}: {_reason(found)}")
        if not stat.get("exists"):
            raise StorageError(f"{path} no longer exists on {self.name}; save the archive again")
        if not (stat.get("isreg") and stat.get("readable")):
            raise StorageError(self._unreadable(path))

    def bundle(self, arguments: Mapping[str, Any], items: Sequence[Item]) -> tuple[str, set[str]]:
        """Have the host write small files into one, in Ansible's temporary directory there.

        That directory is removed at the end of the task, with the bundle in it.

        :param arguments: of the task; the items are in the directory of its C(src).
        :returns: the path of the bundle and the names of items that are not in it.
        :raises StorageError: when the host wrote none, for lack of space for example.
        :raises AnsibleError: when the connection failed, or Ansible has no temporary directory there.
        """
        action = self._action
        made = str(action._connection._shell.tmpdir or action._make_tmp_path())
        directory = temporary_directory(str(action.get_shell_option("remote_tmp")), made)
        if directory is None or (directory.startswith("~/") and self._transport not in _HOMES):
            raise StorageError(f"its temporary directory cannot be transferred from: {quoted(made)}")
        files = [{"name": item.name, "size": item.size} for item in items]
        is_secret, action._task.no_log = action._task.no_log, True  # keeps a long list out of the host's system log
        try:
            said = self._ask(_MODULE, {"src": arguments["src"], "dest": arguments["dest"], "bundle": files})
        finally:
            action._task.no_log = is_secret
        left_out = said.get("left_out")
        if said.get("failed") or not isinstance(left_out, list):
            raise StorageError(_reason(said))
        return os.path.join(directory, BUNDLE), {name for name in left_out if isinstance(name, str)}

    def check_path(self, option: str, path: str) -> None:
        """Refuse a path that cannot be transferred from.

        :raises OptionError: says what to give instead.
        """
        check_remote(option, path)
        if path.startswith("~/") and self._transport not in _HOMES:
            raise OptionError(
                f"{option}: the connection plugin {self._transport} cannot resolve '~' on {self.name}; give an "
                "absolute path"
            )

    def refuse_same(self, source: str, place: Place) -> None:
        """Make sure that the archive is not fetched to where it already is.

        :raises OptionError: when host and controller are the same machine, and the directories are the same, too.
        """
        folder = os.path.dirname(os.path.expanduser(source))
        if self.is_controller and os.path.realpath(folder) == os.path.realpath(place.directory):
            raise OptionError(
                f"dest: {place.directory} already contains {source}, so there is nothing to fetch; choose "
                "another directory"
            )

    def for_transfer(self, path: str) -> str:
        """Return a path as a transfer takes it: relative to the user's home where it begins with ``~/``."""
        return _HOMES[self._transport](path) if path.startswith("~/") else path

    def say(self, text: str) -> None:
        """Show a line about what is going on, with C(-vv)."""
        self._display.vv(text, host=self.name)

    @property
    def _transport(self) -> str:
        return str(self._action._connection.transport)

    def _unreadable(self, path: str) -> str:
        return (
            f"the login user cannot read {path} on {self.name}, and files are never fetched with become: give the "
            "archive a mode (image_save_mode: '0644') and let the user enter its directory"
        )

    def _ask(self, module: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Run a module on the host and return its answer, which is not to be trusted."""
        said: dict[str, Any] = self._action._execute_module(
            module_name=module, module_args=arguments, task_vars=self._task_vars
        )
        return said


def _seen(line: Sequence[str]) -> dict[str, object] | None:
    """Read the size and sha256 of a file from the output of ``wc`` and ``sha256sum``."""
    if len(line) not in (2, 3) or not re.fullmatch("[0-9]{1,19}", line[0]):
        return None
    return {"size": int(line[0]), "sha256": line[1]} if is_digest(f"sha256:{line[1]}") else None


def _reason(said: Mapping[str, Any]) -> str:
    return printable(str(said.get("msg") or "no reason was given"))
