# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damage to what stands: found, repaired where the registry can, made anew otherwise, and told.

Each trial begins with a whole archive and its cache. Afterwards the files are those of a quiet run, and the registry's
access log shows that no layer came which the cache had.
"""

from __future__ import annotations

import hashlib
import random
import shutil
from pathlib import Path

from ..support.faults import Respond, Rule
from ..support.module import Result
from . import controller, damage_archive, spoil
from .case import Case, Row, case, layers, require_clear, spread, told, variant
from .ground import Ground
from .trial import FAILED, HEALED, REPAIRED, Scale, Trial, require

GROUP = "damage"

_WITH_CACHE = (0, 1, 2, 3, 5)


def trials(scale: Scale) -> list[Trial]:
    """Each row so often as is asked for."""
    rows = [
        Row("cache: a layer", _layer, kinds=10),
        Row("cache: a manifest, index or configuration", _document, kinds=10),
        Row("cache: several blobs", _several),
        Row("cache: an image's folder", _folder),
        Row("cache: its own files", _own_files),
        Row("cache: foreign files", _foreign),
        Row("cache: damaged, and the registry is unreachable", _away),
        *damage_archive.ROWS,
        *controller.DAMAGE_ROWS,
    ]
    return spread(GROUP, rows, scale.times)


def _layer(ground: Ground, chance: random.Random, turn: int) -> str:
    wanted = sorted(layers(ground, ground.references))
    return _damaged_blobs(ground, chance, turn, [chance.choice(wanted)])


def _document(ground: Ground, chance: random.Random, turn: int) -> str:
    wanted = sorted(blobs(ground) - layers(ground, ground.references))
    return _damaged_blobs(ground, chance, turn, [chance.choice(wanted)])


def _several(ground: Ground, chance: random.Random, turn: int) -> str:
    return _damaged_blobs(ground, chance, turn, chance.sample(sorted(blobs(ground)), chance.randrange(2, 9)))


def _damaged_blobs(ground: Ground, chance: random.Random, turn: int, digests: list[str]) -> str:
    """The archive is gone, so that it has to be made of these blobs."""
    params = variant(_WITH_CACHE[turn % len(_WITH_CACHE)])
    with case(ground, params, images=ground.load.all) as found:
        kinds = (*spoil.KINDS, spoil.DIRECTORY)
        for number, digest in enumerate(digests):
            kinds[(turn + number) % len(kinds)].apply(found.site.cache / "share" / "sha256" / digest[7:], chance)
        for path in found.site.out.iterdir():
            spoil.remove(path)
        return repair(ground, found)


def repair(ground: Ground, found: Case, *, reason: str = "") -> str:
    """A run finds what is damaged, fetches no more than that, and counts it.

    :param reason: what it says of the archive.
    """
    unsound = unsound_blobs(ground, found.site.cache)
    ground.registry.clear()
    result = found.complete()
    require(result.changed, f"it says that nothing changed: {told(result)}")
    require(reason in result["reason"], f"it says {result['reason']!r} and not {reason!r}")
    wanted = layers(ground, ground.references)
    fetched = set(ground.registry.blob_gets()) & wanted
    require(fetched == unsound.keys() & wanted, f"fetched {sorted(fetched)} of {sorted(unsound)}")
    damaged = [digest for digest, is_there in unsound.items() if is_there]
    counted = result["stats"]["blobs_repaired"]
    require(counted == len(damaged), f"blobs_repaired is {counted}, but {len(damaged)} were damaged: {damaged}")
    require_settled(found)
    return REPAIRED


def require_settled(found: Case) -> None:
    """The next run finds nothing to do.

    :raises Violation: it is not so
    """
    again = found.site.run(**found.params)
    require(not again.failed and not again.changed, f"the next run changes something: {told(again)}")


def blobs(ground: Ground) -> set[str]:
    """Digests of all that the cache has to hold: layers, configurations, manifests and indexes."""
    found = {image.digest for image in ground.images.values()}
    return found.union(*(one.blobs for image in ground.images.values() for one in image.platforms))


def unsound_blobs(ground: Ground, cache: Path) -> dict[str, bool]:
    """The blobs that a cache does not hold as they should be, and whether something stands in their place."""
    paths = {digest: cache / "share" / "sha256" / digest[7:] for digest in blobs(ground)}
    return {digest: path.is_symlink() or path.exists() for digest, path in paths.items() if not _is_sound(path, digest)}


def _is_sound(path: Path, digest: str) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" == digest


def _folder(ground: Ground, chance: random.Random, turn: int) -> str:
    """The files of one image's folder, or all of it."""
    params = variant(_WITH_CACHE[turn % len(_WITH_CACHE)])
    with case(ground, params, images=ground.load.all) as found:
        folder = chance.choice(sorted(path for path in found.site.cache.iterdir() if len(path.name) == 64))
        what = chance.choice(("index.json", "oci-layout", "accepted", "folder"))
        if what == "folder":
            shutil.rmtree(folder)
            folder.write_bytes(b"no folder")
        else:
            _spoil_text(folder / what, chance)
        return _forced(ground, found)


