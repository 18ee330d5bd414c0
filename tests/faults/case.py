# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that meets a fault of a disk or finds damage: what stood before, and what has to hold afterwards."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..support.disks import small_disk
from ..support.module import Result
from . import tracer
from .ground import PATIENT, Ground
from .site import TIMEOUT, Quiet, Site
from .trial import Trial, require

VARIANTS: tuple[dict[str, Any], ...] = (
    {"compress": "gzip", "part_size": "200K"},
    {"compress": "dir"},
    {"compress": "none"},
    {"compress": "zstd", "part_size": "100K"},
    {"compress": "gzip", "keep_cache": False},
    {"compress": "dir", "mode": "0640"},
)
_OF_SHORT_FORM = 2
_REMEDY = re.compile(
    r"\b([Ff]ree (some|[0-9])|[Mm]ake room|[Cc]orrect|[Cc]hoose|[Uu]se another|[Nn]ame another|[Ss]et another|[Rr]emove"
    r"|move it away|[Rr]un again|look at|[Cc]heck|next run|give|must be)\b"
)

SPACE = ("space", "quota")
"""How a run speaks of a disk that takes no more."""

Turn = Callable[[Ground, random.Random, int], str]


@dataclass(frozen=True)
class Row:
    """A row of the table.

    :param run: makes the fault; is given a number that turns, to choose between variants by.
    :param kinds: how many turns it takes until each kind of the fault has been made.
    """

    fault: str
    run: Turn
    kinds: int = 1


def spread(group: str, rows: Sequence[Row], times: int) -> list[Trial]:
    """So many trials of each row, or one of each kind where these are more.

    A single one is the short form, which has no time for all kinds. Trials keep their numbers however many there are.
    """
    return [
        Trial(group, row.fault, 100 * place + number, _turned(row, place, number))
        for place, row in enumerate(rows)
        for number in range(max(times, row.kinds) if times > 1 else 1)
    ]


def _turned(row: Row, place: int, number: int) -> Callable[[Ground, random.Random], str]:
    return lambda ground, chance: row.run(ground, chance, place % _OF_SHORT_FORM + number)


def variant(turn: int) -> dict[str, Any]:
    """The parameters for a turn; the short form, which has only the first turns, makes do with few of them."""
    return VARIANTS[turn % len(VARIANTS)]


def told(result: Result) -> str:
    """All that a run says of itself to the person before it."""
    reasons = [str(each["reason"]) for each in result.data.get("failed_images", [])]
    return " | ".join([result.msg, str(result.data.get("reason", "")), *reasons, *result.warnings])


_GOES_ON = "the next run continues from there"


def require_clear(result: Result, place: Path, *causes: str) -> None:
    """The run failed, and says what could not be written or read, why, and what to do.

    :param place: below which the path lies that has to be named.
    :param causes: one of them has to be told.
    :raises Violation: it is not so
    """
    require("Traceback" not in result.stderr, f"a traceback: {result.stderr}")
    require_clear_data({**result.data, "failed": result.failed}, told(result), place, *causes)


def require_clear_data(data: Mapping[str, Any], text: str, place: Path, *causes: str) -> None:
    """The same, of what a task returned; only while a new archive is put in place, it may have changed something."""
    require(data.get("failed"), f"it did not fail: {text}")
    require(not data.get("changed") or _GOES_ON in text, f"it failed, and says that it changed something: {text}")
    require("exception" not in data and "Traceback" not in text, f"a traceback: {data}")
    require(str(place) in text, f"no path below {place} is named: {text}")
    require(any(cause in text for cause in causes), f"none of {causes} is told: {text}")
    require(_REMEDY.search(text), f"nothing is said of what to do: {text}")


