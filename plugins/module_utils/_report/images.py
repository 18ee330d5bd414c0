# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sections of a report that tell of images: which, what is new, what is missing. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain

from .._archive.lock import LockedImage, LockedPlatform
from .._archive.referrers import kind_of_referrer
from .comparison import Changed, image_size, platform_names
from .controls import tools
from .failures import Failure
from .markup import Markup, Piece, element, join, text
from .pieces import (
    NOT_KNOWN,
    Column,
    Row,
    Subject,
    badge,
    count,
    digest,
    folded,
    grid,
    grid_pieces,
    reference,
    row,
    section,
    section_pieces,
    size,
)

_OPEN_ROWS = 40


# --- all images


def images(subject: Subject) -> Iterator[Markup]:
    """Every reference: saved, failed or skipped. This is most of a page, and comes in pieces."""
    columns = (
        Column("Reference"),
        Column("Status"),
        Column("Change"),
        Column("Size", is_number=True),
        Column("Platform images", sorts=False),
    )
    statuses = ["saved", *(["failed"] if subject.lock.failed else []), *(["skipped"] if subject.lock.skipped else [])]
    changes = [word for word in ("new", "changed", "same") if word in set(subject.changes.values())]
    above = [
        element("p", "Size: all platform images of a reference, each as if it were alone.", class_="soft"),
        tools("all-images", statuses, changes, words="reference, platform, digest or note"),
    ]
    table = grid_pieces(
        columns,
        _image_rows(subject),
        caption="Images with status, digests and sizes",
        name="all-images",
        class_="images short",
    )
    behind = [element("p", "No image matches.", class_="none", id="all-images-none", hidden=True)]
    return section_pieces("images", "Images", chain(above, table, behind))


def _image_rows(subject: Subject) -> Iterator[Row]:
    for image in subject.lock.images:
        change = subject.changes[str(image.reference)]
        yield row(
            join(
                [
                    reference(str(image.reference)),
                    element("br"),
                    digest(image.digest),
                    *map(_note, _hanging(subject, image)),
                    *map(_note, image.notes),
                ]
            ),
            badge("saved"),
            badge(change),
            size(image_size(image)),
            element("ul", *_platforms(image), class_="platforms"),
            numbers=(2,),
            status="saved",
            change=change,
        )
    failures = {} if subject.facts is None else {one.reference: one for one in subject.facts.failed}
    for name in subject.lock.failed:
        failure = failures.get(name)
        head = [reference(name), *([element("br"), digest(failure.digest)] if failure and failure.digest else [])]
        yield row(join(head), badge("failed"), "", "", _reason(failure), status="failed")
    for skip in subject.lock.skipped:
        head = [reference(str(skip.reference)), *([element("br"), digest(skip.digest)] if skip.digest else [])]
        yield row(join(head), badge("skipped"), "", "", skip.reason, status="skipped")


def _hanging(subject: Subject, image: LockedImage) -> Iterator[str]:
    """Say what refers to an image, or which image this refers to."""
    found = Counter(map(kind_of_referrer, subject.referrers.get(image.reference, ())))
    if found:
        kinds = ", ".join(kind if times == 1 else f"{kind} ({times})" for kind, times in sorted(found.items()))
        yield f"Saved with it, as they refer to it: {kinds}"
    if image.refers_to:
        owner = subject.owners.get(image.reference)
        of = f"{owner}, by its digest" if owner is not None else "what is not in the archive,"
        yield f"{kind_of_referrer(image)}; refers to {of} {image.refers_to}"


def _reason(failure: Failure | None) -> str:
    return failure.reason if failure is not None else f"Reason {NOT_KNOWN}"


def _note(note: str) -> Markup:
    return element("span", note, class_="note")


def _platforms(image: LockedImage) -> Iterator[Markup]:
    for name, one in zip(platform_names(image), image.platforms):
        yield element("li", element("span", name), size(one.size), _platform_digest(one))


def _platform_digest(one: LockedPlatform) -> Markup:
    if one.source_digest == one.digest:
        return digest(one.digest)
    return element("span", digest(one.digest), " made from ", digest(one.source_digest))


# --- what is new


