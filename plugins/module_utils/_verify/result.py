# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a verification: data, and the sentences at its end. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .._archive.output import DIR
from .._archive.request import is_askable
from .._base.json import Json
from .._base.size import format_count, format_size
from .repair import Plans
from .request_file import Wish
from .state import Checked, CheckedArchive, named
from .touched import Harm

ASKABLE = "; with request_file, image_save can be asked for exactly these files"
"""The end of the message without a request file. The role has another one, as it writes the file itself."""


@dataclass(frozen=True)
class Repaired:
    """A file that was made again (in check mode: would be).

    :param path: of the file.
    :param parity: name of the parity file that it was made from.
    """

    path: str
    parity: str


@dataclass(frozen=True)
class Verdict:
    """An archive, what is wrong with it, and what was done about it.

    :param archive: as it is now.
    :param harm: the images that the damage touches.
    :param plans: what can still be made again, and why the rest cannot.
    :param repaired: what was made again.
    :param wish: the request for what is lost; ``None`` for an archive without a lock file.
    """

    archive: CheckedArchive
    harm: Harm = field(default_factory=Harm)
    plans: Plans = field(default_factory=Plans)
    repaired: tuple[Repaired, ...] = ()
    wish: Wish | None = None

    @property
    def images(self) -> int:
        """Number of images that the archive holds; 0 if that is not known."""
        lock = self.archive.found.lock
        return len(lock.images) if lock is not None else 0


@dataclass(frozen=True)
class Result:
    """The end of a run, failed or not.

    :param changed: whether a part or a request file is different (in check mode: would be).
    :param request_files: paths of the files that ask for what is lost.
    :param size: bytes that were read.
    :param seconds: wall time of each stage.
    """

    verdicts: tuple[Verdict, ...]
    changed: bool = False
    request_files: tuple[str, ...] = ()
    size: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def is_failure(self) -> bool:
        """True if the task has to fail."""
        return not all(verdict.archive.is_whole for verdict in self.verdicts)

    @property
    def repaired(self) -> tuple[Repaired, ...]:
        """All files that were made again."""
        return tuple(one for verdict in self.verdicts for one in verdict.repaired)

    def warnings(self) -> Iterator[str]:
        """Yield sentences on what is wrong, but does no harm yet."""
        for verdict in self.verdicts:
            for parity in verdict.archive.parity:
                if parity.found_size is not None and not parity.is_ok:
                    yield f"{parity.reason}. No image needs it, but a lost part can no longer be made again from it"

    def notes(self) -> list[str]:
        """Return sentences on how far the archives could be checked."""
        found: list[str] = []
        for verdict in self.verdicts:
            archive = verdict.archive
            if archive.found.lock is None and not all(one.part.sha256 for one in archive.parts):
                found.append(f"{archive.path} has neither a lock file nor checksums, so its blobs were checked instead")
            if not archive.is_whole and not verdict.harm.is_known:
                found.append(_explain_unknown(verdict))
        return found

    def sentence(self, *, check: bool) -> str:
        """Return the sentence for the user; several if something is wrong."""
        told = [sentence for verdict in self.verdicts if not verdict.archive.is_whole for sentence in _trouble(verdict)]
        told += _next_steps(self) if told else []
        if not told:
            told = [_whole([verdict.archive for verdict in self.verdicts], self.size)]
        if self.repaired:
            files = named([os.path.basename(one.path) for one in self.repaired])
            sources = named([*dict.fromkeys(one.parity for one in self.repaired)])
            told[0] = f"{'would make' if check else 'made'} {files} again from {sources}; {told[0]}"
        return ". ".join(told)

    def as_returned(self, *, check: bool) -> dict[str, Json]:
        """Return the values that RETURN documents."""
        archives = [verdict.archive for verdict in self.verdicts]
        parts = [one for archive in archives for one in archive.parts]
        return {
            "changed": self.changed,
            "msg": self.sentence(check=check),
            "succeeded": not self.is_failure,
            "notes": list(self.notes()),
            "archives": [_archive_json(verdict) for verdict in self.verdicts],
            "damaged_images": [
                touched.as_json(verdict.archive.path) for verdict in self.verdicts for touched in verdict.harm.images
            ],
            "repaired": [one.path for one in self.repaired],
            "requests": [verdict.wish.as_json() for verdict in self.verdicts if verdict.wish is not None],
            "request_files": list(self.request_files),
            "stats": {
                "parts": len(parts),
                "parts_bad": sum(len(archive.bad) for archive in archives),
                "bytes": self.size,
                "seconds": dict(self.seconds),
            },
        }


