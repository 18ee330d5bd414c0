# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a set: which host has which images, and which files there are to carry. Pure.

There are no dates in it, and nothing of a run: equal sets give equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.output import BESIDE, DIR, REPORT_SUFFIX
from ansible_collections.airgap.images.plugins.module_utils._archive.referrers import images_only
from ansible_collections.airgap.images.plugins.module_utils._report.comparison import image_size, platform_names
from ansible_collections.airgap.images.plugins.module_utils._report.markup import LINE_END, Markup, Piece, element, join
from ansible_collections.airgap.images.plugins.module_utils._report.pieces import (
    Column,
    Row,
    badge,
    commands,
    count,
    digest,
    folded,
    grid,
    number,
    reference,
    row,
    section,
    size,
)
from ansible_collections.airgap.images.plugins.module_utils._report.template import page
from ansible_collections.airgap.images.plugins.plugin_utils._set.names import CARRIED, RESTORE
from ansible_collections.airgap.images.plugins.plugin_utils._set.restore import Archive

_OPEN_ROWS = 40


def set_report(archives: Sequence[Archive], merged: Lock) -> bytes:
    """Write the page.

    :param archives: of all hosts, in the order in which they are shown.
    :param merged: the lock file of the set.
    """
    body = join(
        [
            element(
                "header",
                element("p", "Container images to carry across an air gap", class_="eyebrow"),
                element("h1", f"A set of {count(len(archives), 'host')}"),
                element("div", _content(archives, merged), _carry(), _restore(), class_="answers"),
            ),
            element(
                "main",
                LINE_END,
                join(
                    [
                        _hosts(archives),
                        *(_files(archive, place) for place, archive in enumerate(archives, start=1)),
                        _images(archives),
                        _missing(archives),
                    ],
                    LINE_END,
                ),
                LINE_END,
                id="details",
                tabindex=-1,
            ),
            element("footer", element("p", "Written by airgap.images from the lock files of all hosts.")),
        ],
        LINE_END,
    )
    return page(title="images: what is in the set", body=body).encode("utf-8")


def _content(archives: Sequence[Archive], merged: Lock) -> Markup:
    files = sum(len(archive.lock.parts) for archive in archives)
    images = len(images_only(merged.images))
    told: list[tuple[str, Piece]] = [
        ("Archives", join([size(sum(archive.size for archive in archives)), f" in {count(files, 'file')}"])),
        ("Content", join([size(sum(merged.blobs.values())), f" in {count(len(merged.blobs), 'blob')}"])),
        ("Skipped", number(len(merged.skipped))),
        ("Failed", number(len(merged.failed))),
    ]
    return _card(
        "content",
        "What is in here?",
        element("p", number(images), " image" if images == 1 else " images", class_="big"),
        element(
            "dl", *(element("div", element("dt", name), element("dd", value)) for name, value in told), class_="rows"
        ),
    )


def _carry() -> Markup:
    return _card(
        "carry",
        "What goes on which stick?",
        element("p", "On every stick:", class_="soft"),
        element("ul", *(element("li", element("code", name)) for name in CARRIED), class_="names"),
        element("p", "And the files of any hosts, listed below, in directories of the hosts or in one.", class_="soft"),
    )


def _restore() -> Markup:
    return _card(
        "soundness",
        "How is it restored?",
        element("p", "Collect the files of all hosts, then check them:", class_="soft"),
        commands(f"sh {RESTORE} --check"),
        element("p", "Or check and unpack them into one directory:", class_="soft"),
        commands(f"sh {RESTORE} TARGET_DIR"),
    )


def _card(name: str, question: str, *children: Piece) -> Markup:
    heading = element("h2", question, id=f"{name}-question")
    return element("section", heading, *children, id=name, class_="card", aria_labelledby=f"{name}-question")


def _hosts(archives: Sequence[Archive]) -> Markup:
    rows = [
        row(
            element("a", archive.host, href=f"#host-{place}"),
            number(len(images_only(archive.lock.images))),
            number(len(archive.lock.parts)),
            size(archive.size),
            element("code", f"{archive.host}/{archive.name}"),
            numbers=(0, 1, 2),
        )
        for place, archive in enumerate(archives, start=1)
    ]
    columns = (
        Column("Host"),
        Column("Images", is_number=True),
        Column("Files", is_number=True),
        Column("Size", is_number=True),
        Column("Archive"),
    )
    return section("hosts", "Hosts", grid(columns, rows, caption="Hosts with the sizes of their archives"))


def _files(archive: Archive, place: int) -> Markup:
    """Write what is to be copied of a host: the files of its archive, and which small ones belong to it.

    :param place: of the host among all, from 1.
    """
    prefix = f"{archive.name}/" if archive.compress == DIR else ""
    rows = [
        row(element("code", f"{prefix}{part.name}"), size(part.size), digest(part.sha256), numbers=(0,))
        for part in archive.lock.parts
    ]
    columns = (Column("File"), Column("Size", is_number=True), Column("sha256", sorts=False))
    table = grid(columns, rows, caption=f"Files of {archive.host}")
    beside = ", ".join(f"{archive.name}{suffix}" for suffix in BESIDE.values())
    return section(
        f"host-{place}",
        f"{archive.host}: {count(len(rows), 'file')}",
        element("p", size(archive.size), " to carry. Its own report is ", _report_of(archive), ".", class_="soft"),
        table if len(rows) <= _OPEN_ROWS else folded("Show them", table, is_open=False),
        element("p", f"Next to them: {beside}", class_="soft"),
    )


def _report_of(archive: Archive) -> Markup:
    return element("code", f"{archive.host}/{archive.name}{REPORT_SUFFIX}")


def _images(archives: Sequence[Archive]) -> Markup:
    columns = (
        Column("Reference"),
        Column("Host"),
        Column("Size", is_number=True),
        Column("Platforms"),
    )
    rows = sorted(_image_rows(archives), key=itemgetter(0))
    return section(
        "images",
        "Images",
        _tools(),
        grid(columns, [made for _name, made in rows], caption="Images with their hosts", name="all-images"),
        element("p", "No image matches.", class_="none", id="all-images-none", hidden=True),
    )


def _tools() -> Markup:
    """Controls that do something only where the script runs, which shows them."""
    return element(
        "div",
        element(
            "label",
            "Filter by reference, host or platform",
            element("input", type="search", autocomplete="off", spellcheck="false"),
            class_="wide",
        ),
        element("button", "Whole digests", type="button", aria_pressed="false"),
        element("output", "", aria_live="polite"),
        class_="tools",
        data_for="all-images",
        hidden=True,
    )


def _image_rows(archives: Sequence[Archive]) -> Iterator[tuple[str, Row]]:
    for archive in archives:
        for image in archive.lock.images:
            name = str(image.reference)
            platforms = join(platform_names(image), ", ")
            head = join([reference(name), element("br"), digest(image.digest)])
            yield name, row(head, archive.host, size(image_size(image)), platforms, numbers=(1,), status="saved")


def _missing(archives: Sequence[Archive]) -> Markup:
    rows = [
        row(reference(name), badge(status), archive.host, reason)
        for archive in archives
        for name, status, reason in [
            *((name, "failed", "see the report of the host") for name in archive.lock.failed),
            *((str(skip.reference), "skipped", skip.reason) for skip in archive.lock.skipped),
        ]
    ]
    if not rows:
        return section("missing", "Failed and skipped", element("p", "Nothing failed, and nothing was skipped."))
    columns = (Column("Reference"), Column("Status"), Column("Host"), Column("Reason"))
    return section("missing", "Failed and skipped", grid(columns, rows, caption="Failed and skipped references"))