def news(subject: Subject) -> Markup:
    """The comparison with the archive before, or with the base of a bundle, in full."""
    before = subject.before
    if before is None:
        what = (
            f"What is new is {NOT_KNOWN}: the comparison was lost or damaged."
            if subject.facts is None
            else "There was no archive before: everything is new."
        )
        return section("new", "What is new", element("p", what))
    if not (before.added or before.changed or before.removed):
        return section("new", "What is new", element("p", f"The same references as in {subject.earlier}."))
    now = {str(image.reference): image for image in subject.lock.images}
    added = [_plain(now[name]) for name in before.added if name in now]
    changed = [_changed(one, now[one.reference]) for one in before.changed if one.reference in now]
    failed, skipped = set(subject.lock.failed), {str(skip.reference) for skip in subject.lock.skipped}
    removed = [
        row(
            reference(one.reference),
            join(one.platforms, ", "),
            size(one.size),
            digest(one.digest),
            "failed" if one.reference in failed else "skipped" if one.reference in skipped else "no longer asked for",
            numbers=(1,),
        )
        for one in before.removed
    ]
    total = Column("Size", is_number=True)
    return section(
        "new",
        "What is new",
        element("p", count(before.blobs, "new blob"), " with ", size(before.bytes)),
        _listing("Added", added, (Column("Reference"), Column("Platforms"), total, Column("Digest", sorts=False))),
        _listing(
            "Changed",
            changed,
            (Column("Reference"), Column("Platforms"), total, Column("Digest before, and now", sorts=False)),
        ),
        _listing(
            "Removed",
            removed,
            (Column("Reference"), Column("Platforms"), total, Column("Digest before", sorts=False), Column("Why")),
        ),
    )


def _plain(image: LockedImage) -> Row:
    platforms = join(platform_names(image), ", ")
    return row(reference(str(image.reference)), platforms, size(image_size(image)), digest(image.digest), numbers=(1,))


def _changed(one: Changed, image: LockedImage) -> Row:
    now = platform_names(image)
    platforms: Piece = join(now, ", ")
    if now != one.platforms:
        platforms = join(
            [
                join(now, ", "),
                element("br"),
                element("span", "before: ", join(one.platforms, ", "), class_="soft small"),
            ]
        )
    digests = [digest(one.digest), element("br"), digest(image.digest)]
    if one.digest == image.digest:
        digests = [
            digest(image.digest),
            element("br"),
            element("span", "the same; other platforms of it", class_="soft small"),
        ]
    return row(reference(one.reference), platforms, size(image_size(image)), join(digests), numbers=(1,))


def _listing(title: str, rows: list[Row], columns: tuple[Column, ...]) -> Markup:
    """Write a table under a heading of its own; a long one can be folded away."""
    if not rows:
        return text("")
    table = grid(columns, rows, caption=f"{title} references")
    heading = element("h3", f"{title}: {count(len(rows), 'reference')}")
    return join([heading, table if len(rows) <= _OPEN_ROWS else folded("Show them", table, is_open=False)])


# --- what is missing


def missing(subject: Subject) -> Markup:
    """Write what failed, what was left out, and what has a note."""
    failures = {} if subject.facts is None else {one.reference: one for one in subject.facts.failed}
    failed = []
    for name in subject.lock.failed:
        failure = failures.get(name)
        failed.append(row(reference(name), _reason(failure), digest(failure.digest if failure else "")))
    invalid = [
        row(element("code", line.text), line.reason, line.origin)
        for line in (subject.facts.invalid if subject.facts is not None else ())
    ]
    skipped = [row(reference(str(skip.reference)), skip.reason, digest(skip.digest)) for skip in subject.lock.skipped]
    noted = [
        row(reference(str(image.reference)), join([element("div", note) for note in image.notes]))
        for image in subject.lock.images
        if image.notes
    ]
    told = [
        remarks("Failed", "reference", failed, ("Reference", "Reason", "Digest")),
        remarks("Invalid", "line", invalid, ("Line", "Reason", "Where")),
        remarks("Skipped", "reference", skipped, ("Reference", "Reason", "Digest")),
        remarks("Warnings", "reference", noted, ("Reference", "Saved, but")),
    ]
    if subject.facts is None:
        told.insert(0, element("p", f"Whether the list had invalid lines is {NOT_KNOWN}."))
    elif not any(told):
        told = [element("p", "Nothing failed, nothing was skipped, and there are no warnings.")]
    return section("missing", "Failed, skipped and warned", *told)


def remarks(title: str, noun: str, rows: list[Row], columns: tuple[str, ...]) -> Markup:
    """Write a table of what somebody should know under a heading of its own; nothing if it has no rows."""
    return (
        text("")
        if not rows
        else join(
            [
                element("h3", f"{title}: {count(len(rows), noun)}"),
                grid([Column(name, sorts=name != "Digest") for name in columns], rows, caption=f"{title}"),
            ]
        )
    )
