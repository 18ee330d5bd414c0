# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cost of showing the progress: a task as a job that is watched, beside the same task as a plain module."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..support.module import COLLECTION, ROOT, environment
from .context import Bench
from .figures import Figure, series
from .link import shaped
from .process import Run, alternating, run
from .storage import Stored

GROUP = "progress"
_MODULE = "airgap.images.image_save"
_PLAIN = "plain_image_save"


def measure(bench: Bench) -> list[Figure]:
    """The rows of this group: a short run and a long one, as what is more is mostly the start of the job."""
    with shaped(bench.registry.port) as host:
        few = bench.linked[: max(1, len(bench.linked) // 8)]
        return [_row(bench, images, host) for images in (few, bench.linked)]


def _row(bench: Bench, images: Sequence[Stored], host: str) -> Figure:
    def task(name: str) -> Run:
        with bench.empty() as folder:
            return _play(name, bench.params(images, folder, source_registry=host), folder)

    runs = alternating(bench.sizes.rounds, {"watched": lambda: task(_MODULE), "plain": lambda: task(_PLAIN)})
    walls = {name: series(f"ansible-playbook, {name}", "s", (each.wall for each in of)) for name, of in runs.items()}
    more = walls["watched"].median - walls["plain"].median
    return Figure(
        GROUP,
        f"task over a shaped link, {len(images)} references",
        walls["watched"],
        walls["plain"],
        None,
        notes=(f"{more:.1f} s more: 1 % of a run of {more * 100 / 60:.0f} minutes",),
    )


def _play(name: str, params: Mapping[str, Any], folder: Path) -> Run:
    """Run a play of one task on this machine; the module by another name has no action plugin."""
    library = folder / "library"
    library.mkdir()
    (library / f"{_PLAIN}.py").symlink_to(COLLECTION / "plugins" / "modules" / "image_save.py")
    playbook = folder / "play.json"
    task = {"name": "Save the images", name: dict(params)}
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}], default=os.fspath))
    settings: dict[str, str | None] = {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_LIBRARY": str(library),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "1",
    }
    options = ["-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}"]
    command = [sys.executable, "-m", "ansible", "playbook", *options, playbook]
    return run(command, env=environment(settings))