def _archive_json(verdict: Verdict) -> dict[str, Json]:
    archive = verdict.archive
    # A directory has a file for each blob.
    parts: Sequence[Checked] = archive.bad if archive.found.compress == DIR else archive.parts
    return {
        "path": archive.path,
        "lock_sha256": archive.found.lock_sha256,
        "is_whole": archive.is_whole,
        "damage": archive.damage,
        "images_known": verdict.harm.is_known,
        "parts": [one.as_json() for one in parts],
        "parity": [one.as_json() for one in archive.parity],
    }


def _whole(archives: Sequence[CheckedArchive], size: int) -> str:
    count = sum(len(archive.parts) for archive in archives)
    noun = "file" if any(archive.found.compress == DIR for archive in archives) else "part"
    where = archives[0].name if len(archives) == 1 else f"{len(archives)} archives"
    are = f"all {format_count(count, noun)} of {where} are" if count > 1 else f"the {noun} of {where} is"
    return f"{are} whole ({format_size(size)} read)"


def _trouble(verdict: Verdict) -> Iterator[str]:
    """Yield sentences on what is wrong with an archive, without full stops."""
    archive = verdict.archive
    reasons = [one.reason for one in archive.bad]
    if reasons:
        noun = "file" if archive.found.compress == DIR else "part"
        verb = "is" if len(reasons) == 1 else "are"
        yield (
            f"{len(reasons)} of {format_count(len(archive.parts), noun)} of {archive.name} {verb} damaged or missing: "
            f"{'; '.join(reasons[:5])}{f'; and {len(reasons) - 5} more' if len(reasons) > 5 else ''}"
        )
    else:
        yield f"{archive.name}: {archive.damage.rstrip('.')}"
    if not verdict.harm.is_known:
        yield _explain_unknown(verdict)
    else:
        yield _needed_by(verdict)
    yield from verdict.plans.problems


def _needed_by(verdict: Verdict) -> str:
    names = [one.reference for one in verdict.harm.images]
    if not names:
        return "No image needs what is lost, but the archive cannot be unpacked"
    total = f"{len(names)} of {format_count(verdict.images, 'image')}"
    count = total if verdict.images else format_count(len(names), "image")
    return f"{count} {'needs' if len(names) == 1 else 'need'} what is lost: {named(names)}"


def _explain_unknown(verdict: Verdict) -> str:
    archive = verdict.archive
    if archive.found.lock is None:
        return f"The images that need what is lost are not known, because {archive.name} has no lock file"
    return (
        f"The images that need what is lost are not known, because the lock file of {archive.name} does not say where "
        f"they are, or manifests cannot be read; it can be any of its {format_count(verdict.images, 'image')}"
    )


def _next_steps(result: Result) -> Iterator[str]:
    """Yield what to do, without full stops."""
    plans = [plan for verdict in result.verdicts for plan in verdict.plans.plans if not plan.lost.is_ok]
    parts = [plan.lost.part.name for plan in plans if plan.lost in _bad(result)]
    if parts:
        sources = [*dict.fromkeys(plan.parity for plan in plans if plan.lost.part.name in parts)]
        yield f"Run again with repair=true to make {named(parts)} again from {named(sources)}"
    begin = "Otherwise, copy" if parts else "Copy"
    if result.request_files:
        yield (
            f"{begin} what is lost across again, or carry {named(result.request_files)} out and name it in the option "
            "request of image_save, which makes exactly these files"
        )
    elif any(verdict.wish is not None and verdict.wish.request.asks for verdict in result.verdicts):
        yield f"{begin} what is lost across again{ASKABLE}"
    else:
        yield f"{begin} what is lost across again, or save the archive again"
        return
    others = [
        one.part.name for verdict in result.verdicts for one in verdict.archive.bad if not _is_askable(verdict, one)
    ]
    if others:
        yield f"{named(others)} cannot be asked for; copy the files of the directory that are not in share across again"


def _is_askable(verdict: Verdict, file: Checked) -> bool:
    return verdict.wish is None or is_askable(file.part.name, is_directory=verdict.wish.is_tree)


def _bad(result: Result) -> list[Checked]:
    return [one for verdict in result.verdicts for one in verdict.archive.bad]
