# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damage to the archive under its final names, to what stands beside it, and to what a dead run has left there."""

from __future__ import annotations

import functools
import json
import os
import random
import shutil
from pathlib import Path

from ..support.faults import Respond, Rule
from . import spoil
from .case import Case, Row, case, require_clear, told, variant
from .ground import Ground
from .trial import COMPLETED, FAILED, HEALED, REPAIRED, UNSEEN, require

_BESIDE = (".sha256", ".restore.sh", ".report.html", ".report.csv", ".report.json")


def _files(found: Case) -> list[Path]:
    """The files that the archive consists of."""
    beside = {found.beside(suffix) for suffix in (".lock.json", *_BESIDE)}
    paths = (path for path in found.site.out.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(path for path in paths if path not in beside)


def _part(ground: Ground, chance: random.Random, turn: int) -> str:
    with case(ground, variant(turn), images=ground.load.all) as found:
        path = chance.choice(_files(found))
        spoil.KINDS[turn % len(spoil.KINDS)].apply(path, chance)
        return _made_anew(ground, found, path.name)


def _made_anew(ground: Ground, found: Case, reason: str) -> str:
    """As ``damage.repair``; without a cache everything is fetched again."""
    from .damage import repair

    if found.params.get("keep_cache", True):
        return repair(ground, found, reason=reason)
    result = found.complete()
    require(result.changed and reason in result["reason"], f"it says {result['reason']!r} and not {reason!r}")
    return REPAIRED


def _swapped(ground: Ground, chance: random.Random, turn: int) -> str:
    """Two parts have each other's names, or one is that of another archive with as many bytes."""
    with case(ground, variant((0, 1, 3)[turn % 3]), images=ground.load.all) as found:
        first, second = sorted(chance.sample(_files(found), 2))
        if chance.random() < 0.5:
            aside = found.site.folder / "aside"
            first.rename(aside)
            second.rename(first)
            aside.rename(second)
        else:
            spoil.replace(first, chance.randbytes(first.stat().st_size))
        return _made_anew(ground, found, "damaged")


def _lock(ground: Ground, chance: random.Random, turn: int) -> str:
    """The record of what is inside: without it nothing is known of the archive."""
    with case(ground, variant(turn), images=ground.load.all) as found:
        path = found.beside(".lock.json")
        text = path.read_bytes()
        document = json.loads(text)
        ways = [
            lambda: spoil.replace(path, chance.choice(spoil.TEXTS)),
            lambda: spoil.replace(path, json.dumps({**document, "version": 99}).encode()),
            lambda: spoil.replace(path, json.dumps({**document, "parts": "none"}).encode()),
            lambda: spoil.replace(path, json.dumps({**document, "images": document["images"] * 2}).encode()),
            lambda: spoil.truncated(path, chance),
            lambda: spoil.fifo(path, chance),
            lambda: spoil.link(path, chance),
        ]
        if found.params["compress"] != "dir":  # a directory without a lock file could be anybody's, and is refused
            ways.append(lambda: spoil.missing(path, chance))
        ways[turn % len(ways)]()
        return _made_anew(ground, found, "")


def _checksums(ground: Ground, chance: random.Random, turn: int) -> str:
    """The archive is whole: nothing of it is written anew, and the registry is asked for no blob."""
    with case(ground, variant(turn), images=ground.load.all) as found:
        path = found.beside(_BESIDE[turn % len(_BESIDE)])
        spoil.KINDS[turn % len(spoil.KINDS)].apply(path, chance)
        inodes = [each.stat().st_ino for each in _files(found)]
        ground.registry.clear()
        result = found.complete()
        require(result.changed and "does not match" in result["reason"], f"it says {result['reason']!r}")
        require(not ground.registry.blob_gets(), "blobs were fetched")
        require(inodes == [each.stat().st_ino for each in _files(found)], "the archive was written anew")
    return REPAIRED


def _foreign(ground: Ground, chance: random.Random, turn: int) -> str:
    """A file that a reader would take for a part of the archive goes; those that others put beside it stay."""
    with case(ground, variant((0, 2, 3)[turn % 3]), images=ground.load.all) as found:
        stale = found.beside(f".part{chance.randrange(20, 99)}")
        stale.write_bytes(b"of another archive")
        mine = [found.beside(".bak"), found.beside(".part0.old"), found.site.out / "notes.txt"]
        for path in mine:
            path.write_bytes(b"mine")
        result = found.site.run(**found.params)
        require(not result.failed and result.changed and stale.name in result["reason"], f"it says {told(result)}")
        require(not stale.exists(), "it is still there")
        require(all(path.read_bytes() == b"mine" for path in mine), "files of others were changed")
        for path in mine:
            path.unlink()
        found.site.require_published(found.quiet.published)
    return REPAIRED


def _away(ground: Ground, chance: random.Random, turn: int) -> str:
    """The damage is found, but nobody can be asked: what is left stays where it is."""
    with case(ground, variant(turn), images=ground.load.all) as found:
        chance.choice(spoil.KINDS).apply(chance.choice(_files(found)), chance)
        standing = found.site.published()
        proxy = found.site.proxy(Rule(Respond(503)), Rule(Respond(503), method="HEAD"))
        result = found.site.run(**{**found.params, "source_registry": proxy.host, "retries": 1})
        require_clear(result, Path("/"), "503")
        require(found.site.published() == standing, "what was left of the archive is not as it was")
        _made_anew(ground, found, "damaged")
    return FAILED


def _by_size(ground: Ground, chance: random.Random, turn: int, *, seen: bool) -> str:
    """C(verify=size) finds what has another size, and says of the rest that it does not look for it."""
    with case(ground, {**variant(turn)}, images=ground.load.all) as found:
        path = chance.choice(_files(found))
        kinds = spoil.SEEN_BY_SIZE if seen else spoil.SEEN_BY_DIGEST
        kinds[turn % len(kinds)].apply(path, chance)
        result = found.site.run(**found.params, verify="size")
        if seen:
            require(result.changed and path.name in result["reason"], f"it says {told(result)}")
            found.site.require_completed(result, found.quiet)
            return REPAIRED
        require(not result.failed and not result.changed, f"it was not to be found: {told(result)}")
        _made_anew(ground, found, path.name)
    return UNSEEN


def _new_times(ground: Ground, chance: random.Random, turn: int) -> str:
    """The clock was wrong: times alone are no damage, and nothing is written."""
    with case(ground, variant(turn), images=ground.load.all) as found:
        found.site.run(**found.params)
        for path in sorted([*found.site.out.rglob("*"), *found.site.cache.rglob("*")]):
            stamp = chance.choice((0, 10**9, 4 * 10**9)) * 10**9
            os.utime(path, ns=(stamp, stamp), follow_symlinks=False)
        result = found.site.run(**found.params)
        require(not result.failed and not result.changed, f"it is not as it was: {told(result)}")
        found.complete()
    return HEALED


def _dead_staging(ground: Ground, chance: random.Random, turn: int) -> str:
    """The remains of a killed run are cleared, whatever they are."""
    with case(ground, variant(turn), images=(ground.load.earlier, ground.load.all)[turn % 2]) as found:
        found.staging.mkdir(mode=0o700)
        for name in ("data", "ready", "old"):
            (found.staging / name).mkdir()
            (found.staging / name / "garbage").write_bytes(chance.randbytes(1000))
            (found.staging / name / "link").symlink_to(found.site.out)
        (found.staging / "data" / "0").mkdir()
        chance.choice((_nothing, spoil.fifo_at, spoil.directory_at))(found.staging / "ready" / found.first_file.name)
        (found.staging / "lock").write_bytes(chance.randbytes(chance.randrange(100)))
        found.complete()
    return COMPLETED


def _nothing(path: Path) -> None:
    pass


def _ready(ground: Ground, chance: random.Random, turn: int, *, lock: bool) -> str:
    """A new archive was decided, and then its lock file, or one of its files, became damaged.

    It cannot be put in place then; the archive before stands until there is another.
    """
    with case(ground, variant(turn), images=ground.load.earlier) as found:
        new = ground.earlier(ground.load.all, tuple(sorted(found.params.items()))) / "out"
        found.staging.mkdir(mode=0o700)
        shutil.copytree(new, found.staging / "ready", symlinks=True)
        for name in ("data", "old"):
            (found.staging / name).mkdir()
        ready = found.staging / "ready"
        record = ready / f"{found.dest.name}.lock.json"
        if lock:
            spoil_record = (spoil.truncated, spoil.empty, spoil.fifo, spoil.link, spoil.bit_flip, spoil.directory)
            spoil_record[turn % len(spoil_record)](record, chance)
        else:
            # What is beside the archive is written again without a look at its images.
            beside = {f"{found.dest.name}{suffix}" for suffix in (".lock.json", *_BESIDE)}
            paths = [path for path in ready.rglob("*") if path.is_file() and not path.is_symlink()]
            paths = [path for path in paths if path.name not in beside]
            chance.choice(spoil.KINDS).apply(chance.choice(sorted(paths)), chance)
        found.complete()
    return REPAIRED


ROWS = [
    Row("archive: a part or file", _part, kinds=9),
    Row("archive: parts or files swapped", _swapped),
    Row("archive: the lock file", _lock, kinds=8),
    Row("archive: checksums, report or script", _checksums, kinds=12),
    Row("archive: foreign files", _foreign),
    Row("archive: damaged, and the registry is unreachable", _away),
    Row("archive: another size, verify=size", functools.partial(_by_size, seen=True), kinds=6),
    Row("archive: the same size, verify=size", functools.partial(_by_size, seen=False)),
    Row("archive: times of a wrong clock", _new_times),
    Row("staging: remains of a dead run", _dead_staging),
    Row("staging: the lock file of a decided archive", functools.partial(_ready, lock=True), kinds=6),
    Row("staging: a file of a decided archive", functools.partial(_ready, lock=False)),
]
