# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pieces of the sections of a report: numbers in words, sizes, digests, tables. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from .._archive.lock import Lock, LockedImage
from .._archive.output import CHECKSUM_SUFFIX, DIR, LOCK_SUFFIX
from .._archive.referrers import owners_of, referrers_by_image
from .._base.size import format_size
from .._oci.reference import Reference
from .comparison import Comparison, image_size
from .facts import Facts
from .markup import LINE_END, Markup, Piece, element, join, spread, text
from .table import changes

NOT_KNOWN = "not known any more"


@dataclass(frozen=True)
class Subject:
    """The archive that a report is about.

    :param name: of the archive.
    :param facts: about this lock file; ``None``: not known any more.
    :param lock_sha256: of the lock file's bytes.
    """

    name: str
    lock: Lock
    facts: Facts | None
    lock_sha256: str

    @property
    def before(self) -> Comparison | None:
        """The comparison with the archive before; ``None`` if there was none, or it is not known any more."""
        return self.facts.before if self.facts is not None else None

    @property
    def is_directory(self) -> bool:
        """True if the archive is a directory."""
        return self.lock.options.get("compress") == DIR

    @property
    def checksum_file(self) -> str:
        """Name of the checksums."""
        return f"{self.name}{CHECKSUM_SUFFIX}"

    @property
    def lock_file(self) -> str:
        """Name of the lock file."""
        return f"{self.name}{LOCK_SUFFIX}"

    @property
    def missing(self) -> int:
        """Number of references and lines that were asked for and are not in the archive, if that is known."""
        return len(self.lock.failed) + (len(self.facts.invalid) if self.facts is not None else 0)

    @property
    def size(self) -> int:
        """Bytes of the archive's files."""
        return sum(part.size for part in self.lock.parts)

    @property
    def content_size(self) -> int:
        """Bytes of the blobs in it."""
        return sum(self.lock.blobs.values())

    @property
    def named_size(self) -> int:
        """Bytes of all platform images, each as if it were alone."""
        return sum(image_size(image) for image in self.lock.images)

    @cached_property
    def changes(self) -> dict[str, str]:
        """Say of each saved reference if it is new, changed or the same."""
        return changes([str(image.reference) for image in self.lock.images], self.facts)

    @property
    def earlier(self) -> str:
        """Name what the archive is compared with."""
        return "its base" if self.lock.is_bundle else "the archive before"

    @cached_property
    def owners(self) -> dict[Reference, Reference]:
        """The image that each signature or the like was saved with."""
        return owners_of(self.lock.images)

    @cached_property
    def referrers(self) -> dict[Reference, list[LockedImage]]:
        """The signatures and the like that were saved with each image."""
        return referrers_by_image(self.lock.images)

    def files(self, number: int) -> str:
        """A number of the archive's files, in words."""
        if self.is_directory or (number == 1 and self.lock.parts and self.lock.parts[0].name == self.name):
            return count(number, "file")
        return count(number, "part")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    :param is_number: its cells are sizes or counts; they are sorted by value, the largest first.
    :param sorts: whether it can be sorted by.
    """

    title: str
    is_number: bool = False
    sorts: bool = True


@dataclass(frozen=True)
class Row:
    """A row of a table.

    :param head: what the row is about.
    :param cells: one for each further column.
    :param numbers: those of the cells that are numbers, from 0.
    """

    head: Piece
    cells: tuple[Piece, ...]
    numbers: tuple[int, ...] = ()
    status: str = ""
    change: str = ""

    def below(self, columns: Sequence[Column]) -> Markup:
        """Write the row; each cell knows its column's title, which is beside it where rows fold on a small screen."""
        made = [
            element("td", cell, class_="n" if place in self.numbers else None, data_label=column.title)
            for place, (cell, column) in enumerate(zip(self.cells, columns[1:]))
        ]
        data = {"data_status": self.status or None, "data_change": self.change or None}
        return element("tr", element("th", self.head, scope="row"), *made, **data)


def grouped(number: int) -> str:
    """Write a number with thousands separators: ``4,812``."""
    return f"{number:,}"


