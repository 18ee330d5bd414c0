# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places that cannot be written to, or are not what they should be."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..support import disks
from .case import Case, Row, case, require_clear, told, variant
from .ground import Ground
from .trial import FAILED, HEALED, REFUSED, require

_ROOMY = {"size": 64 * 1024 * 1024}
_WITHOUT_PRIVILEGES = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", "--"]


def _read_only(ground: Ground, chance: random.Random, turn: int) -> str:
    name = ("out", "cache")[turn % 2]
    with case(ground, variant(turn), images=ground.load.earlier, disks={name: _ROOMY}) as found:
        with disks.read_only(found.site.folder / name):
            result = found.site.run(**found.params, retries=1)
        require_clear(result, found.site.folder / name, "Read-only file system")
        found.require_stands()
        found.complete()
    return FAILED


def _read_only_and_nothing_new(ground: Ground, chance: random.Random, turn: int) -> str:
    """A run with nothing to write does not have to be able to."""
    with case(ground, variant(turn), images=ground.load.all, disks={"": _ROOMY}) as found:
        with disks.read_only(found.site.folder):
            result = found.site.run(**found.params)
        require(not result.failed and not result.changed, f"it is not as it was: {told(result)}")
        found.complete()
    return HEALED


def _no_permission(ground: Ground, chance: random.Random, turn: int) -> str:
    """A user without privileges may not write there, or not even look."""
    with case(ground, variant(turn), images=ground.load.earlier) as found:
        place = (found.site.out, found.site.cache, found.site.cache / "share" / "sha256")[turn % 3]
        mode = place.stat().st_mode
        place.chmod((0o500, 0o000)[chance.randrange(2)])
        try:
            under = _WITHOUT_PRIVILEGES if os.geteuid() == 0 else []
            result = found.site.start(under=under, **found.params, retries=1).wait()
        finally:
            place.chmod(mode)
        require_clear(result, place, "Permission denied")
        found.require_stands()
        found.complete()
    return FAILED


def _in_the_way(ground: Ground, chance: random.Random, turn: int) -> str:
    """A directory where a file is to be written, or a file where a directory is to be: nobody's files are removed."""
    with case(ground, variant(2 * (turn % 2)), images=ground.load.earlier) as found:
        kind, obstacle, more = _OBSTACLES[turn % len(_OBSTACLES)](found)
        with _set_aside(obstacle):
            if kind == "file":
                obstacle.write_text("somebody's", encoding="utf-8")
            else:
                obstacle.mkdir()
                (obstacle / "somebody's").write_text("own", encoding="utf-8")
            result = found.site.run(**{**found.params, **more})
            require_clear(result, obstacle, "directory", "regular file", "File exists")
            left = obstacle if kind == "file" else obstacle / "somebody's"
            require(left.is_file(), f"{left} was somebody's, and is gone")
        found.require_stands()
        found.complete()
    return REFUSED


@contextmanager
def _set_aside(path: Path) -> Iterator[None]:
    """Has nothing stand there; in the end, what stood before."""
    aside = path.parent.parent / "aside"
    is_there = path.exists()
    if is_there:
        path.rename(aside)
    try:
        yield
    finally:
        for each in sorted(path.iterdir()) if path.is_dir() else []:
            each.unlink()
        path.rmdir() if path.is_dir() else path.unlink()
        if is_there:
            aside.rename(path)


_OBSTACLES: Sequence[Callable[[Case], tuple[str, Path, dict[str, Any]]]] = (
    lambda found: ("directory", found.first_file, {}),
    lambda found: ("directory", found.beside(".lock.json"), {}),
    lambda found: ("file", found.site.folder / "place", {"cache_dir": found.site.folder / "place"}),
    lambda found: ("directory", found.beside(".sha256"), {}),
    lambda found: ("directory", found.site.folder / "failed.txt", {"failed_list": found.site.folder / "failed.txt"}),
    lambda found: ("file", found.site.folder / "place", {"dest": found.site.folder / "place" / "images.tar.gz"}),
    lambda found: ("directory", found.site.folder / "run.log", {"log_file": found.site.folder / "run.log"}),
    lambda found: ("directory", found.site.cache / "blobs", {}),
    lambda found: ("file", found.staging, {}),
    lambda found: ("directory", found.beside(".part9"), {}),
)


def _missing_parent(ground: Ground, chance: random.Random, turn: int) -> str:
    """Directories of archive and cache are made; those of lists and logs are taken for mistyped."""
    with case(ground, variant(turn), images=0) as found:
        for option in ("failed_list", "log_file"):
            absent = found.site.folder / "absent" / "name"
            result = found.site.run(**{**found.params, option: absent})
            require_clear(result, absent.parent, "directory")
            require(not absent.parent.exists() and not found.site.published(), "something was written")
        deep = {"dest": found.site.out / "a" / "b" / found.site.dest.name, "cache_dir": found.site.folder / "c" / "d"}
        result = found.site.run(**{**found.params, **deep})
        require(not result.failed, f"it failed: {told(result)}")
        moved = {name[len("a/b/") :]: sha256 for name, sha256 in found.site.published().items()}
        require(moved == found.quiet.published, "the archive is another one")
    return HEALED


def _cross_device(ground: Ground, chance: random.Random, turn: int) -> str:
    names = (("out",), ("cache",), ("out", "cache", "tmp"))[turn % 3]
    with case(
        ground, variant(turn), images=ground.load.earlier * (turn % 2), disks=dict.fromkeys(names, _ROOMY)
    ) as found:
        found.complete()
    return HEALED


ROWS = [
    Row("read-only", _read_only),
    Row("read-only, and nothing is new", _read_only_and_nothing_new),
    Row("no permission", _no_permission),
    Row("something else is in the way", _in_the_way, kinds=len(_OBSTACLES)),
    Row("the parent is missing", _missing_parent),
    Row("cache and archive on different disks", _cross_device),
]
