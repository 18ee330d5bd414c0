# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A play with the role and one host where nothing is new, beside the same play with the role of an earlier commit.

Over a real sshd, with become; the archive is fetched, and both roles look for what the host lacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ..support.module import ROOT
from ..support.ssh_hosts import SshHosts
from .context import Bench
from .figures import Figure, series
from .hosts import earlier, play
from .process import BenchError, Run, alternating
from .storage import Stored
from .workload import add_tiny_images

GROUP = "play"

EARLIER = "b6a6e80"
"""A commit whose role showed 38 tasks for this."""

MOST_BANNERS = 12
MOST_LINES = 70
_ALLOWED = 0.5


def measure(bench: Bench) -> list[Figure]:
    """The row of this group."""
    before, (image,) = earlier(bench, EARLIER), add_tiny_images(bench.storage, 1)
    with SshHosts() as host, bench.empty() as folder:
        roots = {"ours": ROOT, "theirs": before}
        places = {name: folder / name for name in roots}
        for name, root in roots.items():
            save(bench, host, root, places[name], image)
        samples = alternating(
            bench.sizes.rounds,
            {name: partial(save, bench, host, root, places[name], image) for name, root in roots.items()},
        )
    ours, theirs = samples["ours"], samples["theirs"]
    screens = [screen(each) for each in (ours[0], theirs[0])]
    (banners, lines), (their_banners, their_lines) = screens
    broken = [f"{banners} banners of tasks, allowed {MOST_BANNERS}"] if banners > MOST_BANNERS else []
    broken += [f"{lines} lines, allowed {MOST_LINES}"] if lines > MOST_LINES else []
    return [
        Figure(
            GROUP,
            "a play with one host and nothing new",
            series("ansible-playbook, 1 reference", "s", (each.wall for each in ours)),
            series(f"the same in {EARLIER}", "s", (each.wall for each in theirs)),
            _ALLOWED,
            tuple(broken),
            (
                f"{banners} banners of tasks and {lines} lines; in {EARLIER}, {their_banners} and {their_lines}",
                f"CPU: {_cpu(ours):.1f} s; in {EARLIER}, {_cpu(theirs):.1f} s",
            ),
        )
    ]


def save(bench: Bench, host: SshHosts, root: Path, folder: Path, image: Stored) -> Run:
    """Run a play with the role.

    :param root: folder with the collection below it.
    :param folder: for all that this collection saves; a second run finds it there.
    :raises BenchError: it fails, or changes something in the second run
    """
    is_first = not folder.exists()
    (variables,) = host.inventory([folder.name]).values()
    work = host.folder(folder.name)
    done = play(
        bench,
        root,
        folder,
        hosts={folder.name: variables},
        env=host.env,
        variables={
            "ansible_become": True,
            "image_save_images": [f"{bench.registry.host}/{image.repository}:{image.tag}"],
            "image_save_dest": str(work / "out" / "images.tar.gz"),
            "image_save_cache_dir": str(work / "cache"),
            "image_save_fetch_dest": str(folder / "media"),
            "image_save_validate_certs": False,
            "image_save_insecure_policy": True,
        },
    )
    if not is_first and b" changed=0 " not in done.stdout:
        raise BenchError("the second play has changed something:\n" + done.stdout.decode("utf-8", "replace")[-2000:])
    return done


def _cpu(runs: Sequence[Run]) -> float:
    return series("", "s", (each.cpu for each in runs)).median


def screen(done: Run) -> tuple[int, int]:
    """Return how many banners of tasks, and how many lines, a play has written."""
    lines = done.stdout.decode("utf-8").splitlines()
    return sum(line.startswith("TASK [") for line in lines), len(lines)
