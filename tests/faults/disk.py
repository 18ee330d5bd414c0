# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks that are too small, or fill up while a run writes. Other faults of disks are in the files beside this one."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from ..support import disks
from ..support.faults import Hold, Rule
from . import controller, disk_calls, disk_places
from .case import SPACE, Case, Row, case, furnished, layers, require_clear, spread, told, variant
from .ground import Ground
from .site import TIMEOUT
from .trial import FAILED, HEALED, REFUSED, Scale, Trial, require

GROUP = "disk"

_ROOMY = 64 * 1024 * 1024
_PAGE = 4096
_BESIDE = (".sha256", ".json", ".html", ".csv", ".sh")


def trials(scale: Scale) -> list[Trial]:
    """Each row so often as is asked for."""
    rows = [
        Row("too small for the images", _too_small),
        Row("fills up: the cache", _fills_up_in_cache),
        Row("fills up: the archive", _fills_up_in_archive),
        Row("fills up: checksums and lock file", _fills_up_at_lock),
        Row("fills up: cache and archive on one disk", _fills_up_for_both),
        Row("no inodes left: the cache", _no_files_in_cache),
        Row("no inodes left: the archive", _no_files_in_archive),
        Row("full: the cache's own files", _full_cache),
        Row("full: failed_list", _full_failed_list),
        Row("full: log_file and TMPDIR", _full_beside),
        *([Row("over quota", _over_quota)] if disks.has_quotas() else []),
        *disk_places.ROWS,
        *disk_calls.ROWS,
        *controller.DISK_ROWS,
    ]
    return spread(GROUP, rows, scale.times)


