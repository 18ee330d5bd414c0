# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The source of the site: the pages as they are on a code host, with links and tables of contents that Sphinx knows.

The pages have no word for Sphinx in them. What links to a file of the collection leads to the page that is made from
it; ``docs/index.md`` gives the contents: each heading of it is a caption, each link of a list below it a page.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path, PurePosixPath

from support import markdown

INDEX = "docs/index.md"

# Pages that are no part of docs/, and where they stand on the site.
PAGES = {
    INDEX: "index.md",
    "README.md": "index.md",
    "galaxy.yml": "reference/index.rst",
    "CHANGELOG.rst": "project/changelog.rst",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "roles/image_save/README.md": "role.md",
    "roles/image_load/README.md": "load-role.md",
    "roles/image_verify/README.md": "verify-role.md",
}
# What antsibull-docs makes a page of, and that page.
GENERATED = {
    "plugins/modules": "reference/{}_module.rst",
    "plugins/filter": "reference/{}_filter.rst",
}
ROLES = "reference/{}_role.rst"
# Neither pages nor what they show.
LEFT_OUT = ("_build", "docsite")


def stage(tree: Path, folder: Path) -> None:
    """Write the source of the site, but for what antsibull-docs writes.

    :arg tree: The collection.
    :arg folder: An empty folder.
    """
    for source in sorted(_sources(tree)):
        target = folder / place(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".md":
            target.write_text(_page(tree, folder, source), "utf-8")
        else:
            shutil.copyfile(tree / source, target)
    here = Path(__file__)
    shutil.copyfile(here.with_name("conf.py"), folder / "conf.py")
    (folder / "static").mkdir()
    shutil.copyfile(here.with_name("site.css"), folder / "static" / "site.css")


def tidy_reference(folder: Path) -> None:
    """Drop what is not so from pages that were generated.

    That is the lists of headings, since the theme shows its own beside each page, and the remark that the package
    ``ansible`` may have brought the collection.
    """
    for page in folder.rglob("*.rst"):
        text = page.read_text("utf-8")
        text = re.sub(r"^\.\. contents::.*\n(?:[ \t]+\S.*\n)*", "", text, flags=re.MULTILINE)
        text = re.sub(r"^ +You might already have this collection[^\n]*\n(?: +\S.*\n)*\n", "", text, flags=re.MULTILINE)
        page.write_text(text, "utf-8")


def install_command(readme: str) -> str:
    """The command that installs the collection, as the README has it."""
    found = re.findall(r"^\$ (ansible-galaxy collection install .+)$", readme, re.MULTILINE)
    if len(found) != 1:
        raise ValueError(f"README.md: expected one command that installs the collection, found {found}")
    return str(found[0])


def place(source: str) -> str:
    """Where a file of the collection stands on the site; both are relative, with slashes."""
    path = PurePosixPath(source)
    if source in PAGES:
        return PAGES[source]
    if path.parts[0] == "docs":
        return str(path.relative_to("docs"))
    if str(path.parent) in GENERATED and path.suffix == ".py":
        return GENERATED[str(path.parent)].format(path.stem)
    if path.name == "argument_specs.yml":
        return ROLES.format(path.parts[1])
    return f"files/{source}"


def _sources(tree: Path) -> list[str]:
    found = [name for name in PAGES if name not in ("README.md", "galaxy.yml")]
    for path in (tree / "docs").rglob("*"):
        name = path.relative_to(tree).as_posix()
        if path.is_file() and name not in PAGES and path.relative_to(tree / "docs").parts[0] not in LEFT_OUT:
            found.append(name)
    return found


def _page(tree: Path, folder: Path, source: str) -> str:
    text = (tree / source).read_text("utf-8")
    contents = _contents(text) if source == INDEX else ""
    return markdown.with_links(text, lambda target: _target(tree, folder, source, target)) + contents


def _target(tree: Path, folder: Path, source: str, target: str) -> str:
    """The form of a page's link on the site: another page, a file to download, or what it was."""
    path, sharp, anchor = target.partition("#")
    if ":" in path or not path:
        return target
    there = os.path.normpath(str(PurePosixPath(source).parent / path))
    aim = place(there)
    if aim.startswith("files/"):
        copy = folder / aim
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree / there, copy)
    return os.path.relpath(aim, PurePosixPath(place(source)).parent) + sharp + anchor


def _contents(index: str) -> str:
    """The tables of contents, hidden on the page itself: one for each heading with a list of pages below it."""
    pages: dict[str, list[str]] = {}
    titles = [each for each in markdown.headings(index) if each.depth > 1]
    lines = index.splitlines()
    for number, line in enumerate(lines, 1):
        above = next((each.text for each in reversed(titles) if each.line < number), "")
        for title, target in re.findall(r"\[([^\]]+)\]\(([^):]+)\)", line) if line.startswith("- [") else []:
            aim = PurePosixPath(place(os.path.normpath(f"docs/{target.partition('#')[0]}")))
            title = title.replace("`", "")
            pages.setdefault(above, []).append(f"{title[:1].upper()}{title[1:]} <{aim.with_suffix('')}>")
    tables = [
        "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *entries, "```"])
        for caption, entries in pages.items()
    ]
    return "\n" + "\n\n".join(tables) + "\n"
