# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as a table: RFC 4180, for spreadsheets and scripts. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Union

from .._archive.lock import Lock, LockedImage
from .._archive.referrers import owners_of
from .._base.errors import printable
from .comparison import platform_names
from .facts import Facts

COLUMNS = (
    "reference",
    "status",
    "change",
    "platform",
    "digest",
    "manifest_digest",
    "size",
    "media_type",
    "reason",
    "image",
    "refers_to",
)
_LONGEST = 10_000
# What a spreadsheet takes for the beginning of a formula, also in the width of East Asian letters. Many split at
# semicolons instead of commas, so a cell of theirs may begin in the middle of one of ours.
_FORMULA = re.compile(r"""(^|[;\t|])(?=[\s"]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20])""")
_HARMLESS = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9 ._/:@()-]*)?")
"""Text that stays as it is: nearly all cells."""

Cell = Union[str, int]


def table(lock: Lock, facts: Facts | None) -> bytes:
    """Write the rows of a report, in UTF-8 with CRLF.

    ``status`` is saved, skipped, failed, invalid, removed or content; ``change`` is new, changed, same or removed
    compared with the archive before, and empty where that is not known. ``digest`` is what the reference names in its
    registry,
    ``manifest_digest`` and ``size`` are those of the platform image in the archive.

    ``image`` and ``refers_to`` are for what was saved because it refers to an image: that image, and the digest.

    :param facts: about this lock file; ``None``: not known any more.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([_safe(cell) for cell in _filled(row)] for row in _rows(lock, facts))
    return out.getvalue().encode("utf-8")


def changes(references: Iterable[str], facts: Facts | None) -> dict[str, str]:
    """Compare saved references with the archive before; empty where that is not known."""
    if facts is None:
        return dict.fromkeys(references, "")
    if facts.before is None:
        return dict.fromkeys(references, "new")
    told = dict.fromkeys(references, "same")
    told.update((name, "new") for name in facts.before.added)
    told.update((one.reference, "changed") for one in facts.before.changed)
    return told


def _rows(lock: Lock, facts: Facts | None) -> Iterator[tuple[Cell, ...]]:
    told = changes([str(image.reference) for image in lock.images], facts)
    owners = owners_of(lock.images)
    for image in lock.images:
        yield from _saved(image, told[str(image.reference)], str(owners.get(image.reference, "")))
    removed = {} if facts is None or facts.before is None else {one.reference: one for one in facts.before.removed}
    reasons = {} if facts is None else {one.reference: one for one in facts.failed}
    for skip in lock.skipped:
        name = str(skip.reference)
        change = "removed" if removed.pop(name, None) else ""
        yield name, "skipped", change, "", skip.digest, "", "", "", skip.reason
    for name in lock.failed:
        change = "removed" if removed.pop(name, None) else ""
        failure = reasons.get(name)
        digest, reason = (failure.digest, failure.reason) if failure else ("", "not known any more")
        yield name, "failed", change, "", digest, "", "", "", reason
    if lock.is_bundle:
        yield "this bundle", "content", "", "", "", "", sum(lock.blobs.values()), "", "bytes of all blobs in it"
        yield "a full archive", "content", "", "", "", "", lock.whole_size, "", "bytes that it would have"
    for line in facts.invalid if facts is not None else ():
        yield line.text, "invalid", "", "", "", "", "", "", f"{line.origin}: {line.reason}"
    for gone in removed.values():
        platforms = " ".join(gone.platforms)
        yield gone.reference, "removed", "removed", platforms, gone.digest, "", gone.size, "", "no longer asked for"


def _filled(row: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """Return a row with all columns; the last ones may have been left out."""
    return (*row, *[""] * (len(COLUMNS) - len(row)))


def _saved(image: LockedImage, change: str, owner: str) -> Iterator[tuple[Cell, ...]]:
    start = (str(image.reference), "saved", change)
    notes = "; ".join(image.notes)
    for name, one in zip(platform_names(image), image.platforms):
        yield (*start, name, image.digest, one.digest, one.size, one.media_type, notes, owner, image.refers_to)
    if not image.platforms:
        yield (*start, "", image.digest, "", "", image.media_type, notes, owner, image.refers_to)


def _safe(cell: Cell) -> Cell:
    """Make a cell that no spreadsheet takes for a formula, nor a part of it."""
    if isinstance(cell, int) or (_HARMLESS.fullmatch(cell) and len(cell) <= _LONGEST):
        return cell
    return _FORMULA.sub(r"\1'", printable(cell, _LONGEST))
