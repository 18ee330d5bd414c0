# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads of an archive and of a bundle that rests on it, alone and together in any order, of which some are killed.

Whatever came before: a load changes nothing while something that it needs is nowhere, no tag names anything that is not
whole, and in the end the registry has what a full archive would have given it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path

from ..support.module import Result, alive
from ..support.target import gaps, tags
from .ground import Ground
from .load import Load, loading, quiet_load
from .trial import COMPLETED, REFUSED, Scale, Trial, require

GROUP = "bundles"

_FORMS: tuple[tuple[tuple[str, object], ...], ...] = (
    (("compress", "gzip"), ("part_size", "60K")),
    (("compress", "gzip"), ("compress_level", 6)),
)
_NEWS = "news.tar.gz"


def trials(scale: Scale) -> list[Trial]:
    """Few in comparison with loads of one archive, as each of them has many loads; the short form has none."""
    fault = "an archive and a bundle in any order, killed now and then"
    return [Trial(GROUP, fault, number, _in_any_order) for number in range(scale.loads // 8)]


def _in_any_order(ground: Ground, chance: random.Random) -> str:
    full, news = _archives(ground, chance)
    quiet = quiet_load(ground, 0, 0)
    with loading(ground, 0, 0) as made:
        refused = 0
        for _step in range(chance.randint(2, 5)):
            src = chance.choice(([full], [news], [full, news], [news, full]))
            before = tags(made.target)
            result = _maybe_killed(made, src, chance, quiet.seconds)
            require(not gaps(made.target), f"tags that are not whole: {gaps(made.target)[:5]}")
            if result is not None and result.data.get("lacking"):
                require(src == [news], f"{src} lacks {result.data['lacking']}")
                require(tags(made.target) == before, "tags were changed although something is nowhere")
                require(result.data["lacking"][0]["digest"] in result.msg, result.msg)
                refused += 1
            elif result is not None:
                require(not result.failed, f"{result.msg} {result.data.get('failed_images')}")
        made.complete(quiet, src=[str(path) for path in chance.sample([full, news], 2)])
        return REFUSED if refused else COMPLETED


def _archives(ground: Ground, chance: random.Random) -> tuple[Path, Path]:
    """The lock files of an archive of the first images, and of a bundle of all that rests on it."""
    count, form = chance.randrange(1, ground.load.all), chance.choice(_FORMS)
    (full,) = (ground.earlier(count, form) / "out").glob("*.lock.json")
    folder = ground.earlier(ground.load.all, (*form, ("since", (str(full),))), name=_NEWS)
    return full, folder / "out" / f"{_NEWS}.lock.json"


def _maybe_killed(made: Load, src: Sequence[Path], chance: random.Random, seconds: float) -> Result | None:
    """The result of a load; None if it was killed."""
    wanted = {"src": [str(path) for path in src]}
    if chance.random() < 0.5:
        return made.run(**wanted)
    running = made.start(**wanted)
    time.sleep(chance.uniform(0.0, seconds))  # the moment is the point
    if not alive(running.pid):
        return running.wait(0)
    running.kill()
    made.site.require_nothing_running()
    return None
