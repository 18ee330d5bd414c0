# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A random walk over options, lists, tags and damage: what the documentation promises of every run holds at every step.

A step changes a thing or two, and then runs the module four times: in check mode, for real, and both again. Check mode
writes nothing and foretells the real run; the second real run finds nothing to do; the sums are right; the archive is
whole, holds what the list and the options say, and nothing is left over. Written from the module's documentation.
"""

from __future__ import annotations

import functools
import json
import random
from pathlib import Path
from typing import Any

from ..support.module import Result
from . import walk_look
from .ground import Ground
from .site import Site
from .trial import COMPLETED, Scale, Trial, Violation, require
from .walk_images import Shelf
from .walk_moves import Walker

GROUP = "walk"

STEPS = 10
"""Steps of each trial."""

_AFRESH = 0.15
_FORETOLD = ("changed", "reason", "images", "failed_images", "skipped_images", "invalid_lines", "dest")
_PLANNED = ("images", "platform_images", "blobs", "bytes", "archive_bytes")


def trials(scale: Scale) -> list[Trial]:
    """So many steps, ten in each trial, and the rest in the last one."""
    counts = [STEPS] * (scale.steps // STEPS) + [scale.steps % STEPS] * (scale.steps % STEPS > 0)
    return [
        Trial(
            GROUP, f"{count} steps over options, lists, tags and damage", number, functools.partial(_walk, steps=count)
        )
        for number, count in enumerate(counts)
    ]


def _walk(ground: Ground, chance: random.Random, *, steps: int) -> str:
    shelf = Shelf.stocked(ground)
    with ground.site() as site:
        walker = Walker(site, shelf, chance)
        for number in range(steps):
            moves = [walker.move() for _move in range(chance.choice((1, 2, 2, 3, 4)))]
            try:
                _step(ground, walker)
            except (Violation, AssertionError) as error:
                params = json.dumps(walker.params(), default=str)
                raise Violation(f"step {number}, after {', '.join(moves)}, with {params}: {error}") from error
    return COMPLETED


def _step(ground: Ground, walker: Walker) -> None:
    site, params = walker.site, walker.params()
    before = walk_look.snapshot(site.folder)
    foretold = _check(site, params, before)
    done = site.run(diff=True, **params)
    walk_look.require_nothing_left(site)
    if _is_foreseen(walker, done):
        _require_foretold(foretold, done)
    if "images" not in done.data:  # the options, or what stands there, were refused
        require(done.failed and not done.changed, f"it says nothing of the images: {done.data}")
        walk_look.require_same(before, walk_look.snapshot(site.folder), walk_look.CONTENT, "a run that was refused")
        walker.retreat()
        return
    walk_look.require_sums(walker, done)
    if done.failed:
        walk_look.require_same(
            before, walk_look.snapshot(site.folder), walk_look.PUBLISHED, "a run that failed", but=walker.failed_list
        )
    else:
        walk_look.require_true(walker, done)
    _require_silent(site, params, walker, done)
    if not done.failed and walker.chance.random() < _AFRESH:
        _require_same_afresh(ground, walker)


def _check(site: Site, params: dict[str, Any], before: walk_look.Snapshot) -> Result:
    """A run in check mode, after which everything is as it was."""
    result = site.run(check=True, diff=True, **params)
    walk_look.require_same(before, walk_look.snapshot(site.folder), walk_look.EVERYTHING, "check mode")
    return result


def _is_foreseen(walker: Walker, done: Result) -> bool:
    """Return True if check mode could know: that a registry lacks a layer is seen when it is fetched."""
    failed = {each["reference"] for each in done.data.get("failed_images", [])}
    return not failed & walker.shelf.unforeseen(walker.state)


def _require_foretold(foretold: Result, done: Result) -> None:
    """Check mode said what the real run then did."""
    require(foretold.failed == done.failed, f"check mode: {foretold.msg} | the run: {done.msg}")
    for name in _FORETOLD:
        said, was = foretold.data.get(name), done.data.get(name)
        if isinstance(said, str):
            said = said.replace("to be accepted anew", "accepted anew")
        require(said == was, f"check mode says of {name}: {said}; the run: {was}")
    require(foretold.data.get("diff") == done.data.get("diff"), "check mode shows another difference")
    said, was = ({name: each.data.get("plan", {}).get(name) for name in _PLANNED} for each in (foretold, done))
    require(said == was, f"check mode plans {said}; the run {was}")
    if "images" not in done.data:  # it was refused, as a whole
        require(foretold.msg == done.msg, f"check mode: {foretold.msg} | the run: {done.msg}")


def _require_silent(site: Site, params: dict[str, Any], walker: Walker, done: Result) -> None:
    """The same again finds nothing to do, writes nothing, and is foretold."""
    before = walk_look.snapshot(site.folder)
    foretold = _check(site, params, before)
    again = site.run(diff=True, **params)
    if params.get("allow_partial") or _is_foreseen(walker, again):  # what is in an archive, check mode knows of
        _require_foretold(foretold, again)
    after = walk_look.snapshot(site.folder)
    require(again.failed == done.failed, f"first: {done.msg} | again: {again.msg}")
    if params.get("force") and not again.failed:
        require(again.changed, "force, and nothing changed")
        walk_look.require_same(before, after, walk_look.PUBLISHED, "the same again with force")
        return
    require(not again.changed, f"the second run changes something: {again.data['reason']} | {again.msg}")
    # Where something failed it is tried again, for which the cache is taken hold of.
    has_failures = again.failed or again["failed_images"] or again["invalid_lines"]
    what = walk_look.PUBLISHED_UNTOUCHED if has_failures else walk_look.UNTOUCHED
    walk_look.require_same(before, after, what, "the same again")
    walk_look.require_nothing_left(site)


def _require_same_afresh(ground: Ground, walker: Walker) -> None:
    """On an empty site the same options give the same bytes, but for what is told of failures and of before."""
    with ground.site() as fresh:
        params = walker.params_at(fresh)
        result = fresh.run(**params)
        require(not result.failed, f"on an empty site it fails: {result.msg}")
        here = walk_look.archive_bytes(Path(walker.params()["dest"]).parent)
        there = walk_look.archive_bytes(Path(params["dest"]).parent)
        differ = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
        require(not differ, f"on an empty site the bytes are others: {differ[:5]}")
