# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that every link leads somewhere: those of the pages on a code host, and those of the site that is built.

Nothing is fetched: of links to the outside only the form is looked at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from support import markdown

# What a browser fetches by itself, and the attribute that says from where.
FETCHED = {
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "input": "src",
    "link": "href",
    "object": "data",
    "script": "src",
    "source": "src",
    "track": "src",
    "use": "href",
    "video": "src",
}
# A <link> that is no more than a statement
STATEMENTS = {"author", "canonical", "index", "license", "next", "prev", "search", "top", "up"}
IN_STYLE = re.compile(r"(?:url\(\s*|@import\s+)[\"']?([^\"')\s;]+)")
HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}(?::[0-9]+)?")


# --- the pages in Markdown, as a code host shows them


def pages(tree: Path) -> list[str]:
    """The Markdown files of the collection, but for what tests keep."""
    found = [path.relative_to(tree) for path in tree.rglob("*.md")]
    left_out = {"tests", ".git", "_build"}
    return sorted(path.as_posix() for path in found if not left_out & set(path.parts))


def check_pages(tree: Path) -> list[str]:
    """Complain about links to files that are not there, or to headings that they do not have."""
    anchors: dict[str, set[str]] = {}
    complaints = []
    for page in pages(tree):
        for target, line in markdown.links((tree / page).read_text("utf-8")):
            problem = _inside(tree, page, target, anchors)
            if problem:
                complaints.append(f"{page}:{line}: {target}: {problem}")
    return complaints


def _inside(tree: Path, page: str, target: str, anchors: dict[str, set[str]]) -> str:
    path, sharp, anchor = target.partition("#")
    if ":" in path:
        return ""
    there = os.path.normpath(str(PurePosixPath(page).parent / unquote(path))) if path else page
    if there.startswith("..") or not (tree / there).exists():
        return f"there is no {there}"
    if not sharp:
        return ""
    if not there.endswith(".md"):
        return "only pages in Markdown have anchors on a code host"
    if there not in anchors:
        anchors[there] = {each.anchor for each in markdown.headings((tree / there).read_text("utf-8"))}
    return "" if anchor in anchors[there] else f"{there} has no such heading"


# --- links to the outside


def outside(tree: Path, site: Mapping[str, Page]) -> dict[str, list[str]]:
    """The addresses that pages link to, in Markdown and on the site, each with the pages that do."""
    found: dict[str, list[str]] = {}
    for name, page in site.items():
        for target in page.targets:
            if _is_outside(target):
                found.setdefault(target, []).append(name)
    for page in pages(tree):
        for target, line in markdown.links((tree / page).read_text("utf-8")):
            if ":" in target.partition("#")[0]:
                found.setdefault(target, []).append(f"{page}:{line}")
    return found


def check_form(addresses: Mapping[str, Iterable[str]]) -> list[str]:
    """Complain about addresses that can lead nowhere, whatever the network is like."""
    complaints = []
    for address, places in sorted(addresses.items()):
        parts = urlsplit(address)
        problem = ""
        if parts.scheme != "https":
            problem = "is no https address"
        elif not HOST.fullmatch(parts.netloc):
            problem = f"has no host that the world knows: {parts.netloc!r}"
        elif re.search(r"[\s\"<>\\^`{|}]", address) or address.endswith((".", ",", ";")):
            problem = "has characters that do not belong to an address"
        if problem:
            complaints.append(f"{', '.join(places)}: {address} {problem}")
    return complaints


# --- the site


@dataclass
class Page(HTMLParser):
    """The anchors of a page, its links, and the files that a browser fetches for it."""

    anchors: set[str] = field(default_factory=set)
    targets: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    _in_style: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors.update(values[name] for name in ("id", "name") if values.get(name))
        self._in_style = tag == "style"
        if tag in ("a", "area") and "href" in values:
            self.targets.append(values["href"])
        if FETCHED.get(tag) in values and not STATEMENTS & set(values.get("rel", "").split()):
            self.fetched.append(values[str(FETCHED[tag])])
        self.fetched += [each.split()[0] for each in values.get("srcset", "").split(",") if each.strip()]
        self.fetched += IN_STYLE.findall(values.get("style", ""))

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.fetched += IN_STYLE.findall(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False


def read_site(site: Path) -> dict[str, Page]:
    """All pages of a site, by name."""
    parsed = {}
    for path in sorted(site.rglob("*.html")):
        page = Page()
        page.feed(path.read_text("utf-8"))
        parsed[path.relative_to(site).as_posix()] = page
    return parsed


def check_site(site: Path, parsed: Mapping[str, Page]) -> list[str]:
    """Complain about links that lead nowhere within the site, and about all that would come from the network."""
    if "index.html" not in parsed:
        return ["the site has no index.html"]
    complaints = []
    for name, page in parsed.items():
        for target in [*page.targets, *page.fetched]:
            problem = _within(site, name, target, parsed, fetched=target in page.fetched)
            if problem:
                complaints.append(f"{name}: {target}: {problem}")
    for path in sorted(site.rglob("*.css")):
        addresses = IN_STYLE.findall(path.read_text("utf-8"))
        bad = [each for each in addresses if _is_outside(each)]
        complaints += [f"{path.relative_to(site)}: {each}: would come from the network" for each in bad]
    return complaints


def _is_outside(address: str) -> bool:
    return not address.startswith(("data:", "#")) and (":" in address.split("/")[0] or address.startswith("//"))


def _within(site: Path, name: str, target: str, parsed: Mapping[str, Page], *, fetched: bool) -> str:
    if target.startswith("data:"):
        return ""
    if _is_outside(target):
        return "would come from the network" if fetched else ""
    parts = urlsplit(target)
    there = os.path.normpath(str(PurePosixPath(name).parent / unquote(parts.path))) if parts.path else name
    if there.startswith("..") or not (site / there).is_file():
        return f"there is no {there}"
    anchor = unquote(parts.fragment)
    if anchor and there in parsed and anchor not in parsed[there].anchors:
        return f"{there} has no such anchor"
    return ""
