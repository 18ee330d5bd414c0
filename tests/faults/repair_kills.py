# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills while a bundle, parity files, a lost part, parts that were asked for, or a file of images is written.

No file has its name before it is whole, what was there before stays as it was, and the next run leaves exactly what a
quiet one does.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..support.module import ModuleError, RunningModule, alive
from . import tracer
from .ground import PATIENT, Ground
from .site import TIMEOUT, Quiet, Site
from .trial import COMPLETED, MISSED, first_hit, require

AT_A_MOMENT = "SIGKILL while a bundle, a lost part or a file of images is written"
AT_A_CALL = "SIGKILL at a system call of such a run"

_ELEVEN = 11
_SHARES = (1.0, 0.7, 0.5, 0.3, 0.2)
"""Of the time that a quiet run takes, by turns: runs are not all as long."""

_FORM = (("compress", "gzip"),)


@dataclass(frozen=True)
class _Work:
    """A run that writes something.

    :param like: returns the folder of a site to begin with.
    :param params: prepares a site, and returns the parameters of the module.
    """

    name: str
    like: Callable[[Ground], Path]
    params: Callable[[Site], Mapping[str, Any]]
    module: str = "image_save"

    def start(self, site: Site, params: Mapping[str, Any], *, under: Sequence[str] = ()) -> RunningModule:
        full = site.params(**PATIENT, **params) if self.module == "image_save" else params
        return site.start_module(full, under=under, module=self.module)


def lock_beside(dest: Path) -> Path:
    """The lock file of an archive."""
    return dest.with_name(f"{dest.name}.lock.json")


def eleven_parts(ground: Ground, *, parity: bool = True) -> Path:
    """The folder of a site with an archive of all images in eleven parts; it is not to be written to."""
    whole = ground.earlier(ground.load.all, _FORM) / "out" / "images.tar.gz"
    size = f"{-(-whole.stat().st_size // _ELEVEN)}B"
    return ground.earlier(ground.load.all, (*_FORM, ("part_size", size), *((("parity", True),) if parity else ())))


def at_a_moment(ground: Ground, chance: random.Random, turn: int) -> str:
    """A run is killed at a random moment."""
    work = _WORKS[turn % len(_WORKS)]
    quiet = _quiet(ground, work)
    return first_hit(_at_one_moment(ground, work, chance.uniform(0.0, quiet.seconds * one)) for one in _SHARES)


def at_a_call(ground: Ground, chance: random.Random, turn: int) -> str:
    """A run is killed at a system call that changes something."""
    work = _WORKS[turn % len(_WORKS)]
    call = chance.choice(_calls(ground, work))
    with _begun(ground, work) as (site, params):
        before, log = site.published(), site.folder.with_suffix(".trace")
        running = work.start(site, params, under=tracer.striking(call, "signal=KILL", log))
        running.process.wait(TIMEOUT)
        if not tracer.struck(log):
            return MISSED
        return _look_and_complete(ground, work, site, params, before)


def _at_one_moment(ground: Ground, work: _Work, seconds: float) -> str:
    with _begun(ground, work) as (site, params):
        before = site.published()
        running = work.start(site, params)
        time.sleep(seconds)  # the moment is the point
        if not alive(running.pid):
            return MISSED
        running.kill(children=True)
        try:
            running.wait(0)
        except ModuleError:  # it had no time to say anything
            return _look_and_complete(ground, work, site, params, before)
        return MISSED


def _look_and_complete(
    ground: Ground, work: _Work, site: Site, params: Mapping[str, Any], before: Mapping[str, str]
) -> str:
    quiet = _quiet(ground, work)
    site.require_nothing_running()
    _require_whole(site, before, quiet)
    result = work.start(site, params).wait(TIMEOUT)
    site.require_completed(result, quiet)
    return COMPLETED


