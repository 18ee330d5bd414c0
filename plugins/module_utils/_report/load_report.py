# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a load: what is new in the registry, what was there, and what failed. Pure.

The same facts give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .cards import ALERT, DONE, bar, card, icon, rows
from .controls import tools
from .images import remarks
from .load_facts import CHANGED, FAILED, KEPT, LOADED, NEW, SAME, LoadedImage, LoadFacts, MovedBlobs
from .markup import LINE_END, Markup, Piece, element, join, text
from .pieces import Column, Row, badge, commands, count, digest, grid, grouped, number, reference, row, section, size
from .template import page as make_page

_STATE = re.compile(rb'<header data-load="([0-9a-f]{64})">')


def render_load(facts: LoadFacts) -> bytes:
    """Write the page."""
    told = [_images(facts), _lacking(facts), _settings(facts)]
    if facts.lacking:
        told.insert(0, told.pop(1))
    body = join(
        [
            element(
                "header",
                element("p", "Container images that crossed an air gap", class_="eyebrow"),
                element("h1", facts.registry),
                element("div", _content(facts), _news(facts), _outcome(facts), class_="answers"),
                _contents(facts),
                data_load=facts.state,
            ),
            element("main", LINE_END, join(told, LINE_END), LINE_END, id="details", tabindex=-1),
            element("footer", element("p", "Written after the load by airgap.images.")),
        ],
        LINE_END,
    )
    return make_page(title=f"{facts.registry}: what was loaded", body=body).encode("utf-8")


def state_of_page(raw: bytes) -> str:
    """Return :attr:`LoadFacts.state` of a page; empty if it is not a report of a load."""
    found = _STATE.search(raw)
    return found.group(1).decode("ascii") if found else ""


def _contents(facts: LoadFacts) -> Markup:
    links = [("images", "Images"), ("missing", "Failed and unusual"), ("settings", "Settings of nodes")]
    if facts.lacking:
        links.insert(0, links.pop(1))
    items = [element("li", element("a", title, href=f"#{name}")) for name, title in links]
    return element("nav", element("ul", *items), aria_label="On this page")


# --- the answers


def _content(facts: LoadFacts) -> Markup:
    there = [one for one in facts.images if one.status == LOADED]
    repositories = {one.target.rpartition(":")[0] for one in there}
    return card(
        "content",
        "What is in the registry?",
        element("p", number(len(there)), " image" if len(there) == 1 else " images", class_="big"),
        element("p", f"of this load, in {count(len(repositories), 'repository', 'repositories')}", class_="soft"),
        rows(
            ("Images, each as if it were alone", size(sum(one.size for one in there))),
            ("Not asked for", number(facts.left_out) if facts.left_out else ""),
            ("Tags left to others", number(len(_kept(facts))) if _kept(facts) else ""),
        ),
    )


def _news(facts: LoadFacts) -> Markup:
    counts = (("New", NEW), ("Changed", CHANGED), ("As before", SAME))
    moved = facts.pushed.bytes + facts.mounted.bytes + facts.present.bytes
    if not facts.having(NEW) and not facts.having(CHANGED):
        answer = [
            element("p", "Nothing", class_="big"),
            element("p", "The registry had all that it has of this load.", class_="soft"),
        ]
    else:
        pairs = [
            element("div", element("dt", word), element("dd", number(len(facts.having(of))))) for word, of in counts
        ]
        answer = [element("dl", *pairs, class_="counts"), bar(facts.pushed.bytes, moved)]
    return card(
        "news",
        "What is new?",
        *answer,
        rows(
            ("Sent", _moved(facts.pushed)),
            ("Mounted", _moved(facts.mounted)),
            ("There before", _moved(facts.present)),
        ),
    )


def _moved(moved: MovedBlobs) -> Piece:
    return join([size(moved.bytes), f" in {count(moved.blobs, 'blob')}"]) if moved.blobs else ""


