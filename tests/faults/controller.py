# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to the controller: its disk fills up, or what stands there is damaged."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..support import disks
from ..support.playbook import run_task
from . import spoil
from .case import SPACE, Row, require_clear_data, variant
from .fetching import Fetched, Fetcher
from .ground import Ground
from .site import published_below
from .trial import FAILED, HEALED, REFUSED, REPAIRED, require

_ROOMY = 96 * 1024 * 1024
_FORMS = 4
"""How many of the variants differ on the controller; the others have the same files."""


@dataclass(frozen=True)
class _Case:
    """A controller that has the archive of an earlier run, and a host with a new one.

    :param before: sha256 of each file of the archive on the controller, and of what stands beside it.
    :param wanted: of those on the host.
    """

    fetcher: Fetcher
    before: dict[str, str]
    wanted: dict[str, str]

    @property
    def media(self) -> Path:
        return self.fetcher.media

    @property
    def coming(self) -> int:
        """Bytes that have to be transferred."""
        folder = self.fetcher.source.parent
        names = [name for name, sha256 in self.wanted.items() if self.before.get(name) != sha256]
        return sum((folder / name).stat().st_size for name in names)

    def require_refused(self, result: Fetched, *causes: str) -> None:
        """It failed and said why, and what stood still does."""
        require_clear_data(result.data, result.msg, self.media, *causes)
        require(published_below(self.media) == self.before, "what stood on the controller is not as it was")

    def complete(self) -> Fetched:
        """All of the new archive is there, and nothing else."""
        result = self.fetcher.run()
        require(not result.failed, f"it failed: {result.data}")
        require(published_below(self.media) == self.wanted, "it is not the archive of the host")
        hidden = [path.name for path in self.media.iterdir() if path.name.startswith(".")]
        require(not hidden, f"left over: {hidden}")
        return result


@contextmanager
def _case(ground: Ground, turn: int, *, is_new: bool = True, **disk: Any) -> Iterator[_Case]:
    """Make a case.

    :param is_new: whether the host's archive has more images than the controller's.
    """
    params = variant(turn % _FORMS)
    # What is fetched has to have the suffix of its kind.
    name = "images" if params.get("compress") == "dir" else ""
    counts = (ground.load.earlier if is_new else ground.load.all, ground.load.all)
    old, new = (ground.earlier(count, tuple(sorted(params.items())), name=name) / "out" for count in counts)
    with ground.site() as site, disks.small_disk(site.folder / "media", _ROOMY, **disk) as media:
        (archive,) = [path.name[: -len(".lock.json")] for path in new.glob("*.lock.json")]
        with Fetcher(new / archive, media, home=site.folder / "home") as fetcher:
            shutil.copytree(old, media, symlinks=True, dirs_exist_ok=True)
            yield _Case(fetcher, published_below(media), published_below(new))


def _too_small(ground: Ground, chance: random.Random, turn: int) -> str:
    """It is told before any part is transferred, and the hidden directory goes too."""
    with _case(ground, turn) as found:
        filler = found.media / ".filler"
        disks.fill(filler, leave=chance.randrange(found.coming // 4, found.coming // 2))
        result = found.fetcher.run()
        filler.unlink()
        found.require_refused(result, "not enough space")
        require(set(result.transferred) <= {f"{found.fetcher.name}.lock.json"}, f"transferred: {result.transferred}")
        require(not list(found.media.glob(".*")), "a hidden directory is left")
        found.complete()
    return REFUSED


def _fills_up(ground: Ground, chance: random.Random, turn: int) -> str:
    """There was room when it was looked at; what has arrived is not transferred again."""
    with _case(ground, turn) as found:
        filler = found.media / ".filler"
        result = found.fetcher.run(at_byte=(chance.randrange(found.coming), lambda: disks.fill(filler)))
        filler.unlink()
        if not result.failed:  # what was still to come fitted into a page that was there already
            found.complete()
            return HEALED
        found.require_refused(result, "no space left")
        require("not enough space" not in result.msg, f"it says that it looked before: {result.msg}")
        second = found.complete()
        again = set(result.arrived) & set(second.transferred)
        require(not again, f"transferred again: {sorted(again)[:4]}")
    return FAILED


def _no_files(ground: Ground, chance: random.Random, turn: int) -> str:
    """Sometimes through ansible-playbook itself, over its own connection."""
    with _case(ground, turn, files=10_000) as found:
        disks.resize(found.media, files=disks.used_files(found.media) + chance.randrange(5))
        if turn % 4 == 3:
            task = run_task("airgap.images.image_fetch", found.fetcher.arguments()).task("task")
            result = Fetched({**_without_display(task.data), "failed": task.status == "failed"}, [], [])
        else:
            result = found.fetcher.run()
        disks.resize(found.media, files=10_000)
        found.require_refused(result, "No space left", *SPACE)
        found.complete()
    return FAILED


def _without_display(data: dict[str, Any]) -> dict[str, Any]:
    """A result without what ansible-core adds for its own display: that there is no traceback."""
    return {key: value for key, value in data.items() if value != "(traceback unavailable)"}


def _read_only(ground: Ground, chance: random.Random, turn: int) -> str:
    with _case(ground, turn) as found:
        with disks.read_only(found.media):
            result = found.fetcher.run()
        found.require_refused(result, "Read-only file system")
        found.complete()
    return REFUSED


def _damaged(ground: Ground, chance: random.Random, turn: int) -> str:
    """Only what is damaged comes again."""
    with _case(ground, turn, is_new=False) as found:
        paths = sorted(path for path in found.media.rglob("*") if path.is_file() and not path.is_symlink())
        path = chance.choice(paths)
        kind = spoil.KINDS[turn % len(spoil.KINDS)]
        kind.apply(path, chance)
        result = found.complete()
        require(result.data["changed"], "it says that nothing changed")
        name = str(path.relative_to(found.media))
        require(result.transferred == [name], f"{result.transferred} transferred instead of {name}")
        require(not found.fetcher.run().data["changed"], "the next run changes something again")
    return REPAIRED


def _damaged_on_its_way(ground: Ground, chance: random.Random, turn: int) -> str:
    """The remains of an interrupted fetch are not of this archive, or only half there."""
    with _case(ground, turn) as found:
        hidden = found.media / f".{found.fetcher.name}.fetching"
        shutil.copytree(found.fetcher.source.parent, hidden, symlinks=True)
        for path in sorted(path for path in hidden.rglob("*") if path.is_file() and not path.is_symlink()):
            if chance.random() < 0.5:
                chance.choice(spoil.KINDS).apply(path, chance)
        (hidden / "foreign").write_bytes(b"\0" * 1000)
        found.complete()
    return REPAIRED


DISK_ROWS = [
    Row("controller: too small", _too_small),
    Row("controller: fills up during the transfer", _fills_up),
    Row("controller: no inodes left", _no_files),
    Row("controller: read-only", _read_only),
]
DAMAGE_ROWS = [
    Row("controller: a file that was fetched", _damaged, kinds=len(spoil.KINDS)),
    Row("controller: a fetch that was interrupted", _damaged_on_its_way),
]
