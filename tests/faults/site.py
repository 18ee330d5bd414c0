# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One trial's files: the module runs here, and what it leaves is looked at."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ..support.archive import file_sha256
from ..support.faults import Rule
from ..support.module import Result, RunningModule, start_module
from ..support.proxy import Proxy
from ..support.registry import Credentials, Registry
from ..support.report_check import report_fits
from .trial import Violation, require

_OURS = (".lock", "accepted.json", "verified.json")
"""Files that a cache may have or not have."""

TIMEOUT = 120.0
"""Seconds after which a run is taken to hang."""


_REPORT, _TABLE, _FACTS = ".report.html", ".report.csv", ".report.json"


@dataclass(frozen=True)
class Quiet:
    """The result of a run when nothing is wrong.

    :param published: sha256 of each file of the archive, and of what stands beside it, by name.
    :param names: everything below the site's folder afterwards.
    :param seconds: from start to end.
    """

    published: Mapping[str, str]
    names: frozenset[str]
    seconds: float


class Site:
    """A folder with ``out``, ``cache``, ``home`` and ``tmp``; as a context manager it ends what still runs."""

    def __init__(self, folder: Path, registry: Registry, user: Credentials, references: Sequence[str]) -> None:
        self.folder = folder
        self.registry = registry
        self.user = user
        self.references = list(references)
        self.out, self.cache = folder / "out", folder / "cache"
        self.dest = self.out / "images.tar.gz"
        self._home, self._scratch = folder / "home", folder / "tmp"
        self._stack = ExitStack()

    def __enter__(self) -> Site:
        for each in (self.out, self._home, self._scratch):
            each.mkdir(exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    # -- running ----------------------------------------------------------------------

    def proxy(self, *rules: Rule, **options: Any) -> Proxy:
        """A proxy in front of the registry, until the trial ends."""
        return self._stack.enter_context(Proxy(self.registry.url, rules, **options))

    def params(self, **params: Any) -> dict[str, Any]:
        """The module's parameters: short delays, and whatever is given on top."""
        return {
            "images": self.references,
            "source_registry": self.registry.host,
            "username": self.user.username,
            "password": self.user.password,
            "dest": self.dest,
            "cache_dir": self.cache,
            "validate_certs": False,
            "retry_delay": 0.01,
            "stall_timeout": 1,
            **params,
        }

    def start(
        self, *, under: Sequence[str] = (), check: bool = False, diff: bool = False, **params: Any
    ) -> RunningModule:
        """Starts the module with home and temporary files on this site; it ends with the trial."""
        return self.start_module(self.params(**params), under=under, check=check, diff=diff)

    def start_module(self, full: Mapping[str, Any], **keywords: Any) -> RunningModule:
        """Starts any module so; see ``start_module`` of the fixtures."""
        env = {"HOME": str(self._home), "TMPDIR": str(self._scratch)}
        before = {name: os.environ.get(name) for name in env}
        os.environ.update(env)  # a fork server serves those that have its environment
        try:
            return self._stack.enter_context(start_module(full, **keywords))
        finally:
            os.environ.update({name: text for name, text in before.items() if text is not None})

    def run(self, **params: Any) -> Result:
        """Runs the module to its end."""
        return self.start(**params).wait(TIMEOUT)

    # -- looking ----------------------------------------------------------------------

    def published(self) -> dict[str, str]:
        """The sha256 of every file below ``out``, by its path there, but for what is hidden.

        A report also tells of the archive before, so of one that is whole and about its archive it is said just that.
        """
        found = published_below(self.out)
        for page in self.out.rglob(f"*{_REPORT}"):
            archive = str(page.relative_to(self.out))[: -len(_REPORT)]
            beside = [self.out / f"{archive}{suffix}" for suffix in (_REPORT, _TABLE, _FACTS, ".lock.json")]
            if all(path.is_file() for path in beside) and report_fits(*(path.read_bytes() for path in beside)):
                found.update({f"{archive}{suffix}": "about this archive" for suffix in (_REPORT, _TABLE, _FACTS)})
        return found

    def names(self) -> frozenset[str]:
        """Everything below the folder, but for what a cache may have or not."""
        found = (path.relative_to(self.folder) for path in self.folder.rglob("*"))
        return frozenset(str(name) for name in found if name.name not in _OURS)

    def require_completed(self, result: Result, quiet: Quiet) -> None:
        """The run ended well, what it published is what a quiet run publishes, and nothing else lies about.

        :raises Violation: it is not so
        """
        require(not result.failed, f"the run failed: {result.msg} {result.data.get('failed_images')}")
        self.require_published(quiet.published)
        self.require_nothing_left(quiet)
        lacking = sorted(quiet.names - self.names())
        require(not lacking, f"not there: {lacking[:5]}")
        self.require_no_secret()
        self.require_nothing_running()

    def require_published(self, expected: Mapping[str, str]) -> None:
        """:raises Violation: the archive, or what stands beside it, differs"""
        found = self.published()
        differ = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        require(not differ, f"other files than expected: {differ[:5]}")

    def require_nothing_left(self, quiet: Quiet) -> None:
        """:raises Violation: something lies about that a quiet run does not leave"""
        left = sorted(self.names() - quiet.names)
        require(not left, f"left over: {left[:5]}")

    def require_no_secret(self) -> None:
        """:raises Violation: a file holds the password"""
        pair = f"{self.user.username}:{self.user.password}"
        needles = (self.user.password.encode(), base64.b64encode(pair.encode()).rstrip(b"="))
        for path in self.folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                require(not any(each in content for each in needles), f"{path} holds the password")

    def require_nothing_running(self, seconds: float = 5.0) -> None:
        """Waits for the end of every process that was started on this site.

        :raises Violation: one still runs after so many seconds
        """
        deadline = time.monotonic() + seconds
        while running := self.running():
            if time.monotonic() > deadline:
                raise Violation(f"still running after {seconds:g} s: {running}")
            time.sleep(0.01)

    def running(self) -> dict[int, str]:
        """The command lines of the programs whose environment names this site's folder."""
        needle = f"{self.folder}/".encode()
        found: dict[int, str] = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                command = (path / "cmdline").read_bytes()
                if needle in (path / "environ").read_bytes() and b"fork_server" not in command:
                    found[int(path.name)] = command.replace(b"\0", b" ").decode()[:200]
            except OSError:  # it has ended, or is a zombie
                continue
        return found


def published_below(folder: Path) -> dict[str, str]:
    """The sha256 of every file below a folder, by its path there, but for what is hidden."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    names = ((path, path.relative_to(folder)) for path in files)
    return {
        str(name): file_sha256(path) for path, name in names if not any(each.startswith(".") for each in name.parts)
    }
