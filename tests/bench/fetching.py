# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cost of fetching many small files from a host, beside ``scp -r`` of the same folder from the same sshd."""

from __future__ import annotations

import itertools
import json
import os
import shlex
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..support.layers import sha256
from ..support.module import ROOT, environment
from ..support.ssh_hosts import SshHosts
from .context import Bench
from .figures import Figure, cpu, series
from .process import MEGA, BenchError, Run, alternating, run
from .workload import noise

GROUP = "fetch"

_BOUND = 3.0
_SIZES = (500, 2000, 8000, 60000)
"""Bytes of a manifest, a configuration, and small layers; each has as many files as the others."""


def measure(bench: Bench) -> list[Figure]:
    """The row of this group. ``scp`` starts no interpreter, so what a play of a mere ping takes does not count."""
    count = bench.sizes.small_files
    with SshHosts() as hosts, bench.empty() as folder:
        source = _archive(hosts, count)
        (variables,) = hosts.inventory(["host"]).values()
        fresh = (folder / f"target-{number}" for number in itertools.count())

        def play(task: Mapping[str, Any]) -> Run:
            return _play(task, {"host": variables}, hosts.env, folder)

        def fetch() -> Run:
            dest = next(fresh)
            done = play({"airgap.images.image_fetch": {"src": source, "dest": dest}})
            return _checked(done, source, dest / source.name)

        def scp() -> Run:
            dest = next(fresh)
            options = shlex.split(str(variables["ansible_ssh_common_args"]))
            login = ["-i", str(variables["ansible_ssh_private_key_file"]), "-P", str(hosts.port)]
            done = run(["scp", "-q", "-r", *options, *login, f"{hosts.user}@127.0.0.1:{source}", dest])
            return _checked(done, source, dest)

        def ping() -> Run:
            return play({"ansible.builtin.ping": {}})

        ping()  # leaves bytecode for all others
        runs = alternating(bench.sizes.rounds, {"fetch": fetch, "ping": ping, "scp": scp})
    start = statistics.median(each.wall for each in runs["ping"])
    size = sum(_SIZES) * count / len(_SIZES) / MEGA
    return [
        Figure(
            GROUP,
            f"fetch of {count} small files",
            series("image_fetch less ping", "s", (each.wall - start for each in runs["fetch"])),
            series("scp -r", "s", (each.wall for each in runs["scp"])),
            _BOUND,
            notes=(f"{size:.0f} MB in all; ping alone takes {start:.2f} s",),
            cpu=cpu((each.cpu for each in runs["fetch"]), (each.cpu for each in runs["scp"])),
        )
    ]


def _archive(hosts: SshHosts, count: int) -> Path:
    """Write an archive of C(compress=dir) on the host, of which only the files are as they should be."""
    root = hosts.folder("host") / "images"
    (root / "share" / "sha256").mkdir(parents=True)
    parts = []
    for number in range(count):
        data = noise(f"small {number}", _SIZES[number % len(_SIZES)])
        digest = sha256(data).partition(":")[2]
        (root / "share" / "sha256" / digest).write_bytes(data)
        parts.append({"name": f"share/sha256/{digest}", "size": len(data), "sha256": digest})
    lock = {"version": 1, "options": {"compress": "dir"}, "images": [], "parts": parts}
    sums = "".join(f"{part['sha256']}  images/{part['name']}\n" for part in parts)
    Path(f"{root}.sha256").write_text(sums, encoding="utf-8")
    Path(f"{root}.lock.json").write_text(json.dumps(lock), encoding="utf-8")
    return root


def _play(task: Mapping[str, Any], inventory: Mapping[str, Any], env: Mapping[str, str], folder: Path) -> Run:
    playbook, hosts = folder / "play.json", folder / "hosts.json"
    play = {"hosts": "all", "gather_facts": False, "tasks": [{"name": "Task", **task}]}
    playbook.write_text(json.dumps([play], default=os.fspath), encoding="utf-8")
    hosts.write_text(json.dumps({"all": {"hosts": inventory}}, default=os.fspath), encoding="utf-8")
    settings = {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_NOCOLOR": "1",
        **env,
    }
    return run([sys.executable, "-m", "ansible", "playbook", "-i", hosts, playbook], env=environment(settings))


def _checked(done: Run, source: Path, target: Path) -> Run:
    """Make sure that all files have come."""
    if _files(source) != _files(target):
        raise BenchError(f"{target} is not what {source} is")
    return done


def _files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
