# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that is a folder of the test, a controller, and the action plugin between them."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.airgap.images.plugins.action.image_fetch import ActionModule
from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.modules import image_fetch as image_fetch_module
from ansible_collections.airgap.images.tests.unit.results import result_of

NAME = "images.tar.gz"
HIDDEN = f".{NAME}.fetching"
LOCK, SUMS = f"{NAME}.lock.json", f"{NAME}.sha256"
FAILED = "# airgap.images: what could not be saved, with the reasons\n# 404\nnginx\n"

NULL = object()
"""Stands for an argument that is null; one that is ``None`` here is left out."""

Fault = Callable[[str], None]


class FakeConnection:
    """Copies files of the host; the faults of a name happen one after another, after its bytes have arrived."""

    transport = "local"

    def __init__(self) -> None:
        self._shell = SimpleNamespace(tmpdir=None, get_option=lambda option: self.remote_tmp)
        self.remote_tmp = ""
        self.become: object = "sudo"
        self.fetched: list[str] = []
        self.faults: dict[str, list[Fault]] = {}
        self.on_fetch: Callable[[], None] = lambda: None
        self.resets = 0
        self.options: dict[str, object] = {}

    def get_option(self, option: str) -> object:
        return self.options.get(option)

    def set_option(self, option: str, value: object) -> None:
        self.options[option] = value

    def set_become_plugin(self, plugin: object) -> None:
        self.become = plugin

    def fetch_file(self, in_path: str, out_path: str) -> None:
        assert self.become is None, "files are never fetched with become"
        self.on_fetch()
        name = os.path.basename(in_path)
        self.fetched.append(name)
        try:
            data = Path(in_path).read_bytes()
        except OSError as error:
            raise AnsibleError(f"failed to transfer {in_path}") from error
        Path(out_path).write_bytes(data)
        if self.faults.get(name):
            self.faults[name].pop(0)(out_path)

    def reset(self) -> None:
        self.resets += 1


def damage(path: str) -> None:
    Path(path).write_bytes(b"damaged")


def lose_connection(path: str) -> None:
    os.truncate(path, 1)
    raise AnsibleConnectionFailure("Connection reset by peer")


def stop(path: str) -> None:
    raise KeyboardInterrupt