def _own_files(ground: Ground, chance: random.Random, turn: int) -> str:
    """Files that the cache keeps beside blobs and folders, its lock included."""
    params = variant(_WITH_CACHE[turn % len(_WITH_CACHE)])
    with case(ground, params, images=ground.load.all) as found:
        require_settled(found)  # so that there is a memory of what was read
        names = ("index.json", "oci-layout", "saved-images-list.json", "verified.json", ".lock", "blobs")
        for name in chance.sample(names, 2):
            path = found.site.cache / name
            if name == "blobs":
                path.unlink()
                path.symlink_to(chance.choice(("elsewhere", "/nonexistent")))
            elif name == ".lock":
                spoil.replace(path, chance.randbytes(chance.randrange(200)))
            else:
                _spoil_text(path, chance)
        return _forced(ground, found)


def _spoil_text(path: Path, chance: random.Random) -> None:
    """Any damage, or text that is no such document."""
    if chance.random() < 0.5:
        chance.choice((*spoil.KINDS, spoil.DIRECTORY)).apply(path, chance)
    else:
        spoil.replace(path, chance.choice(spoil.TEXTS))


def _forced(ground: Ground, found: Case) -> str:
    """The archive is written anew; the layers in the cache are sound, and none is fetched."""
    ground.registry.clear()
    result = found.site.run(**found.params, force=True)
    found.site.require_completed(result, found.quiet)
    fetched = set(ground.registry.blob_gets()) & layers(ground, ground.references)
    require(not fetched, f"sound layers were fetched: {sorted(fetched)}")
    require_settled(found)
    return REPAIRED


def _foreign(ground: Ground, chance: random.Random, turn: int) -> str:
    """Files of others stay and get into no archive; those of a dead run go."""
    params = variant(_WITH_CACHE[turn % len(_WITH_CACHE)])
    with case(ground, params, images=ground.load.all) as found:
        cache = found.site.cache
        mine = [cache / "notes.txt", cache / "share" / "notes.txt", cache / "share" / "sha256" / ("0" * 64)]
        for path in mine:
            path.write_bytes(chance.randbytes(1000))
        dead = cache / ".run-dead"
        dead.mkdir()
        (dead / "blob-1").write_bytes(b"half")
        (dead / "link").symlink_to("/etc")
        for path in found.site.out.iterdir():
            spoil.remove(path)
        result = found.site.run(**found.params)
        require(not result.failed, f"it failed: {told(result)}")
        found.site.require_published(found.quiet.published)
        require(all(path.stat().st_size == 1000 for path in mine), "a file of somebody else's was changed")
        require(not dead.exists(), "what a dead run left is still there")
    return HEALED


def _away(ground: Ground, chance: random.Random, turn: int) -> str:
    """The archive before stays; once the registry is back, only what is damaged is fetched."""
    params = variant(_WITH_CACHE[turn % len(_WITH_CACHE)])
    with case(ground, params, images=ground.load.all) as found:
        digest = chance.choice(sorted(layers(ground, ground.references)))
        kind = chance.choice(spoil.KINDS)
        kind.apply(found.site.cache / "share" / "sha256" / digest[7:], chance)
        standing = found.site.published()  # a directory shares its files with the cache
        proxy = found.site.proxy(Rule(Respond(503), path="/blobs/" if turn % 2 else ""))
        result = found.site.run(**{**found.params, "source_registry": proxy.host, "force": True, "retries": 1})
        _require_away(found, result)
        require(found.site.published() == standing, "the archive is not as it was")
        for path in found.site.out.iterdir():
            spoil.remove(path)
        repair(ground, found)
    return FAILED


def _require_away(found: Case, result: Result) -> None:
    require_clear(result, Path(""), "503")
    require(result["failed_images"], "no image is named")
