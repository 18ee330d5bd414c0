# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cost of sharing a list out over hosts and staging it, beside the role as it was in an earlier commit.

All hosts are this machine (C(connection: local)), so the figures hold what the modules take on the hosts as well.
"""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..support.module import ROOT, environment
from .context import Bench
from .figures import Figure, series
from .process import BenchError, Run, run

GROUP = "hosts"

EARLIER = "e6c2010"
"""The last commit with a task, and a start of Python on the host, for each of some thirty small steps."""

NO_CHANGES: Mapping[str, str] = MappingProxyType({})
_ALLOWED = 0.25


def measure(bench: Bench) -> list[Figure]:
    """The rows of this group."""
    few, many = bench.sizes.hosts
    before = earlier(bench, EARLIER)
    ours = {count: [stage(bench, ROOT, count) for _round in range(bench.sizes.rounds)] for count in (few, many)}
    theirs = {count: [stage(bench, before, count)] for count in (few, many)}
    figures = [
        Figure(
            GROUP,
            f"staging on {count} hosts",
            series(f"--tags image_save_stage, {count} hosts", "s", [each.wall for each in ours[count]]),
            series(f"the same in {EARLIER}", "s", [each.wall for each in theirs[count]]),
            _ALLOWED,
            notes=(f"{bench.sizes.staged} references",),
        )
        for count in (few, many)
    ]
    return [
        *figures,
        Figure(
            GROUP,
            "CPU of staging for each host",
            series(f"{many} hosts", "s", [each.cpu / many for each in ours[many]]),
            series(f"{few} hosts", "s", [each.cpu / few for each in ours[few]]),
            1.00,
            notes=(f"in {EARLIER}: {theirs[few][0].cpu / few:.1f} and {theirs[many][0].cpu / many:.1f} s",),
        ),
    ]


def earlier(bench: Bench, commit: str) -> Path:
    """The collection as it was in an earlier commit, below a folder as Ansible wants it.

    :raises BenchError: the repository does not have that commit, as a shallow clone does not
    """
    root = bench.folder / commit
    collection = root / "ansible_collections" / "airgap" / "images"
    if collection.is_dir():
        return root
    collection.mkdir(parents=True)
    try:
        archive = run(["git", "-C", bench.checkout, "archive", commit, "plugins", "roles", "meta", "galaxy.yml"])
    except BenchError as error:
        raise BenchError(
            f"{bench.checkout} does not have the commit {commit}; fetch its history (git fetch --unshallow): {error}"
        ) from error
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
        tar.extractall(collection, filter="data")
    return root


def stage(bench: Bench, root: Path, count: int) -> Run:
    """Have hosts share a list, and stage their parts of it.

    :param root: folder with the collection below it.
    :raises BenchError: that fails, or a line is not on exactly one host
    """
    lines = [f"registry.example/team-{number // 2}/app:{number}" for number in range(bench.sizes.staged)]
    with bench.empty() as folder:
        hosts = {
            f"host-{number:02}": {"work": str(folder / f"host-{number:02}"), "ansible_connection": "local"}
            for number in range(count)
        }
        variables = {
            "image_save_images": lines,
            "image_save_dest": "{{ work }}/out/images.tar.gz",
            "image_save_fetch_dest": str(folder / "media"),
            "image_save_distribute": True,
            "image_save_balance": "count",  # there is no registry that could be asked for sizes
            "image_save_install": False,
        }
        done = play(bench, root, folder, hosts=hosts, variables=variables, options=["--tags", "image_save_stage"])
        staged = [path.read_text("utf-8").split() for path in folder.glob("host-*/out/lists/images.tar.gz.txt")]
        if sorted(line for share in staged for line in share) != sorted(lines) or len(staged) != count:
            raise BenchError(f"{count} hosts did not share the list out")
    return done


def play(
    bench: Bench,
    root: Path,
    folder: Path,
    *,
    hosts: Mapping[str, Mapping[str, str]],
    variables: Mapping[str, Any],
    options: Sequence[str] = (),
    env: Mapping[str, str] = NO_CHANGES,
) -> Run:
    """Run a play with the role; see :func:`run_play`."""
    content = {"roles": [{"role": "airgap.images.image_save"}]}
    return run_play(bench, root, folder, content, hosts=hosts, variables=variables, options=options, env=env)


def run_play(
    bench: Bench,
    root: Path,
    folder: Path,
    content: Mapping[str, Any],
    *,
    hosts: Mapping[str, Mapping[str, str]],
    variables: Mapping[str, Any],
    options: Sequence[str] = (),
    env: Mapping[str, str] = NO_CHANGES,
) -> Run:
    """Run a play.

    :param root: folder with the collection below it.
    :param folder: for the inventory and the playbook; it is made if necessary.
    :param content: its roles or tasks.
    :param hosts: variables of each host.
    :param variables: those of all hosts.
    :param options: of C(ansible-playbook).
    :param env: changes to its environment.
    :raises BenchError: it fails
    """
    folder.mkdir(exist_ok=True)
    inventory, playbook = folder / "inventory.json", folder / "play.json"
    known = {"all": {"hosts": hosts, "vars": {"ansible_python_interpreter": sys.executable, **variables}}}
    inventory.write_text(json.dumps(known), encoding="utf-8")
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, **content}]), encoding="utf-8")
    return run(
        [_playbook_program(), "--inventory", inventory, *options, playbook],
        env=environment(
            {
                "ANSIBLE_COLLECTIONS_PATH": str(root),
                "ANSIBLE_HOME": str(bench.folder / "ansible"),
                "ANSIBLE_INVENTORY_ENABLED": "ansible.builtin.yaml",
                "PYTHONPATH": None,
                "PYTHONPYCACHEPREFIX": None,
                **env,
            }
        ),
    )


def _playbook_program() -> str:
    name = "ansible-playbook"
    program = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if program is None:
        raise BenchError(f"there is no command {name} beside this Python, or in PATH")
    return program
