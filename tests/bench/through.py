# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run with nothing new through Ansible and a real sshd, beside the same run without Ansible and a bare ping."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..support.module import ROOT
from ..support.ssh_hosts import SshHosts
from .context import Bench
from .figures import Figure, cpu, series
from .hosts import run_play
from .process import BenchError, Run, alternating, run_module

GROUP = "through"

_HOST = "host"
_ALLOWED = 0.8
"""Seconds for a job on the host: to start it, to look at it, and to remove its files."""


def measure(bench: Bench) -> list[Figure]:
    """The row of this group."""
    images = bench.tiny[: bench.sizes.list_sizes[1]]
    cache = bench.tiny_cache
    with SshHosts() as host, bench.empty() as folder:
        params = {name: _plain(value) for name, value in bench.params(images, folder, cache_dir=cache).items()}
        bench.first_run(params)
        samples = alternating(
            bench.sizes.rounds,
            {
                "ping": partial(_play, bench, host, folder, "ansible.builtin.ping", {}),
                "module": partial(_play, bench, host, folder, "airgap.images.image_save", params),
                "direct": lambda: _direct(params),
            },
        )
    ping, direct = (series("", "s", (each.wall for each in samples[name])).median for name in ("ping", "direct"))
    return [
        Figure(
            GROUP,
            f"nothing new through Ansible, {len(images)} references",
            series("ansible-playbook over ssh", "s", (each.wall for each in samples["module"])),
            series(f"ping + run without Ansible + {_ALLOWED} s", "s", (ping + direct + _ALLOWED,)),
            1.00,
            notes=(
                f"a play with ping takes {ping:.2f} s, the run without Ansible {direct:.2f} s; "
                "the CPU seconds of plays are those of the controller",
            ),
            cpu=cpu(
                (each.cpu for each in samples["module"]),
                (one.cpu + other.cpu for one, other in zip(samples["ping"], samples["direct"])),
            ),
        )
    ]


def _play(bench: Bench, host: SshHosts, folder: Path, module: str, params: Mapping[str, Any]) -> Run:
    """Run a play with one task, and no more connections than that takes.

    :raises BenchError: it fails, or changes something.
    """
    (variables,) = host.inventory([_HOST]).values()
    content = {"tasks": [{module: params}]}
    # The folders belong to whoever measures.
    done = run_play(
        bench,
        ROOT,
        folder / "play",
        content,
        hosts={_HOST: variables},
        variables={"ansible_become": True},
        env=host.env,
    )
    if b" changed=0 " not in done.stdout:
        raise BenchError("a run with nothing new has changed something:\n" + done.stdout.decode("utf-8", "replace"))
    return done


def _direct(params: Mapping[str, Any]) -> Run:
    done = run_module(params)
    return Run(done.wall, done.cpu, b"")


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value
