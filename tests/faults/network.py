# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of a network: those that end in time leave no trace, those that do not are told, and cost one image."""

from __future__ import annotations

import functools
import random
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..support.archive import file_sha256
from ..support.faults import Rule
from ..support.module import Result
from ..support.proxy import Proxy
from ..support.push import PushedImage, PushedPlatform
from ..support.registry import Registry
from .ground import NAMED, Ground
from .network_kinds import EVERYWHERE, HEALS, KINDS, PASSING, STORM, Kind
from .network_parts import CONFIG, COPIED, LAYER, Part, parts_of
from .network_ways import Way, Ways
from .site import Site
from .trial import FAILED, HEALED, Scale, Trial, require

GROUP = "network"

_RETRIES = 3
_SHOWN = 200
"""Characters of a reason that the message of the run has in any case; the rest may be cut."""

_STORM = 25


def trials(scale: Scale) -> list[Trial]:
    """Each kind as often as is asked for, by turns in each of its forms; the main ones only, if that is once."""
    made = [
        (kind, kind.forms[(row + turn) % len(kind.forms)])
        for turn in range(scale.times)
        for row, kind in enumerate(KINDS)
    ]
    return [
        Trial(GROUP, kind.fault, number, functools.partial(_run, kind=kind, form=form))
        for number, (kind, form) in enumerate(made)
        if kind.is_main or scale.times > 1
    ]


@dataclass(frozen=True)
class _Case:
    """A few images, one of which is hit.

    :param names: the references, in their order.
    :param parts: what is asked for of them and of no other, by kind, each with its reference.
    :param hit: the one; its ``part`` is.
    """

    ground: Ground
    site: Site
    chance: random.Random
    names: tuple[str, ...]
    parts: dict[str, list[tuple[str, Part]]]
    hit: str
    part: Part
    skopeo_copy: str

    @property
    def others(self) -> list[str]:
        """Those that nothing happens to."""
        return [each for each in self.names if each != self.hit]

    def images(self) -> list[PushedImage]:
        """The images behind the references."""
        return [self.ground.images[each] for each in self.names]

    def run(self, host: str, **params: Any) -> Result:
        """A run of the module that is told to fetch from this host."""
        usual = {"source_registry": host, "retries": _RETRIES, "skopeo_copy": self.skopeo_copy}
        return self.site.run(**{"images": list(self.names), **usual, **params})

    def cached(self) -> set[str]:
        """The blobs of the images that are in the cache, and sound."""
        found: set[str] = set()
        for digest in _blobs(self.images()):
            path = self.site.cache / "share" / "sha256" / digest.partition(":")[2]
            if path.is_file():
                require(f"sha256:{file_sha256(path)}" == digest, f"{path} is not what its name says")
                found.add(digest)
        return found

    def incomplete(self) -> list[PushedPlatform]:
        """The platform images that the cache does not have as a whole."""
        platforms = (each for one in self.images() for each in one.platforms)
        return [each for each in platforms if not (self.site.cache / each.digest.partition(":")[2]).is_dir()]


def _run(ground: Ground, chance: random.Random, *, kind: Kind, form: str) -> str:
    with _case(ground, chance, kind) as case, Ways(ground, case.site, chance) as ways:
        if form == STORM:
            return _storm(case)
        if form == EVERYWHERE:
            return _everywhere(case, kind, ways.everywhere(kind))
        way = ways.to(kind, case.part, form)
        return _heals(case, kind, way) if form == HEALS else _lasts(case, kind, way)


@contextmanager
def _case(ground: Ground, chance: random.Random, kind: Kind) -> Iterator[_Case]:
    names = tuple(f"{NAMED}/{each}" for each in chance.choice(ground.load.sets))
    found: dict[str, list[tuple[str, Part]]] = {}
    for name in names:
        shared = _blobs([ground.images[each] for each in names if each != name])
        for part in parts_of(ground.images[name], ground.registry, shared=shared):
            found.setdefault(part.kind, []).append((name, part))
    wanted = chance.choice([each for each in kind.parts if each in found])
    hit, part = chance.choice(found[wanted])
    earlier = tuple(each for each in names if each != hit)[:1] if chance.random() < 0.5 else ()
    like = ground.earlier(0, (("images", earlier),)) if earlier else None
    # Otherwise skopeo asks for the first image only.
    skopeo_copy = "always" if part.kind in (COPIED, CONFIG) else chance.choice(("auto", "always"))
    with ground.site(like=like) as site:
        yield _Case(ground, site, chance, names, found, hit, part, skopeo_copy)


def _heals(case: _Case, kind: Kind, way: Way) -> str:
    assert way.front is not None and way.action is not None
    quiet = case.ground.quiet(images=list(case.names))
    before = case.cached()
    times = case.chance.randint(1, kind.most) if kind.most else None
    rule = case.part.rule(way.action, times=times)
    way.front.add(rule)
    result = case.run(way.host, **way.params)
    require(not result.failed, f"{way.action} for the {case.part.kind}, {times} times: {result.msg}")
    met = rule.hits == times if times is not None else rule.hits > 0
    require(met, f"{way.action} was met {rule.hits} times by the {case.part.kind}, not {times}")
    case.site.require_completed(result, quiet)
    _require_no_waste(case, way.front, before, harmful=times or 0, resumes=kind.resumes)
    return HEALED