class Scene:
    """A host, a controller, and the action between them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host, self.media = folder / "host", folder / "media" / "build1"
        self.host.mkdir()
        self.connection = FakeConnection()
        self.remote_tmp = folder / "ansible-tmp-1796033284.05-123-456"
        self.connection.remote_tmp = str(folder)
        self.bundles: list[list[str]] = []
        """The names of the small files that the host was asked for at once."""
        self.looked: list[str] = []
        self.says: Callable[[str], str] | None = None
        """Return the answer of the host's shell to a command; None: it is not one that can be asked."""
        self.warnings: list[str] = []
        self.waits: list[float] = []
        monkeypatch.setenv("ANSIBLE_HOME", str(folder / "ansible"))
        monkeypatch.setattr(time, "sleep", self.waits.append)
        monkeypatch.setattr("ansible.utils.display.Display.warning", self._warn)

    def _warn(self, msg: str, **more: object) -> None:
        self.warnings.append(msg)

    def save(self, parts: Mapping[str, bytes], *, name: str = NAME, compress: str = "gzip") -> None:
        """Write an archive as the module does, in place of an older one."""
        folder = self.host / name if compress == "dir" else self.host
        for path in self.host.rglob(f"{name}*" if compress != "dir" else "*"):
            if not path.is_dir():
                path.unlink()
        for part, data in parts.items():
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            (folder / part).write_bytes(data)
        self.write_records([part_of(part, data) for part, data in parts.items()], name=name, compress=compress)

    def write_records(self, parts: list[Part], *, name: str = NAME, compress: str = "gzip") -> None:
        (self.host / f"{name}.sha256").write_text("".join(f"{part.sha256}  {part.name}\n" for part in parts))
        lock = Lock({"compress": compress}, (), parts=tuple(parts), writer=2)
        (self.host / f"{name}.lock.json").write_bytes(write_lock(lock))

    def fetch(self, *, check: bool = False, diff: bool = False, **changed: Any) -> dict[str, Any]:
        """Run the task."""
        given = {"src": str(self.host / NAME), "dest": str(self.media), **changed}
        arguments = {name: None if value is NULL else value for name, value in given.items() if value is not None}
        task = SimpleNamespace(
            args=arguments,
            check_mode=check,
            diff=diff,
            async_val=0,
            no_log=False,
            action="image_fetch",
            play=None,
            _uuid="0-1",
            get_name=lambda: "Fetch the archive",
        )
        action = ActionModule(task, self.connection, SimpleNamespace(), None, None, None)
        action._load_name = "image_fetch"
        action._execute_module = self._execute_module
        says = self.says
        self.connection._shell.SHELL_FAMILY = "sh" if says is not None else ""
        if says is not None:
            action._low_level_execute_command = lambda command: {"stdout": says(command)}
        action._make_tmp_path = self._make_tmp_path
        self.connection.become = "sudo"
        self.connection.fetched.clear()
        return result_of(action, {"inventory_hostname": "build1"})

    def refused(self, **changed: Any) -> str:
        """Run a task that fails, and return what it says."""
        result = self.fetch(**changed)
        assert result.get("failed") is True
        assert not result.get("changed")
        return str(result["msg"])

    def _execute_module(
        self, module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        """Answers of the modules that look at files, to somebody who may read what everybody may."""
        assert task_vars == {"inventory_hostname": "build1"}
        if module_args.get("bundle"):
            return self._bundle(module_args["src"], module_args["bundle"])
        if module_name == "airgap.images.image_fetch":
            return self._survey(module_args.get("src"), module_args.get("failed_list"))
        assert (module_name, module_args["follow"]) == ("ansible.legacy.stat", True)
        path = module_args["path"]
        self.looked.append(os.path.basename(path))
        try:
            found = os.stat(path)
        except FileNotFoundError:
            return {"changed": False, "stat": {"exists": False}}
        except OSError as error:
            return {"failed": True, "msg": error.strerror}
        values = {"exists": True, "path": path, "size": found.st_size, "isreg": stat.S_ISREG(found.st_mode)}
        values["readable"] = bool(found.st_mode & stat.S_IROTH)
        return {"changed": False, "stat": values}

    def _make_tmp_path(self) -> str:
        self.remote_tmp.mkdir(exist_ok=True)
        return str(self.remote_tmp)

    def _bundle(self, src: str, files: list[dict[str, Any]]) -> dict[str, Any]:
        self.bundles.append([file["name"] for file in files])
        try:
            return {"left_out": image_fetch_module.collect(os.path.dirname(src), files, str(self.remote_tmp))}
        except OSError as error:
            return {"failed": True, "msg": f"{error.filename}: {error.strerror}"}

    def _survey(self, src: str | None, failed_list: str | None) -> dict[str, Any]:
        found: dict[str, Any] = {}
        paths = {name: f"{src}{suffix}" for name, suffix in image_fetch_module.BESIDE.items()} if src else {}
        for name, path in {**paths, **({"failed_list": failed_list} if failed_list else {})}.items():
            self.looked.append(os.path.basename(path))
            try:
                if os.path.exists(path) and not os.stat(path).st_mode & stat.S_IROTH:
                    raise image_fetch_module.UnreadableError(path, name=name)
                found[name] = image_fetch_module.look(path, name=name)
            except image_fetch_module.UnreadableError as error:
                return {"failed": True, "msg": str(error), "unreadable": error.name}
            except OSError as error:
                return {"failed": True, "msg": f"{error.filename} cannot be read: {error.strerror}"}
        return {"changed": False, "found": found}

    def path(self, name: str) -> Path:
        return self.media / name

    def put(self, name: str, data: bytes | str = b"precious") -> Path:
        """Write a file on the controller."""
        path = self.media / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def visible(self) -> list[str]:
        """The files on the controller under final names."""
        return [name for name in self.names() if not name.startswith(HIDDEN)]

    def names(self) -> list[str]:
        """The files on the controller, hidden ones too."""
        return sorted(str(path.relative_to(self.media)) for path in self.media.rglob("*"))


def part_of(name: str, data: bytes) -> Part:
    return Part(name, len(data), hashlib.sha256(data).hexdigest())


def snapshot(folder: Path) -> dict[str, tuple[object, ...]]:
    """All that can be told of a directory without reading times."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        marks = os.lstat(path)
        content = os.readlink(path) if path.is_symlink() else b"" if path.is_dir() else path.read_bytes()
        found[str(path)] = (marks.st_ino, marks.st_mode, marks.st_mtime_ns, marks.st_ctime_ns, content)
    return found


PARTS = {f"{NAME}.part0": b"first", f"{NAME}.part1": b"second", f"{NAME}.part2": b"third"}


def blob_of(data: bytes) -> str:
    return f"share/sha256/{hashlib.sha256(data).hexdigest()}"


FOLDER = "cd" * 32
LAYOUT = {
    "index.json": b"{}",
    "oci-layout": b"1",
    f"{FOLDER}/oci-layout": b"1",
    f"{FOLDER}/index.json": b"{ }",
    blob_of(b"ab"): b"ab",
    blob_of(b"cd"): b"cd",
}
LINKS = ["images/blobs", f"images/{FOLDER}/blobs"]
