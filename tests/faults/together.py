# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several runs at once, on one cache and one archive; some of them killed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from ..support.faults import Hold, Rule
from ..support.module import RunningModule, alive
from .ground import Ground
from .site import TIMEOUT, Site
from .trial import COMPLETED, HEALED, REFUSED, Scale, Trial, require

GROUP = "together"

_RUNS = 4
_WAITS: dict[str, Any] = {"lock_timeout": 100}


def trials(scale: Scale) -> list[Trial]:
    """Each kind as often as faults are made."""
    kinds: tuple[tuple[str, Callable[[Ground, random.Random], str]], ...] = (
        ("four runs at once, same cache and archive", _at_once),
        ("four runs at once, two of them killed", _some_killed),
        ("two archives from one cache", _two_archives),
        ("a second run that may not wait, same cache", _same_cache),
        ("a second run that may not wait, same archive", _same_archive),
    )
    chosen = (kind for _time in range(scale.times) for kind in kinds)
    return [Trial(GROUP, fault, number, run) for number, (fault, run) in enumerate(chosen)]


def _at_once(ground: Ground, chance: random.Random) -> str:
    quiet = ground.quiet()
    with ground.site() as site:
        proxy = site.proxy()
        runs = _begin_several(site, chance, proxy.host)
        results = [running.wait(TIMEOUT) for running in runs]
        told = [(result.rc, result.msg) for result in results]
        require(not any(result.failed for result in results), f"one of them failed: {told}")
        require(sum(result.changed for result in results) == 1, f"not just one of them made the archive: {told}")
        layers = {layer.digest for image in ground.images.values() for each in image.platforms for layer in each.layers}
        sent = {digest: count for digest, count in proxy.blob_gets().items() if digest in layers and count > 1}
        require(not sent, f"fetched more than once: {sent}")
        site.require_completed(results[0], quiet)
        return HEALED


def _some_killed(ground: Ground, chance: random.Random) -> str:
    """The others go on; the lock of a dead process is taken over."""
    quiet = ground.quiet()
    with ground.site() as site:
        runs = _begin_several(site, chance, site.registry.host)
        for running in chance.sample(runs, 2):
            time.sleep(chance.uniform(0.0, quiet.seconds / 2))  # the moment is the point
            running.kill()
            runs.remove(running)
        results = [running.wait(TIMEOUT) for running in runs]
        told = [(result.rc, result.msg) for result in results]
        require(not any(result.failed for result in results), f"one of them failed: {told}")
        site.require_completed(site.run(), quiet)
        return COMPLETED


def _begin_several(site: Site, chance: random.Random, source: str) -> list[RunningModule]:
    runs: list[RunningModule] = []
    for _run in range(_RUNS):
        runs.append(site.start(source_registry=source, **_WAITS))
        time.sleep(chance.uniform(0.0, 0.3))  # the moment is the point
    return runs


def _two_archives(ground: Ground, chance: random.Random) -> str:
    """Of the same images, in different forms: each as if it were alone."""
    first, second = chance.sample([{"compress": "gzip"}, {"compress": "zstd"}, {"compress": "none"}], 2)
    with ground.site() as site:
        runs = [
            site.start(dest=site.out / each["compress"] / site.dest.name, **each, **_WAITS) for each in (first, second)
        ]
        for running, params in zip(runs, (first, second), strict=True):
            result = running.wait(TIMEOUT)
            require(not result.failed, f"it failed: {result.msg}")
            found = site.published()
            for name, sha256 in ground.quiet(**params).published.items():
                require(found.get(f"{params['compress']}/{name}") == sha256, f"another {name} than alone")
        site.require_nothing_running()
        return HEALED


def _same_cache(ground: Ground, chance: random.Random) -> str:
    return _second_is_refused(ground, chance, same_cache=True)


def _same_archive(ground: Ground, chance: random.Random) -> str:
    return _second_is_refused(ground, chance, same_cache=False)


def _second_is_refused(ground: Ground, chance: random.Random, *, same_cache: bool) -> str:
    """It says who is at work, and where; the first does not notice."""
    quiet = ground.quiet()
    with ground.site() as site:
        hold = Hold()
        proxy = site.proxy(Rule(hold, path=f"/blobs/{_some_layer(ground, chance)}"))
        first = site.start(source_registry=proxy.host)
        proxy.wait_for(lambda seen: any(each.action is hold for each in seen))
        while not same_cache and not list(site.out.glob(".*.staging/lock")):
            require(alive(first.pid), "the first one ended before it wrote")
        where = {"dest": site.folder / "other" / "images.tar.gz"} if same_cache else {"cache_dir": site.folder / "else"}
        second = site.run(**where)
        require(second.failed and not second.changed, f"it was not refused: {second.data}")
        held = site.cache if same_cache else site.dest
        require(f"process {first.pid}" in second.msg and str(held) in second.msg, f"it does not say who: {second.msg}")
        require(not (site.folder / "other").exists(), "it made something of its own")
        hold.release()
        result = first.wait(TIMEOUT)
        require(not result.failed, f"the first one failed: {result.msg}")
        site.require_published(quiet.published)
        return REFUSED


def _some_layer(ground: Ground, chance: random.Random) -> str:
    image = chance.choice([each for each in ground.images.values() if each.platforms])
    return chance.choice(chance.choice(image.platforms).layers).digest