@dataclass(frozen=True)
class Case:
    """A site with what stands there, and what a quiet run makes of it.

    :param before: sha256 of the files of the archive, as ``Site.published`` has them.
    :param kept: what may lie about after a run that failed, as it says that what was fetched stays.
    :param lacking: digests of layers that are not in the cache.
    """

    site: Site
    params: dict[str, Any]
    before: dict[str, str]
    quiet: Quiet
    kept: frozenset[str]
    lacking: tuple[str, ...]

    @property
    def dest(self) -> Path:
        """Where the archive stands, with the suffix of its form."""
        suffix = {"zstd": ".tar.zst", "none": ".tar"}.get(self.params["compress"], "")
        return self.site.dest.with_name(f"{self.site.dest.name}{suffix}")

    def beside(self, suffix: str) -> Path:
        """``.lock.json``, ``.sha256``, ``.part0`` of the archive."""
        return self.dest.with_name(f"{self.dest.name}{suffix}")

    @property
    def first_file(self) -> Path:
        """The archive, or its first part."""
        return self.beside(".part0") if "part_size" in self.params else self.dest

    @property
    def staging(self) -> Path:
        """Where an archive is made."""
        return self.dest.with_name(f".{self.dest.name}.staging")

    def require_stands(self) -> None:
        """Require that all is as it was, byte for byte, with nothing beside it, and that what was begun is cleared.

        :raises Violation: it is not so
        """
        self.site.require_published(self.before)
        left = self.site.names() - self.kept
        require(not left, f"left over: {sorted(left)[:5]}")
        self.site.require_no_secret()
        self.site.require_nothing_running()

    def require_whole(self) -> None:
        """Every file that stands is whole, of the archive before or of the new one, and of both only once decided.

        :raises Violation: it is not so
        """
        found, new = self.site.published(), self.quiet.published
        if found in (self.before, new):
            return
        decided = list(self.site.out.glob(".*.staging/ready/*.lock.json"))
        require(decided, f"neither the archive before nor the new one: {sorted(found.items() ^ new.items())[:4]}")
        # A report is about one of both, and may lie beside the other's lock file for now.
        parts = {name: sha256 for name, sha256 in found.items() if ".report." not in name}
        mixed = [name for name in parts if parts[name] not in (self.before.get(name), new.get(name))]
        require(not mixed, f"not whole: {mixed[:5]}")

    def complete(self) -> Result:
        """Another run, and nothing is in its way."""
        result = self.site.run(**{**PATIENT, **self.params})
        self.site.require_completed(result, self.quiet)
        return result


@contextmanager
def case(
    ground: Ground, params: Mapping[str, Any], *, images: int, disks: Mapping[str, Any] | None = None
) -> Iterator[Case]:
    """A site to make faults on.

    :param images: so many are saved already, with the same parameters; 0: nothing is there.
    :param disks: options of ``small_disk`` for each of the site's folders that is to be a disk of its own; with an
        empty name, of the whole site.
    """
    with ground.site() as site, ExitStack() as stack:
        for name, options in (disks or {}).items():
            stack.enter_context(small_disk(site.folder / name, **options))
        yield furnished(ground, site, params, images=images)


def changing_calls(ground: Ground, like: Case) -> list[tracer.Call]:
    """The system calls by which a run such as a case's changes files, seen in one that nothing strikes."""
    key = (repr(like.params), bool(like.before))
    if key not in ground.calls:
        with case(ground, like.params, images=ground.load.earlier if like.before else 0) as seen:
            log = seen.site.folder.with_suffix(".trace")
            result = seen.site.start(under=tracer.watching(log), **seen.params).wait(TIMEOUT)
            seen.site.require_completed(result, seen.quiet)
            ground.calls[key] = tracer.changes(log, seen.site.folder)
    return ground.calls[key]


def furnished(ground: Ground, site: Site, params: Mapping[str, Any], *, images: int) -> Case:
    """A case on a site, once its folders are where they are to be."""
    site.__enter__()
    full = dict(params)
    quiet = ground.quiet(**full)
    known = quiet.names | ground.quiet(**{**full, "keep_cache": True}).names
    if images:
        like = ground.earlier(images, tuple(sorted(full.items())))
        for name in ("out", "cache"):
            shutil.copytree(like / name, site.folder / name, symlinks=True, dirs_exist_ok=True)
        accepted = site.cache / "accepted.json"  # which names archives by their path
        if accepted.exists():
            accepted.write_bytes(accepted.read_bytes().replace(bytes(like), bytes(site.folder)))
    references = ground.references
    lacking = layers(ground, references[images:]) - layers(ground, references[:images])
    return Case(site, full, site.published(), quiet, site.names() | known, tuple(sorted(lacking)))


def layers(ground: Ground, references: Sequence[str]) -> set[str]:
    """The digests of the layers of images."""
    found = (ground.images[each].platforms for each in references)
    return {layer.digest for platforms in found for one in platforms for layer in one.layers}
