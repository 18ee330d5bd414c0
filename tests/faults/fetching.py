# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the action plugin that fetches archives, over a connection that copies files of this machine piece by piece."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any

from ansible.errors import AnsibleError

from ...plugins.action.image_fetch import ActionModule
from ...plugins.modules import image_fetch
from ..unit.results import result_of

_PIECE = 16 * 1024

AtByte = tuple[int, Callable[[], None]]
"""An action, and the number of bytes after which it is done."""


@dataclass(frozen=True)
class Fetched:
    """The result of a fetch.

    :param transferred: names of the files that were asked for, in order.
    :param arrived: those of them that came as a whole.
    """

    data: dict[str, Any]
    transferred: list[str]
    arrived: list[str]

    @property
    def failed(self) -> bool:
        """True if it failed."""
        return bool(self.data.get("failed"))

    @property
    def msg(self) -> str:
        """Its message."""
        return str(self.data.get("msg", ""))


class _Connection:
    """Copies files as the plugin ``local`` does, in words and errors too."""

    transport = "local"

    def __init__(self, root: Path, at_byte: AtByte | None) -> None:
        self._shell = SimpleNamespace(tmpdir=None)
        self._root = root
        self._at_byte = at_byte
        self._copied = 0
        self.transferred: list[str] = []
        self.arrived: list[str] = []

    def get_option(self, option: str) -> object:
        return None

    def set_option(self, option: str, value: object) -> None:
        pass

    def set_become_plugin(self, plugin: object) -> None:
        pass

    def fetch_file(self, in_path: str, out_path: str) -> None:
        name = str(Path(in_path).relative_to(self._root))
        self.transferred.append(name)
        try:
            with open(in_path, "rb") as read, open(out_path, "wb", buffering=0) as written:
                for piece in iter(lambda: read.read(_PIECE), b""):
                    self._strike(len(piece))
                    while piece:
                        piece = piece[written.write(piece) :]
        except OSError as error:
            raise AnsibleError(f"failed to transfer file to {out_path}: {error}") from error
        self.arrived.append(name)

    def _strike(self, size: int) -> None:
        self._copied += size
        if self._at_byte is not None and self._copied >= self._at_byte[0]:
            action, self._at_byte = self._at_byte[1], None
            action()


class Fetcher:
    """Fetches an archive of this machine to ``media``.

    :param source: path of the archive.
    :param home: Ansible's own directory.
    """

    def __init__(self, source: Path, media: Path, *, home: Path) -> None:
        self.source = source
        self.name = source.name
        self.media = media
        self._home = home
        self._before = os.environ.get("ANSIBLE_HOME")

    def __enter__(self) -> Fetcher:
        os.environ["ANSIBLE_HOME"] = str(self._home)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(KeyError):
            del os.environ["ANSIBLE_HOME"]
        if self._before is not None:
            os.environ["ANSIBLE_HOME"] = self._before

    def arguments(self) -> dict[str, Any]:
        """Those of the task."""
        return {"src": str(self.source), "dest": str(self.media), "retries": 1, "retry_delay": 0.01}

    def run(self, *, at_byte: AtByte | None = None) -> Fetched:
        """Run the task."""
        connection = _Connection(self.source.parent, at_byte)
        task = SimpleNamespace(
            args=self.arguments(),
            check_mode=False,
            diff=False,
            async_val=0,
            no_log=False,
            action="airgap.images.image_fetch",
            play=None,
            _uuid="0-1",
            get_name=lambda: "Fetch the archive",
        )
        action: Any = ActionModule(task, connection, SimpleNamespace(), None, None, None)  # type: ignore[arg-type]
        action._load_name = "image_fetch"
        action._execute_module = _look
        data = result_of(action, {"inventory_hostname": "host"})
        return Fetched(data, connection.transferred, connection.arrived)


def _look(module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
    """Answer for the modules that look at files."""
    if module_name == "airgap.images.image_fetch":
        return {"changed": False, "found": image_fetch.survey(module_args.get("src"), module_args.get("failed_list"))}
    path = Path(module_args["path"])
    found: dict[str, Any] = {"exists": path.exists(), "path": str(path), "isreg": path.is_file(), "readable": True}
    return {"changed": False, "stat": found}
