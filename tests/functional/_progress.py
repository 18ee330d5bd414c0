# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helpers of the tests of live progress: its lines, its file, and plays in which several tasks save."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from ansible_collections.airgap.images.plugins.module_utils._host.job_files import RESULT
from ansible_collections.airgap.images.tests.functional._helpers import check
from ansible_collections.airgap.images.tests.support.archive import Archive
from ansible_collections.airgap.images.tests.support.module import COLLECTION
from ansible_collections.airgap.images.tests.support.playbook import HOST_PYTHON, RunningPlay
from ansible_collections.airgap.images.tests.support.proxy import Proxy
from ansible_collections.airgap.images.tests.support.push import PushedImage, PushedPlatform

MODULE = "airgap.images.image_save"
PLAIN = "image_save_plain"
"""The module under a name for which there is no action plugin; see ``plain_library``."""

KEYS = {
    *(
        "version",
        "pid",
        "ended",
        "stage",
        "seconds",
        "images",
        "bytes",
        "rate",
        "seconds_left",
        "retries",
        "copying",
        "archive",
    ),
    "events",
}
"""Of the progress file."""

JOB_KEYS = {"ansible_job_id", "results_file", "started", "finished", "ansible_async_watchdog_pid"}
"""Keys that tell of a job; nothing of it is in the result of a task without ``async``."""

LINE = re.compile(
    r"(?P<host>[\w-]+): (?P<done>\d+) of (?P<of>\d+) images?(?:, (?P<failed>\d+) failed)?"
    r", (?P<here>[\d.]+ \w+) of (?P<all>[\d.]+ \w+)(?:, (?P<rate>[\d.]+ \w+/s))?(?:, (?P<left>[^;]+ left))?"
    r"(?:; copying (?P<copying>[^;]+?)(?: and (?P<more>\d+) more)?)?"
    r"(?:; archive (?P<archive>[\d.]+ \w+)(?:, part (?P<part>\d+))?)?"
)
"""The line that says how far a run is."""


def until(condition: Callable[[], object], what: str, timeout: float = 120.0, play: RunningPlay | None = None) -> None:
    """Returns once the condition holds.

    :raises TimeoutError: it did not; with what the play has said
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline or (play and not play.running() and not condition()):
            raise TimeoutError(f"{what}: not seen; {play.output() if play else ''}")
        time.sleep(0.02)


def local(**variables: Any) -> dict[str, Any]:
    """The variables of a host that is this machine."""
    return {"ansible_connection": "local", "ansible_python_interpreter": HOST_PYTHON, **variables}


def task(arguments: Mapping[str, Any], *, name: str = "task", module: str = MODULE, **keywords: Any) -> dict[str, Any]:
    """A task that saves."""
    return {"name": name, module: dict(arguments), **keywords}


def play(*tasks: Mapping[str, Any], hosts: str = "all", **keywords: Any) -> dict[str, Any]:
    """A play of these tasks."""
    return {"name": "play", "hosts": hosts, "gather_facts": False, "tasks": list(tasks), **keywords}


def plain_library(folder: Path) -> str:
    """A folder of modules with the module under the name ``PLAIN``."""
    library = folder / "library"
    library.mkdir()
    source = COLLECTION / "plugins" / "modules" / "image_save.py"
    (library / f"{PLAIN}.py").write_bytes(source.read_bytes())
    return str(library)


def by_way_of(proxy: Proxy, image: PushedImage) -> str:
    """The reference of an image that is fetched through a proxy."""
    return f"{proxy.host}/{image.repository}:{image.tag}"


def to_fetch(images: Sequence[PushedImage]) -> tuple[int, int]:
    """The least and the most that a first run downloads: layers alone, and with configs and manifests (4 kB each)."""
    wanted = [each for image in images for each in image.platforms if each.arch in ("amd64", "arm64")]
    layers = {layer.digest: layer.size for each in wanted for layer in each.layers}
    return sum(layers.values()), sum(layers.values()) + 8192 * len(wanted)


def layer_path(platform: PushedPlatform, number: int = -1) -> str:
    """A part of the path of a request for a layer."""
    return f"/blobs/{platform.layers[number].digest}"


def lines(text: str, host: str = "localhost") -> list[str]:
    """The lines about a host, those that were replaced on a terminal included."""
    return [line for line in re.split(r"[\r\n]+(?:\x1b\[K)?", text) if line.startswith(f"{host}: ")]


def measured(text: str, host: str = "localhost") -> list[re.Match[str]]:
    """The lines that say how far the run is on a host, each of which has to be in the form of the documentation."""
    found = [line for line in lines(text, host) if re.match(rf"{host}: \d+ of \d+ images?", line)]
    matches = [LINE.fullmatch(line) for line in found]
    assert all(matches), found
    return [each for each in matches if each]


def size(text: str) -> float:
    """Bytes, from text such as ``3.0 MiB``."""
    number, _space, unit = text.partition(" ")
    units = {"B": 1, "bytes": 1, "byte": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
    return float(number) * units[unit]


def read(path: Path) -> dict[str, Any]:
    """The content of a progress file now; empty where there is none yet."""
    with suppress(FileNotFoundError):
        found: dict[str, Any] = json.loads(path.read_bytes())
        return found
    return {}


class Reader:
    """Reads a progress file again and again for as long as the context lasts; ``states`` are all that it said.

    What cannot be read as a whole document is an error, which is raised at the end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.states: list[dict[str, Any]] = []
        self.reads = 0
        self._error: BaseException | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if self._error and kind is None:
            raise AssertionError(f"read {self.reads} times, then: {self._error}") from self._error

    def _run(self) -> None:
        last = b""
        try:
            while not self._ended.wait(0.002):
                with suppress(FileNotFoundError):
                    now = self.path.read_bytes()
                    self.reads += 1
                    if now != last:
                        self.states.append(json.loads(now))
                    last = now
        except Exception as error:  # the test has to hear of it
            self._error = error


def whole(dest: Path) -> Archive:
    """The archive, which is checked; report and restore script may be beside it."""
    beside = [f"{dest.name}.{suffix}" for suffix in ("report.html", "report.csv", "report.json", "restore.sh")]
    return check(dest, beside=beside)


def jobs(home: Path) -> list[str]:
    """The files of jobs of a user; see ``open_jobs``."""
    return open_jobs(home / ".ansible_async")


def open_jobs(folder: Path) -> list[str]:
    """The files in a folder of jobs but for those of runs that ended at once, which a later run removes."""
    names = sorted(each.name for each in folder.iterdir()) if folder.exists() else []
    ended = tuple(name.removesuffix(RESULT) for name in names if name.endswith(RESULT))
    return [name for name in names if not ended or not name.startswith(ended)]