def _require_whole(site: Site, before: Mapping[str, str], quiet: Quiet) -> None:
    """Each file is one of before or a whole new one; a new lock file comes when everything that it names is there."""
    found = {name: sha256 for name, sha256 in site.published().items() if ".report." not in name}
    wrong = [name for name in found if found[name] not in (before.get(name), quiet.published.get(name))]
    require(not wrong, f"not whole: {wrong[:5]}")
    if list(site.out.rglob(".*.staging/ready/*.lock.json")):
        return  # the next run completes it
    for name, sha256 in found.items():
        archive, is_lock, _rest = name.partition(".lock.json")
        if is_lock and sha256 != before.get(name):
            beside = {one for one in quiet.published if one.startswith(archive) and ".report." not in one}
            lacking = [one for one in beside if found.get(one) != quiet.published[one]]
            require(not lacking, f"{name} is there before {lacking[:5]}")


@contextmanager
def _begun(ground: Ground, work: _Work) -> Iterator[tuple[Site, Mapping[str, Any]]]:
    with ground.site(like=work.like(ground)) as site:
        yield site, work.params(site)


def _quiet(ground: Ground, work: _Work) -> Quiet:
    if work.name not in ground.ended:
        with _begun(ground, work) as (site, params):
            started = time.monotonic()
            result = work.start(site, params).wait(TIMEOUT)
            seconds = time.monotonic() - started
            require(result.changed and not result.failed, f"a quiet run of {work.name} failed: {result.data}")
            ground.ended[work.name] = Quiet(site.published(), site.names(), seconds)
    return ground.ended[work.name]


def _calls(ground: Ground, work: _Work) -> list[tracer.Call]:
    key = (work.name, False)
    if key not in ground.calls:
        with _begun(ground, work) as (site, params):
            log = site.folder.with_suffix(".trace")
            work.start(site, params, under=tracer.watching(log)).wait(TIMEOUT)
            ground.calls[key] = [one for one in tracer.changes(log, site.folder) if not one.is_writing]
    return ground.calls[key]


def _some_images(ground: Ground) -> Path:
    return ground.earlier(ground.load.all - 1, _FORM)


def _bundle(site: Site) -> dict[str, Any]:
    dest = site.out / "news.tar.gz"
    return {"dest": dest, "since": [lock_beside(site.dest)], "part_size": "8K", "parity": True}


def _bundle_of_files(site: Site) -> dict[str, Any]:
    return {"dest": site.out / "news", "since": [lock_beside(site.dest)], "compress": "dir"}


def _parity(site: Site) -> dict[str, Any]:
    lock = json.loads(lock_beside(site.dest).read_bytes())
    return {"part_size": f"{lock['options']['part_size']}B", "parity": True}


def _lost_part(site: Site) -> dict[str, Any]:
    (site.out / "images.tar.gz.part04").unlink()
    return {"src": [lock_beside(site.dest)], "repair": True}


def _asked_for(site: Site) -> dict[str, Any]:
    raw = lock_beside(site.dest).read_bytes()
    lock = json.loads(raw)
    request = site.folder / "site.request.json"
    document = {
        "version": 1,
        "archive": site.dest.name,
        "lock_sha256": hashlib.sha256(raw).hexdigest(),
        "parts": [1, 5, 10],
        "digests": sorted(lock["blobs"], key=lambda digest: (-int(lock["blobs"][digest]), digest))[:1],
    }
    request.write_text(json.dumps(document), encoding="utf-8")
    return {"request": request}


def _file(site: Site) -> dict[str, Any]:
    return {"src": [lock_beside(site.dest)], "to": "containerd_images", "dest": site.out / "k3s.tar"}


_WORKS = (
    _Work("a lost part", eleven_parts, _lost_part, "image_verify"),
    _Work("a bundle with parity files", _some_images, _bundle),
    _Work("a file of images", eleven_parts, _file, "image_load"),
    _Work("a bundle that is a directory", _some_images, _bundle_of_files),
    _Work("parity files", lambda ground: eleven_parts(ground, parity=False), _parity),
    _Work("parts and a blob that were asked for", eleven_parts, _asked_for),
)
