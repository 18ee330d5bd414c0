# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads into a registry that are killed or ended at any moment, or whose registry fails.

After each, no tag of the registry may name anything that is not whole, and a run to the end makes all as a quiet one
does.
"""

from __future__ import annotations

import functools
import itertools
import json
import random
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..support.disks import resize, small_disk
from ..support.faults import Action, Busy, Reset, Respond, Rule, Truncate
from ..support.module import ModuleError, Result, RunningModule, alive
from ..support.proxy import Proxy
from ..support.registry import Registry
from ..support.target import gaps, tags
from .ground import PATIENT, USER, Ground
from .site import TIMEOUT, Site
from .trial import COMPLETED, FAILED, HEALED, MISSED, Scale, Trial, first_hit, require

GROUP = "load"

_ROOM = 64 * 1024 * 1024
_END_WITHIN = 5.0
_FILE = re.compile(r"owner remove (blobs/sha256/\w\w/\w{64}/data) from its storage")
_FORMS: tuple[dict[str, Any], ...] = (
    {"compress": "gzip", "part_size": "60K"},
    {"compress": "zstd", "part_size": "50K"},
    {"compress": "gzip", "compress_level": 6},
    {"compress": "dir"},
)
_OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"jobs": 1},
    {"check_target": "blobs", "jobs": 8},
    {"verify": "first"},
    {"keep_registry": True},
)


def trials(scale: Scale) -> list[Trial]:
    """As many as are asked for, by turns of each kind."""
    kinds: tuple[tuple[str, Callable[[Ground, random.Random], str]], ...] = (
        ("SIGKILL at a random moment", functools.partial(_at_a_moment, number=signal.SIGKILL)),
        ("connections that break, and a registry that fails now and then", _broken),
        ("SIGTERM at a random moment", functools.partial(_at_a_moment, number=signal.SIGTERM)),
        ("a registry whose disk is full", _full),
        ("SIGKILL again and again", _again_and_again),
        ("a registry that is killed, and comes back", _registry_killed),
        ("SIGKILL at a random moment", functools.partial(_at_a_moment, number=signal.SIGKILL)),
        ("SIGKILL at a random moment", functools.partial(_at_a_moment, number=signal.SIGKILL)),
    )
    chosen = ((number, kinds[number % len(kinds)]) for number in range(scale.loads))
    return [Trial(GROUP, fault, number, run) for number, (fault, run) in chosen]


@dataclass(frozen=True)
class Quiet:
    """The course of a load when nothing is wrong.

    :param tags: the digest of each.
    """

    seconds: float
    tags: Mapping[str, str]


class Load:
    """A site with an archive, and an empty registry."""

    def __init__(self, site: Site, target: Registry, src: Path, options: Mapping[str, Any]) -> None:
        self.site = site
        self.target = target
        self.receipt = site.folder / "receipt.json"
        self._src = src
        self._options = options

    def start(self, *, host: str = "", **params: Any) -> RunningModule:
        """Starts a load; by way of a proxy if its host is given."""
        usual = {
            "src": [self._src],
            "registry": host or self.target.host,
            "username": USER.username,
            "password": USER.password,
            "validate_certs": False,
            "retry_delay": 0.01,
            "stall_timeout": 1,
            "receipt": self.receipt,
        }
        return self.site.start_module({**usual, **self._options, **params}, module="image_load")

    def run(self, **params: Any) -> Result:
        """Runs a load to its end."""
        return self.start(**params).wait(TIMEOUT)

    def _mended(self, result: Result) -> Result:
        """Does what the result of a load asks of the owner of a registry that keeps damaged files, and loads again."""
        for _time in range(9):
            files = [
                match for image in result.data.get("failed_images", ()) for match in _FILE.findall(image["reason"])
            ]
            if not files:
                break
            self.require_whole()
            for file in files:
                (self.target.storage / "docker/registry/v2" / file).unlink(missing_ok=True)
            result = self.run(**PATIENT)
        return result

    def require_whole(self) -> None:
        """:raises Violation: a tag names something that is not whole, or a receipt says what is not so"""
        found = gaps(self.target)
        require(not found, f"tags that are not whole: {found[:5]}")
        self.site.require_no_secret()
        if self.receipt.exists():
            said = json.loads(self.receipt.read_bytes())
            require(not said["complete"] or tags(self.target), "the receipt says that all is there")

    def complete(self, quiet: Quiet, **params: Any) -> None:
        """:raises Violation: the next run does not make all as a quiet one does, or the one after it does something"""
        result = self._mended(self.run(**PATIENT, **params))
        require(not result.failed, f"the next run failed: {result.msg} {result.data.get('failed_images')}")
        require(tags(self.target) == quiet.tags, f"other tags: {tags(self.target)}, expected {quiet.tags}")
        self.require_whole()
        require(json.loads(self.receipt.read_bytes())["complete"], "the receipt is not complete")
        again = self.run(**PATIENT, **params)
        require(not again.failed and not again.changed, f"a run with nothing to do says: {again.msg}")
        self.site.require_nothing_running()


def _choose(ground: Ground, chance: random.Random) -> tuple[int, int]:
    forms = min(len(_FORMS), ground.load.variants)
    return chance.randrange(forms), chance.randrange(len(_OPTIONS))


@contextmanager
def loading(ground: Ground, form: int, options: int, *, storage: Path | None = None) -> Iterator[Load]:
    """A site whose archive has all images of the ground.

    :param storage: where the registry keeps them; in a folder of its own if that is not given.
    """
    archive = ground.earlier(ground.load.all, tuple(_FORMS[form].items())) / "out"
    folder = storage or ground.new_folder()
    with ground.site() as site, Registry(folder, basic=USER) as target:
        yield Load(site, target, archive, _OPTIONS[options])


@functools.cache
def quiet_load(ground: Ground, form: int, options: int) -> Quiet:
    with loading(ground, form, options) as made:
        started = time.monotonic()
        result = made.run(**PATIENT)
        seconds = time.monotonic() - started
        require(result.changed and not result.failed, f"a quiet load failed: {result.data}")
        made.require_whole()
        return Quiet(seconds, tags(made.target))


def _at_a_moment(ground: Ground, chance: random.Random, *, number: signal.Signals) -> str:
    return first_hit(_at_one_moment(ground, chance, number, share) for share in (1.0, 0.7, 0.5, 0.3, 0.2))


def _at_one_moment(ground: Ground, chance: random.Random, number: signal.Signals, share: float) -> str:
    kind = _choose(ground, chance)
    quiet = quiet_load(ground, *kind)
    with loading(ground, *kind) as made:
        running = made.start()
        # The moment is the point: it is not waited for anything.
        time.sleep(chance.uniform(0.0, quiet.seconds * share))
        if not alive(running.pid):
            return MISSED
        running.signal(number)
        struck = time.monotonic()
        running.process.wait(TIMEOUT)
        seconds = time.monotonic() - struck
        made.site.require_nothing_running()
        made.require_whole()
        if number == signal.SIGTERM:
            require(seconds < _END_WITHIN, f"it took {seconds:.1f} s to end")
            _require_told(running)
        made.complete(quiet)
        return COMPLETED


def _require_told(running: RunningModule) -> None:
    """A run that was told to end says so, if it had begun, and had not come to its end."""
    try:
        ended = running.wait(0)
    except ModuleError:
        return
    require(not ended.failed or "SIGTERM" in ended.msg, f"it was stopped, and says: {ended.data}")


def _again_and_again(ground: Ground, chance: random.Random) -> str:
    return first_hit(_again_and_again_within(ground, chance, share) for share in (0.8, 0.5, 0.2))


def _again_and_again_within(ground: Ground, chance: random.Random, share: float) -> str:
    """Five runs one after the other are killed; each goes on from what the one before has left."""
    kind = _choose(ground, chance)
    quiet = quiet_load(ground, *kind)
    with loading(ground, *kind) as made:
        hits = 0
        for _round in range(5):
            running = made.start()
            time.sleep(chance.uniform(0.0, quiet.seconds * share))
            hits += alive(running.pid)
            running.kill()
            made.site.require_nothing_running()
            made.require_whole()
        made.complete(quiet)
        return COMPLETED if hits else MISSED


def _fault(chance: random.Random) -> Action:
    faults: tuple[Callable[[], Action], ...] = (
        lambda: Respond(chance.choice((500, 502, 503, 504))),
        lambda: Busy(),
        lambda: Reset(-1),
        lambda: Reset(0),
        lambda: Truncate(0),
        lambda: Respond(401, {"WWW-Authenticate": 'Basic realm="again"'}),
    )
    return chance.choice(faults)()


def _broken(ground: Ground, chance: random.Random) -> str:
    """Some requests of each kind are not answered, or in the wrong way."""
    kind = _choose(ground, chance)
    quiet = quiet_load(ground, *kind)
    with loading(ground, *kind) as made:
        methods = itertools.islice(itertools.cycle(("POST", "PUT", "HEAD", "PUT", "PATCH|PUT")), chance.randint(2, 12))
        paths = (r"/blobs/", r"/manifests/")
        rules = [
            Rule(_fault(chance), method=method, path=chance.choice(paths), times=chance.randint(1, 3))
            for method in methods
        ]
        with Proxy(made.target.url, rules) as proxy:
            result = made.run(host=proxy.host, retries=chance.randint(0, 4))
            made.require_whole()
            if not any(rule.hits for rule in rules):
                return MISSED
        for image in result.data.get("failed_images", ()):
            require(len(image["reason"]) > 20, f"no reason for {image}")
        made.complete(quiet)
        return FAILED if result.failed else HEALED


def _full(ground: Ground, chance: random.Random) -> str:
    """A disk has room for a part of the images only, and for all of them later."""
    kind = _choose(ground, chance)
    quiet = quiet_load(ground, *kind)
    folder = ground.new_folder()
    storage = folder / "storage"
    with small_disk(storage, 4096 * chance.randint(8, 150)), loading(ground, *kind, storage=folder) as made:
        result = made.run(retries=0)
        made.require_whole()
        resize(storage, size=_ROOM)
        if not result.failed:
            made.complete(quiet)
            return MISSED
        require("no space left" in result.msg or "500" in result.msg, f"it says: {result.msg}")
        made.complete(quiet)
        made.target.stop()
        return FAILED


def _registry_killed(ground: Ground, chance: random.Random) -> str:
    return first_hit(_registry_killed_once(ground, chance, share) for share in (0.8, 0.5, 0.3))


def _registry_killed_once(ground: Ground, chance: random.Random, share: float) -> str:
    kind = _choose(ground, chance)
    quiet = quiet_load(ground, *kind)
    with loading(ground, *kind) as made:
        running = made.start(retries=1)
        time.sleep(chance.uniform(0.2, 1.0) * quiet.seconds * share)
        if not alive(running.pid):
            return MISSED
        made.target.stop()
        result = running.wait(TIMEOUT)
        made.target.start()
        made.require_whole()
        if not result.failed:
            return MISSED
        made.complete(quiet)
        return FAILED
