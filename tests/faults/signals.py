# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thousands of signals: in a process that does what the module does, and on the module with many tiny layers.

``kill`` looks at what a run leaves; here it is the number that counts. What hangs, hangs once in a hundred times.
"""

from __future__ import annotations

import functools
import json
import random
import signal
import time
from typing import Any

from ..support.forked import ForkServer, read_at_start
from ..support.module import ModuleError, RunningModule, alive, environment
from ..support.push import push
from ..support.samples import many_layers
from .ground import NAMED, Ground
from .site import TIMEOUT, Quiet, Site
from .trial import COMPLETED, Scale, Trial, require

GROUP = "signals"

ON_MODULE = 10
"""Signals of each trial on the module."""

_KINDS = {
    "flow": "the whole engine, with registries in memory",
    "pipeline": "the stages that write an archive",
    "requests": "many small requests",
    "waiting": "a lock that another run holds",
}
_TURNS = ("flow", "pipeline", "requests", "waiting", "flow", "pipeline", "flow", "flow")
_HARD_LIMIT = 1800.0
_END_WITHIN = 5.0
_MODULE_NUMBERS = 10_000
_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_VARIANTS: tuple[dict[str, Any], ...] = (
    {"compress": "gzip", "part_size": "60K"},
    {"compress": "dir"},
    {"compress": "none", "jobs": 12},
    {"compress": "zstd", "keep_cache": False},
)


def trials(scale: Scale) -> list[Trial]:
    """So many signals, some in each process and at most ten in each trial on the module."""
    each = scale.in_process
    kinds = [_TURNS[number % len(_TURNS)] for number in range(-(-scale.signals // each))]
    found = [
        Trial(
            GROUP, f"{each} in a process: {_KINDS[kind]}", number, functools.partial(_in_process, kind=kind, count=each)
        )
        for number, kind in enumerate(kinds)
    ]
    counts = [ON_MODULE] * (scale.module_signals // ON_MODULE) + [scale.module_signals % ON_MODULE]
    return found + [
        Trial(
            GROUP,
            f"{count} on the module, one run each",
            _MODULE_NUMBERS + number,
            functools.partial(_on_module, count=count, layers=scale.tiny_layers),
        )
        for number, count in enumerate(counts)
        if count
    ]


def _in_process(ground: Ground, chance: random.Random, *, kind: str, count: int) -> str:
    words = [kind, str(count), str(chance.random()), str(ground.new_folder())]
    env = environment()
    server = _server(read_at_start(env))
    with RunningModule([], b"", env, None, server=server, words=words) as running:
        status = running.process.wait(_HARD_LIMIT)
        stdout, stderr = running.output()
    require(status == 0, f"{' '.join(words)}: {stdout[-500:]}{stderr[-3000:]}")
    struck = json.loads(stdout)["struck"]
    require(struck >= count / 10, f"only {struck} of {count} came in time")
    return COMPLETED


@functools.cache
def _server(env: frozenset[tuple[str, str]]) -> ForkServer:
    """Forks for each process that is struck, as its imports would take longer than it."""
    return ForkServer(f"{__package__}.struck", dict(env))


def _on_module(ground: Ground, chance: random.Random, *, count: int, layers: int) -> str:
    """Runs that make one archive and another by turns, each ended at a random moment."""
    params = {**chance.choice(_VARIANTS), "stall_timeout": 60}  # nothing stalls here but a busy machine
    lists = _lists(ground, layers)
    quiets = [ground.quiet(**params, images=images) for images in lists]
    kept = [ground.quiet(**{**params, "keep_cache": True}, images=images) for images in lists]
    known = frozenset().union(*(each.names for each in (*quiets, *kept)))  # what was fetched stays, as a run says
    with ground.site() as site:
        site.require_completed(site.run(**params, images=lists[0]), quiets[0])
        now = 0
        for _signal in range(count):
            now = _strike(site, chance, params, lists, quiets, known, now)
        result = site.run(**params, images=lists[1 - now])
        require(not result.failed, f"the last run failed: {result.msg}")
        site.require_published(quiets[1 - now].published)
    return COMPLETED


def _strike(
    site: Site,
    chance: random.Random,
    params: dict[str, Any],
    lists: list[list[str]],
    quiets: list[Quiet],
    known: frozenset[str],
    now: int,
) -> int:
    """End a run that is to make the other archive; tells which one stands then.

    :param known: the names that may be there when it has ended.
    """
    other = 1 - now
    before = site.published()
    if chance.random() < 0.6:
        _empty_cache(site)
    number = chance.choice(_STOPS)
    running = site.start(**params, images=lists[other])
    time.sleep(chance.uniform(0.0, quiets[other].seconds))  # the moment is the point
    was_alive = alive(running.pid)
    running.signal(number)
    struck = time.monotonic()
    running.process.wait(TIMEOUT)
    seconds = time.monotonic() - struck
    require(not was_alive or seconds < _END_WITHIN, f"it took {seconds:.1f} s to end after {number.name}")
    try:
        result = running.wait(0)
    except ModuleError as error:  # the signal came before the module listened
        require(was_alive, f"it said nothing: {error}")
        result = None
    site.require_nothing_running(0.5)
    left = sorted(site.names() - known)
    require(not left, f"left over: {left[:5]}")
    if result is None or result.failed:
        require(result is None or not result.changed, f"it was ended, and says: {result and result.data}")
        site.require_published(before)
        return now
    require(result.changed, f"it says that nothing changed: {result.data}")
    site.require_published(quiets[other].published)
    return other


def _empty_cache(site: Site) -> None:
    for path in (site.cache / "share" / "sha256").iterdir():
        path.unlink()


def _lists(ground: Ground, layers: int) -> list[list[str]]:
    """Two lists of images of many tiny layers, which share one."""
    names = [f"tiny/{number}:1" for number in range(3)]
    for number, name in enumerate(names):
        if name not in ground.more:
            image = many_layers(layers, seed=90_000 + 1000 * number)
            ground.more[name] = push(ground.registry, name.partition(":")[0], "1", image)
    references = [f"{NAMED}/{name}" for name in names]
    return [references[:2], references[1:]]
