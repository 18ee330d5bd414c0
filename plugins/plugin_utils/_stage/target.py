# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The managed host while a list is staged: asked as the user who saves, or as the one who logs in.

It is not trusted. Of its answers, only users' numbers, flags and the contents of lists are used; its facts never are.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.airgap.images.plugins.module_utils._base.errors import StorageError, printable
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.login import as_login
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.shell import ask_shell, shell_path
from ansible_collections.airgap.images.plugins.plugin_utils._stage.lists import shown_url, url_of
from ansible_collections.airgap.images.plugins.plugin_utils._stage.steps import ask_module

_MODULE = "airgap.images.image_stage"
_SIZES = "airgap.images.image_sizes"
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Directory:
    """A directory of the host as one user sees it.

    :param uid: of this user.
    :param is_closed: True if it exists, and this user cannot enter it.
    """

    uid: int
    exists: bool
    is_closed: bool


class Target:
    """The host of a task.

    :param action: of the task; its module and its connection are used.
    """

    def __init__(self, action: ActionBase, task_vars: dict[str, Any]) -> None:
        self._action = action
        self._task_vars = task_vars
        self.name = str(task_vars.get("inventory_hostname", "the host"))
        self.is_check = bool(action._task.check_mode)

    @property
    def becomes(self) -> bool:
        """True if the task has C(become), so that who saves may be another than who logs in."""
        return self._action._connection.become is not None

    def look(self, directory: str) -> Directory:
        """Inspect a directory as the user who saves."""
        return self._seen_by_shell({"directory": directory}) or self._directory(self._ask({"directory": directory}))

    def look_as_login(self, directory: str) -> Directory:
        """Inspect a directory as the user who logs in, who fetches files later."""
        with as_login(self._action):
            return self.look(directory)

    def read(self, paths: Sequence[str], urls: Sequence[str | Mapping[str, Any]]) -> tuple[list[bytes], list[bytes]]:
        """Read files of the host, and files that it downloads.

        :returns: the contents of either, in their order.
        :raises StorageError: when one of them cannot be read.
        """
        said = self._ask({"lists": [*paths], "download": bool(urls)})
        lists = self._contents(said, "lists", len(paths))
        if not urls:
            return lists, []
        folder = said.get("download_dir")
        if not isinstance(folder, str) or not os.path.isabs(folder):
            raise StorageError(self._unexpected())
        try:
            for number, entry in enumerate(urls):
                self._download(entry, f"{folder}/{number}")
        except BaseException:
            self._ask({"downloaded": folder, "downloads": 0})
            raise
        return lists, self._contents(self._ask({"downloaded": folder, "downloads": len(urls)}), "lists", len(urls))

    def write(self, arguments: Mapping[str, Any]) -> tuple[Directory, dict[str, Any]]:
        """Make directories and write the list, as the user who saves.

        :param arguments: of the module.
        :returns: the directory of the archive as it was before, and what Ansible shows of the change.
        """
        seen = self._seen_by_shell(arguments)
        if seen is not None:
            return seen, {"changed": False, "has_files": True}
        said = self._ask(arguments)
        shown: dict[str, Any] = {"changed": said.get("changed") is True, "has_files": said.get("has_files") is True}
        if isinstance(said.get("diff"), Mapping):
            shown["diff"] = _diff(arguments, str(said["diff"].get("before", "")))
        return self._directory(said), shown

    def probe(self, program: str, libraries: Sequence[str]) -> dict[str, Any]:
        """Find out what the module image_save needs and the host lacks.

        :param program: name or path of skopeo.
        :returns: C(lacking), C(uid), C(python) and C(python_version).
        """
        said = self._ask({"program": program, "libraries": [*libraries]})
        names = ("skopeo", *libraries)
        lacking = said.get("lacking")
        if not isinstance(lacking, list) or not {*map(str, lacking)} <= {*names}:
            raise StorageError(self._unexpected())
        return {
            "lacking": [name for name in names if name in lacking],
            "uid": self._number(said, "uid"),
            "python": printable(str(said.get("python"))),
            "python_version": printable(str(said.get("python_version"))),
        }

    def sizes(self, lines: Sequence[str], access: Mapping[str, Any]) -> dict[str, dict[str, int]]:
        """Have the host ask registries for the sizes of images.

        :param access: options of the module.
        :returns: the blobs of each image that could be found, with their bytes, by its reference in full.
        :raises StorageError: when none could be found, or the answer is not one.
        """
        said = ask_module(self._action, _SIZES, {**access, "images": [*lines]}, self._task_vars, host=self.name)
        blobs, images = said.get("blobs"), said.get("images")
        if not isinstance(blobs, list) or not isinstance(images, Mapping):
            raise StorageError(self._unexpected())
        try:
            sizes = [(str(digest), int(size)) for digest, size in blobs]
            found = {str(name): dict(sizes[number] for number in numbers) for name, numbers in images.items()}
        except (TypeError, ValueError, IndexError, OverflowError) as error:
            raise StorageError(self._unexpected()) from error
        if any(not 0 <= size <= _LARGEST for _digest, size in sizes):
            raise StorageError(self._unexpected())
        if not found:
            raise StorageError(printable(str(said.get("problem") or "no registry answered"), 1000))
        return found

    def _download(self, entry: str | Mapping[str, Any], path: str) -> None:
        """Have the host download a list. What says who may do so is neither logged there, nor sent to where a server
        redirects to."""
        options: Mapping[str, Any] = entry if isinstance(entry, Mapping) else {}
        headers = options.get("headers") or {}
        arguments = {
            "url": url_of(entry),
            "dest": path,
            "mode": "0600",
            "checksum": options.get("checksum"),
            "headers": headers,
            "unredirected_headers": ["Authorization", *headers],
            "force_basic_auth": "username" in options,
            "url_username": options.get("username"),
            "url_password": options.get("password"),
            "validate_certs": options.get("validate_certs", True),
        }
        given = {name: value for name, value in arguments.items() if value not in (None, "", {})}
        with self._for_real(), self._unlogged():
            said = self._action._execute_module(
                module_name="ansible.legacy.get_url", module_args=given, task_vars=self._task_vars
            )
        if said.get("failed"):
            words = " ".join(str(said.get(name) or "") for name in ("msg", "response")).strip()
            reason = printable(words.replace(url_of(entry), "it")) or "no reason was given"
            raise StorageError(f"image_save_list_urls: cannot download {shown_url(entry)}: {reason}")

    def _seen_by_shell(self, arguments: Mapping[str, Any]) -> Directory | None:
        """Inspect the directory without a module, if everything is as the arguments want it.

        :returns: ``None`` if the module has to be asked.
        """
        folder, path = str(arguments["directory"]), str(arguments.get("list_file", ""))
        texts = {**({path: str(arguments["text"])} if path else {}), **arguments.get("files", {})}
        words = {each: shell_path(each) for one in texts for each in (one, os.path.dirname(one))}
        words[folder] = shell_path(folder)
        if arguments.get("formerly") or None in words.values():
            return None
        command = f"[ -d {words[folder]} ] && [ -x {words[folder]} ] && id -u"
        for one in texts:  # the modes are those that the module sets
            command += (
                f' && [ -n "$(find {words[one]} -prune -type f -perm 644 -print)" ]'
                f' && [ -n "$(find {words[os.path.dirname(one)]} -prune -type d -perm -700 -print)" ]'
                f" && sha256sum < {words[one]}"
            )
        wanted = [hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest() for text in texts.values()]
        answer = (ask_shell(self._action, command) or "").split()
        if not answer or not re.fullmatch("[0-9]{1,10}", answer[0]) or answer[1::2] != wanted:
            return None
        return Directory(int(answer[0]), exists=True, is_closed=False)

    def _ask(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run the module.

        :raises StorageError: when it failed there.
        """
        return ask_module(self._action, _MODULE, arguments, self._task_vars, host=self.name)

    def _directory(self, said: Mapping[str, Any]) -> Directory:
        exists, is_closed = said.get("exists"), said.get("is_closed")
        if not isinstance(exists, bool) or not isinstance(is_closed, bool):
            raise StorageError(self._unexpected())
        return Directory(self._number(said, "uid"), exists, is_closed)

    def _number(self, said: Mapping[str, Any], name: str) -> int:
        value = said.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise StorageError(self._unexpected())
        return int(value)

    def _contents(self, said: Mapping[str, Any], name: str, count: int) -> list[bytes]:
        values = said.get(name)
        if not isinstance(values, list) or len(values) != count:
            raise StorageError(self._unexpected())
        try:
            return [base64.b64decode(str(value), validate=True) for value in values]
        except ValueError as error:
            raise StorageError(self._unexpected()) from error

    def _unexpected(self) -> str:
        return f"{self.name} did not answer what it was asked while the list was staged; its answer is not used"

    @contextmanager
    def _for_real(self) -> Iterator[None]:
        """Lists are downloaded in check mode as well: they say what would be saved."""
        task = self._action._task
        task.check_mode = False
        try:
            yield
        finally:
            task.check_mode = self.is_check

    @contextmanager
    def _unlogged(self) -> Iterator[None]:
        task = self._action._task
        before = task.no_log
        task.no_log = True
        try:
            yield
        finally:
            task.no_log = before


def _diff(arguments: Mapping[str, Any], before: str) -> dict[str, str]:
    """Compare the list that the host had with the new one; lines of either may come from a host."""
    path = str(arguments.get("list_file", ""))
    texts = {"before": before, "after": str(arguments.get("text", ""))}
    shown = {name: "".join(f"{printable(line)}\n" for line in text.splitlines()) for name, text in texts.items()}
    return {"before_header": path, "after_header": path, **shown}