def _require_no_waste(case: _Case, front: Proxy, before: set[str], *, harmful: int, resumes: bool) -> None:
    """Each layer that was not there was asked for once, and again for each fault; none of its bytes came in vain."""
    asked = front.blob_gets()
    expected = Counter(_layers(case.images()) - before)
    if case.part.kind == LAYER:
        expected[case.part.digest] += harmful
    found = {digest: asked[digest] for digest in _layers(case.images()) if asked[digest]}
    require(found == expected, f"layers were asked for {found} times, not {expected}")
    if resumes and case.part.kind == LAYER:
        sent = sum(each.sent for each in front.requests() if re.search(case.part.path, each.path))
        require(sent == case.part.size, f"{sent} bytes were sent of a layer of {case.part.size}")


def _storm(case: _Case) -> str:
    """Faults of all kinds, on all images; each of them would heal."""
    quiet = case.ground.quiet(images=list(case.names))
    rules: list[Rule] = []
    for _number in range(_STORM):
        kind = case.chance.choice(PASSING)
        wanted = case.chance.choice([each for each in kind.parts if each in case.parts])
        _name, part = case.chance.choice(case.parts[wanted])
        assert kind.action is not None
        rules.append(part.rule(kind.action(part, case.chance), times=1))
    front = case.site.proxy(*rules)
    case.site.require_completed(case.run(front.host, retries=_STORM, skopeo_copy="always"), quiet)
    met = sum(rule.hits for rule in rules)
    require(met > _STORM / 3, f"only {met} of {_STORM} faults were met")
    return HEALED


def _lasts(case: _Case, kind: Kind, way: Way) -> str:
    assert way.front is not None and way.action is not None
    partial = case.chance.random() < 0.5
    before = case.site.published()
    rule = case.part.rule(way.action, times=None, for_all=True)
    way.front.add(rule)
    result = case.run(way.host, **{**way.params, **kind.params, "allow_partial": partial})
    require(rule.hits, f"{way.action} was never met by the {case.part.kind}")
    _require_told(case, kind, result, {case.hit})
    require(result.failed is not partial, f"with allow_partial={partial} it ended so: {result.data}")
    if partial:
        _require_others_published(case)
    else:
        case.site.require_published(before)
    lacking = _blobs([case.ground.images[each] for each in case.others]) - case.cached()
    require(not lacking, f"of the other images the cache lacks {sorted(lacking)[:3]}")
    rule.end()
    _complete(case, way.front, way)
    return FAILED


def _everywhere(case: _Case, kind: Kind, way: Way) -> str:
    before = case.site.published()
    result = case.run(way.host, **way.params)
    require(result.failed and not result.changed, f"nothing can be fetched, and it says: {result.data}")
    _require_told(case, kind, result, set(case.names))
    case.site.require_published(before)
    registry = case.ground.registry
    _complete(case, registry, Way(registry.host))
    return FAILED


def _require_told(case: _Case, kind: Kind, result: Result, failed: set[str]) -> None:
    """Require that each image that failed is named, with cause and remedy in one sentence."""
    reasons = {str(each["reference"]): str(each["reason"]) for each in result.data.get("failed_images", ())}
    require(reasons.keys() == failed, f"{sorted(failed)} should have failed, not {reasons}: {result.msg}")
    for name, reason in reasons.items():
        absent = [each for each in kind.said if not re.search(each, reason)]
        require(not absent, f"for the {case.part.kind}: {reason!r} does not say {absent}")
        require("Traceback" not in reason and "object at 0x" not in reason, f"not for people: {reason}")
        is_told = name in result.msg and reason[:_SHOWN] in result.msg
        require(is_told or not result.failed, f"{name} is not in {result.msg!r}")


def _require_others_published(case: _Case) -> None:
    """The archive is that of the other images alone; the lock beside it tells which one failed."""
    quiet = case.ground.quiet(images=case.others)
    telling = [f"{case.site.dest.name}{suffix}" for suffix in (".lock.json", ".restore.sh")]
    expected = {name: sha256 for name, sha256 in quiet.published.items() if name not in telling}
    found = {name: sha256 for name, sha256 in case.site.published().items() if name not in telling}
    require(found == expected, f"the archive is not that of the other images: {found} {expected}")


def _complete(case: _Case, asked: Proxy | Registry, way: Way) -> None:
    """The next run, and the network is well: what is missing is fetched, and nothing else.

    :param asked: counts what is asked for on the way.
    """
    quiet = case.ground.quiet(images=list(case.names))
    case.site.require_nothing_running()
    case.site.require_no_secret()
    missing = _blobs(case.images()) - case.cached()
    incomplete = case.incomplete()
    asked.clear()
    case.site.require_completed(case.run(way.host, **way.params), quiet)
    fetched = asked.blob_gets()
    layers = _layers(case.images())
    found = {digest: count for digest, count in fetched.items() if digest in layers}
    expected = Counter(layers & missing)
    require(found == expected, f"layers were fetched {found} times, but {expected} were missing")
    # skopeo fetches the configuration of each image that it completes.
    needless = fetched.keys() - layers - missing - {each.config_digest for each in incomplete}
    require(not needless, f"fetched without need: {sorted(needless)}")


def _blobs(images: list[PushedImage]) -> set[str]:
    return {digest for image in images for each in image.platforms for digest in each.blobs}


def _layers(images: list[PushedImage]) -> set[str]:
    return {layer.digest for image in images for each in image.platforms for layer in each.layers}