def count(number: int, noun: str, plural: str = "") -> str:
    """Write a number of things: ``1 image``, ``4,812 blobs``."""
    return f"{grouped(number)} {noun if number == 1 else plural or noun + 's'}"


def share(part: int, whole: int) -> str:
    """A part in percent of the whole; what is not nothing is never written as nothing."""
    if not part or not whole:
        return "0 %"
    percent = 100 * part / whole
    if percent < 1:
        return "< 1 %"
    return f"{min(round(percent), 99)} %" if part < whole else "100 %"


def number(value: int) -> Markup:
    """A number that a table can be sorted by."""
    return element("data", grouped(value), value=value)


def size(value: int) -> Markup:
    """A size for people, with the exact one beside it."""
    return element("data", format_size(value), value=value, title=f"{grouped(value)} bytes")


def digest(value: str) -> Markup:
    """Return a digest as an element; nothing if it is empty."""
    return element("code", value, class_="d") if value else text("")


def badge(word: str) -> Markup:
    """A word that is a state, such as ``saved`` or ``new``."""
    return element("span", word, class_=f"badge {word}") if word else text("")


def reference(name: str) -> Markup:
    """A reference; what comes before its last component is less important."""
    head, slash, tail = name.rpartition("/")
    if "@" in name and "/" in name.partition("@")[0]:
        path, at, rest = name.partition("@")
        head, slash, tail = path.rpartition("/")
        tail = f"{tail}{at}{rest}"
    return element("span", element("span", f"{head}{slash}"), tail, class_="ref")


def section(name: str, title: str, *children: Piece) -> Markup:
    """A section of the page, with its heading."""
    return join(section_pieces(name, title, children))


def section_pieces(name: str, title: str, children: Iterable[Piece]) -> Iterator[Markup]:
    """The same in pieces, for a section that is large."""
    heading = element("h2", title, id=f"{name}-title")
    return spread("section", chain([heading], children), id=name, aria_labelledby=f"{name}-title")


def grid(
    columns: Sequence[Column],
    rows: Iterable[Row],
    *,
    caption: str,
    name: str = "",
    class_: str = "",
) -> Markup:
    """A table in its panel.

    :param rows: made by :func:`row`.
    :param caption: what it is, for people who do not see it.
    """
    return join(grid_pieces(columns, rows, caption=caption, name=name, class_=class_))


def grid_pieces(
    columns: Sequence[Column],
    rows: Iterable[Row],
    *,
    caption: str,
    name: str = "",
    class_: str = "",
) -> Iterator[Markup]:
    """The same in pieces, for a table with very many rows."""
    heads = [element("th", column.title, scope="col", class_=_column_class(column)) for column in columns]
    above = [element("caption", element("span", caption, class_="unseen")), element("thead", element("tr", *heads))]
    body = spread("tbody", _on_lines(row.below(columns) for row in rows))
    table = spread("table", chain(above, body), id=name or None, class_=f"sorts {class_}".strip())
    return spread("div", table, class_="panel", role="region", tabindex=0, aria_label=caption)


def _on_lines(rows: Iterable[Markup]) -> Iterator[Markup]:
    """Put each row on a line of its own; without rows, an empty line is left."""
    yield LINE_END
    before = Markup("")
    for one in rows:
        yield before
        yield one
        before = LINE_END
    yield LINE_END


def row(head: Piece, *cells: Piece, numbers: Sequence[int] = (), status: str = "", change: str = "") -> Row:
    """A row of a table, as :class:`Row` has it."""
    return Row(head, cells, tuple(numbers), status, change)


def folded(summary: str, content: Markup, *, is_open: bool) -> Markup:
    """Content that can be folded away."""
    return element("details", element("summary", summary), content, open=is_open)


def commands(*lines: str) -> Markup:
    """Commands to be copied as they are, one a line."""
    return element("pre", join([element("code", line) for line in lines], LINE_END))


def _column_class(column: Column) -> str | None:
    words = [word for word, wanted in (("n", column.is_number), ("fixed", not column.sorts)) if wanted]
    return " ".join(words) or None
