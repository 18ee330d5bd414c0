# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of an archive of eleven that are lost or damaged: made again from parity, or asked for and made once more.

Each part has its turn. What comes out is the archive, byte for byte, or what a full archive would have loaded.
"""

from __future__ import annotations

import functools
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..support.module import Result
from ..support.registry import Registry
from ..support.target import gaps, tags
from .ground import PATIENT, USER, Ground
from .load import Load, quiet_load
from .repair_kills import AT_A_CALL, AT_A_MOMENT, at_a_call, at_a_moment, eleven_parts, lock_beside
from .site import TIMEOUT, Site, published_below
from .trial import COMPLETED, REPAIRED, Scale, Trial, require

GROUP = "repair"

_PARTS = 11


def trials(scale: Scale) -> list[Trial]:
    """As many as are asked for, by turns of each kind; the short form has the first three."""
    kinds: tuple[tuple[str, Callable[[Ground, random.Random, int], str]], ...] = (
        ("a part of eleven is lost or damaged", _mended),
        ("parts are lost for which the parity file is not enough", _asked_for),
        (AT_A_MOMENT, at_a_moment),
        (AT_A_CALL, at_a_call),
    )
    chosen = ((number, kinds[number % len(kinds)], number // len(kinds)) for number in range(scale.repairs))
    return [Trial(GROUP, fault, number, _turned(run, turn)) for number, (fault, run), turn in chosen]


def _turned(run: Callable[[Ground, random.Random, int], str], turn: int) -> Callable[[Ground, random.Random], str]:
    return lambda ground, chance: run(ground, chance, turn)


def _mended(ground: Ground, chance: random.Random, turn: int) -> str:
    """Any part is found and named, and made again from the parity file."""
    number = turn % _PARTS
    with ground.site(like=eleven_parts(ground)) as site:
        before, names = published_below(site.out), site.names()
        path = _parts(site)[number]
        _harm(path, chance)
        request = site.folder / "site.request.json"
        found = _verify(site, request_file=request)
        require(found.failed and path.name in found.msg, f"{path.name} was not found: {found.msg}")
        require(json.loads(request.read_bytes())["parts"] == [number], "the request names other parts")
        done = _verify(site, repair=True, request_file=request)
        require(not done.failed and done.changed, f"it was not made again: {done.msg}")
        require(published_below(site.out) == before, "the archive is not as it was")
        require(site.names() == names, f"left over: {sorted(site.names() ^ names)[:5]}")
        again = _verify(site, repair=True, request_file=request)
        require(not again.failed and not again.changed, f"a run with nothing to do says: {again.msg}")
    return REPAIRED


def _asked_for(ground: Ground, chance: random.Random, turn: int) -> str:
    """Nothing is changed, and the parts come by a request; from both sticks, the archive loads as a whole one does."""
    first = turn % _PARTS
    numbers = sorted({first, *chance.sample([one for one in range(_PARTS) if one != first], chance.randint(1, 3))})
    quiet = quiet_load(ground, 0, 0)
    with ground.site(like=eleven_parts(ground)) as site, Registry(ground.new_folder(), basic=USER) as target:
        before = published_below(site.out)
        parts = _parts(site)
        for number in numbers:
            _harm(parts[number], chance)
        harmed = published_below(site.out)
        request = site.folder / "site.request.json"
        found = _verify(site, repair=True, request_file=request)
        require(found.failed, f"it was made again, which cannot be: {found.msg}")
        require(published_below(site.out) == harmed, "what is there was changed")
        require(json.loads(request.read_bytes())["parts"] == numbers, "the request names other parts")
        result = site.run(request=request, **PATIENT)
        require(not result.failed, f"the request was not answered: {result.msg}")
        answer = site.dest.with_name(f"{site.dest.name}.requested")
        made = published_below(answer)
        names = {parts[number].name for number in numbers}
        require({name for name in made if ".part" in name} == names, f"other parts were made: {sorted(made)}")
        wrong = [name for name in names if made[name] != before[name]]
        require(not wrong, f"parts came out with other bytes: {wrong}")
        loading = Load(site, target, answer, {})
        loading.complete(quiet, src=[str(answer), str(site.out)])
        require(not gaps(target) and tags(target) == quiet.tags, "other tags than of a whole archive")
        for name in names:
            shutil.copy(answer / name, site.out / name)
        shutil.rmtree(answer)
        require(not _verify(site).failed, "the archive with the parts is not whole")
        require(published_below(site.out) == before, "the archive is not as it was")
    return COMPLETED


def _harm(path: Path, chance: random.Random) -> None:
    chance.choice((_remove, functools.partial(_truncate, chance=chance), functools.partial(_turn, chance=chance)))(path)


def _remove(path: Path) -> None:
    path.unlink()


def _truncate(path: Path, *, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(path.stat().st_size))


def _turn(path: Path, *, chance: random.Random) -> None:
    raw = bytearray(path.read_bytes())
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    path.write_bytes(raw)


def _parts(site: Site) -> list[Path]:
    lock: dict[str, Any] = json.loads(lock_beside(site.dest).read_bytes())
    require(len(lock["parts"]) == _PARTS, f"the archive has {len(lock['parts'])} parts")
    return [site.out / part["name"] for part in lock["parts"]]


def _verify(site: Site, **params: Any) -> Result:
    wanted = {"src": [lock_beside(site.dest)], **params}
    return site.start_module(wanted, module="image_verify").wait(TIMEOUT)