def _outcome(facts: LoadFacts) -> Markup:
    if not facts.lacking:
        answer = element("p", icon(DONE), "Complete", class_="big good")
        told: list[Piece] = ["Everything that was asked for is in the registry."]
        if _kept(facts):
            still = f"{count(len(_kept(facts)), 'tag')} still {'names' if len(_kept(facts)) == 1 else 'name'}"
            told = [f"Nothing failed. {still} another image, as asked for."]
    else:
        answer = element("p", icon(ALERT), "Partial", class_="big warn")
        asked = len(facts.images) + len(facts.invalid)
        told = [
            f"{grouped(facts.lacking)} of {grouped(asked)} asked for are not in the registry; see ",
            element("a", "what failed", href="#missing"),
            ".",
        ]
    said = [rows(("Confirmation", element("code", facts.confirmation)))] if facts.confirmation else []
    return card("outcome", "Did everything arrive?", answer, element("p", *told, class_="soft"), *said)


def _kept(facts: LoadFacts) -> list[LoadedImage]:
    return [one for one in facts.images if one.status == KEPT]


# --- the sections


def _images(facts: LoadFacts) -> Markup:
    """Every image that was to be loaded."""
    columns = (
        Column("Reference"),
        Column("Status"),
        Column("Change"),
        Column("Size", is_number=True),
        Column("Name in the registry"),
    )
    statuses = [word for word in (LOADED, KEPT, FAILED) if any(one.status == word for one in facts.images)]
    changes = [word for word in (NEW, CHANGED, SAME) if any(one.change == word for one in facts.images)]
    return section(
        "images",
        "Images",
        element("p", "Change: whether its tag is new, named another image before, or is as it was.", class_="soft"),
        tools("all-images", statuses, changes, words="reference, name, digest or reason"),
        grid(
            columns,
            _image_rows(facts),
            caption="Images with status, names and digests",
            name="all-images",
            class_="images short",
        ),
        element("p", "No image matches.", class_="none", id="all-images-none", hidden=True),
    )


def _image_rows(facts: LoadFacts) -> Iterator[Row]:
    for one in facts.images:
        lines: list[Piece] = [reference(one.target)] if one.target else []
        if one.before:
            lines += [element("br"), element("span", "before: ", digest(one.before), class_="soft small")]
        yield row(
            join([reference(one.reference), *([element("br"), digest(one.digest)] if one.digest else [])]),
            _status(one.status),
            badge(one.change),
            size(one.size) if one.size else "",
            one.reason or join(lines),
            numbers=(2,),
            status=one.status,
            change=one.change,
        )


def _status(status: str) -> Markup:
    """A status in the colour of the report of an archive."""
    return element("span", status, class_="badge saved") if status == LOADED else badge(status)


def _lacking(facts: LoadFacts) -> Markup:
    """Write what failed, and what somebody should know."""
    failed = [row(reference(one.reference), one.reason, digest(one.digest)) for one in facts.failed]
    invalid = [row(element("code", line.text), line.reason, line.origin) for line in facts.invalid]
    moved = [
        row(reference(one.target), digest(one.before), digest(one.digest))
        for one in facts.having(CHANGED)
        if one.before
    ]
    kept = [row(reference(one.target), digest(one.before), digest(one.digest)) for one in _kept(facts)]
    told = [
        remarks("Failed", "reference", failed, ("Reference", "Reason", "Digest")),
        remarks("Invalid", "line", invalid, ("Line", "Reason", "Where")),
        remarks("Tags that were moved", "tag", moved, ("Name in the registry", "Digest before", "Digest now")),
        remarks("Tags that were left", "tag", kept, ("Name in the registry", "Digest there", "Digest in the archive")),
    ]
    if not any(told):
        told = [element("p", "Nothing failed, and no tag was moved or left.")]
    return section("missing", "Failed and unusual", *told, *(element("p", note) for note in facts.notes))


def _settings(facts: LoadFacts) -> Markup:
    """Write how nodes find the images under their old names."""
    told: list[Piece] = [element("p", "With these settings, nodes find the images under their old names.")]
    if facts.system_default_registry:
        told += [
            element("h3", "Rancher: system-default-registry"),
            commands(facts.system_default_registry),
        ]
    told += [
        element("h3", "K3s and RKE2: registries.yaml"),
        _file(facts.registries_yaml),
    ]
    for host, content in facts.hosts_toml.items():
        path = element("code", f"/etc/containerd/certs.d/{host}/hosts.toml")
        told += [element("h3", "containerd: ", path), _file(content)]
    return section("settings", "Settings of nodes", *told)


def _file(content: str) -> Markup:
    """A file to be copied as it is."""
    return element("pre", join([text(line) for line in content.rstrip("\n").split("\n")], LINE_END))