def _too_small(ground: Ground, chance: random.Random, turn: int) -> str:
    """It is told before the first byte of a layer is fetched."""
    where = (("cache",), ("out",), ("",))[turn % 3]
    sizes = {name: {"size": chance.randrange(ground.layer_bytes // 9, ground.layer_bytes // 2)} for name in where}
    params = variant(0) if "out" in where else variant(turn)  # a directory that is not on the cache's disk is copied
    with case(ground, params, images=0, disks=sizes) as found:
        ground.registry.clear()
        result = found.site.run(**found.params)
        require_clear(result, found.site.folder, "free")
        require(not layers(ground, ground.references) & set(ground.registry.blob_gets()), "layers were fetched")
        found.require_stands()
        for name in where:
            disks.resize(found.site.folder / name, size=_ROOMY)
        found.complete()
    return REFUSED


def _fills_up_in_cache(ground: Ground, chance: random.Random, turn: int) -> str:
    with case(ground, variant(turn), images=ground.load.earlier, disks={"cache": {"size": _ROOMY}}) as found:
        return _fill_in_mid_run(found, chance, "cache", leave=_any(chance, 0, _PAGE, 60_000))


def _fills_up_in_archive(ground: Ground, chance: random.Random, turn: int) -> str:
    with case(ground, variant(turn), images=ground.load.earlier, disks={"out": {"size": _ROOMY}}) as found:
        return _fill_in_mid_run(found, chance, "out", leave=_any(chance, 0, _PAGE, 50_000, 120_000))


def _fills_up_at_lock(ground: Ground, chance: random.Random, turn: int) -> str:
    """There is room for all of the archive, but not for all that stands beside it."""
    params = variant(2 * turn)
    like = ground.earlier(len(ground.references), tuple(sorted(params.items())))
    files = [path for path in (like / "out").rglob("*") if path.is_file() and path.suffix not in _BESIDE]
    pages = sum(-(-path.stat().st_size // _PAGE) for path in files)
    with case(ground, params, images=ground.load.earlier, disks={"out": {"size": _ROOMY}}) as found:
        begun = found.staging / "data"
        more = chance.randrange(3)

        def left() -> int:
            return pages + more - sum(-(-path.stat().st_size // _PAGE) for path in begun.rglob("*"))

        return _fill_in_mid_run(found, chance, "out", leave=lambda: left() * _PAGE)


def _fills_up_for_both(ground: Ground, chance: random.Random, turn: int) -> str:
    with case(ground, variant(turn), images=ground.load.earlier, disks={"": {"size": _ROOMY}}) as found:
        return _fill_in_mid_run(found, chance, "", leave=_any(chance, 0, _PAGE, 60_000))


def _any(chance: random.Random, *sizes: int) -> Callable[[], int]:
    size = chance.choice(sizes)
    return lambda: size


def _fill_in_mid_run(found: Case, chance: random.Random, name: str, *, leave: Callable[[], int]) -> str:
    """A disk that was large enough when the run began has no room any more once the run asks for some layer.

    :param leave: bytes that are left then.
    """
    hold, site = Hold(), found.site
    proxy = site.proxy(Rule(hold, path=f"/blobs/{chance.choice(found.lacking)}"))
    filler = site.folder / name / "filler"
    running = site.start(**{**found.params, "source_registry": proxy.host, "retries": 1, "stall_timeout": 60})
    proxy.wait_for(lambda seen: any(each.action is hold for each in seen))
    disks.fill(filler, leave=leave())
    hold.release()
    result = running.wait(TIMEOUT)
    filler.unlink()
    if not result.failed:  # what was left was enough for what was still to be written
        site.require_completed(result, found.quiet)
        return HEALED
    require_clear(result, site.folder, *SPACE)
    found.require_stands()
    found.complete()
    return FAILED


def _no_files_in_cache(ground: Ground, chance: random.Random, turn: int) -> str:
    return _without_files(ground, chance, "cache", variant(turn))


def _no_files_in_archive(ground: Ground, chance: random.Random, turn: int) -> str:
    return _without_files(ground, chance, "out", variant(turn))


def _without_files(ground: Ground, chance: random.Random, name: str, params: dict[str, Any]) -> str:
    """There is room for bytes, but for a few more files only: it ends anywhere, from the lock to the last rename."""
    with case(ground, params, images=ground.load.earlier, disks={name: {"size": _ROOMY, "files": 10_000}}) as found:
        disk = found.site.folder / name
        disks.resize(disk, files=disks.used_files(disk) + chance.randrange(12))
        result = found.site.run(**found.params, retries=1)
        disks.resize(disk, files=10_000)
        if not result.failed:
            found.site.require_completed(result, found.quiet)
            return HEALED
        require_clear(result, found.site.folder, *SPACE)
        found.require_stands()
        found.complete()
    return FAILED


def _full_cache(ground: Ground, chance: random.Random, turn: int) -> str:
    """All is fetched already; what the cache keeps beside blobs cannot be written."""
    params = variant(turn)
    with case(ground, params, images=ground.load.all, disks={"cache": {"size": _ROOMY}}) as found:
        found.site.cache.joinpath("verified.json").unlink(missing_ok=True)
        filler = found.site.cache / "filler"
        disks.fill(filler)
        if turn % 2:  # then there is nothing to write but a memory, and that can be lost
            result = found.site.run(**found.params)
            filler.unlink()
            require(not result.changed, f"it changed something: {told(result)}")
            found.site.require_completed(result, found.quiet)
            return HEALED
        result = found.site.run(**found.params, force=True)
        filler.unlink()
        require_clear(result, found.site.cache, *SPACE)
        found.require_stands()
        found.complete()
    return FAILED


def _full_failed_list(ground: Ground, chance: random.Random, turn: int) -> str:
    """An image is missing in the registry, and that cannot be written down: the result says both."""
    with case(ground, variant(turn), images=ground.load.earlier, disks={"lists": {"size": 8 * _PAGE}}) as found:
        listed = found.site.folder / "lists" / "failed.txt"
        filler = listed.with_name("filler")
        disks.fill(filler)
        absent = f"{ground.references[0].partition('/')[0]}/team/absent:1"
        params = {**found.params, "images": [*ground.references, absent], "failed_list": listed}
        result = found.site.run(**params)
        require(result.failed and absent in told(result), f"the image is not named: {told(result)}")
        require(any(str(listed) in each for each in result.warnings), f"no warning about the list: {result.warnings}")
        require([path.name for path in listed.parent.iterdir()] == ["filler"], "a half list is left")
        filler.unlink()
        require(found.site.run(**params).failed and absent in listed.read_text("utf-8"), "no list with room")
        require(not found.site.run(**{**found.params, "failed_list": listed}).failed, "it did not complete")
        require(not listed.exists(), "the list is still there")
        listed.parent.joinpath("filler").unlink(missing_ok=True)
        found.site.require_published(found.quiet.published)
    return FAILED


def _full_beside(ground: Ground, chance: random.Random, turn: int) -> str:
    """Neither a log nor temporary files are worth a run; that lines are missing is told."""
    name = ("log", "tmp")[turn % 2]
    with case(ground, variant(turn), images=ground.load.earlier, disks={name: {"size": 8 * _PAGE}}) as found:
        folder = found.site.folder / name
        disks.fill(folder / "filler")
        log = {"log_file": folder / "run.log"} if name == "log" else {}
        result = found.site.run(**found.params, **log)
        require(not result.failed, f"it failed: {told(result)}")
        if log:
            require(any(str(folder) in each for each in result.warnings), f"no warning: {result.warnings}")
        for path in folder.iterdir():
            path.unlink()
        found.site.require_published(found.quiet.published)
    return HEALED


def _over_quota(ground: Ground, chance: random.Random, turn: int) -> str:
    """The disk has room, which is all that can be looked at, but this user may not use it."""
    name = ("cache", "out")[turn % 2]
    with ground.site() as site:
        image = site.folder.with_suffix(".btrfs")
        with disks.limited_disk(site.folder / name, image, _ROOMY):
            found = furnished(ground, site, variant(turn), images=ground.load.earlier)
            limit = disks.used(site.folder / name) + chance.randrange(16_000, 100_000)
            disks.change_limit(site.folder / name, limit)
            result = site.run(**found.params, retries=1)
            disks.change_limit(site.folder / name, None)
            require_clear(result, site.folder, *SPACE)
            found.require_stands()
            found.complete()
    return FAILED
