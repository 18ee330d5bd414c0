# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of image references, from options and files, with duplicates and invalid lines. Pure, except for reading."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .._base.errors import InvalidReferenceError, OptionError, printable, quoted
from .._base.secrets import HIDDEN
from .._base.slots import slotted
from .reference import Reference, parse_reference

PLAIN, SOURCES = "plain", "sources"
LIST_FORMATS = (PLAIN, SOURCES)
"""Formats of list files: one reference per line, or with a second column that names its origin, as in
``rancher-images-sources.txt`` of Rancher's releases."""

_BOM = "\ufeff"
_LINE_END = re.compile(r"\r\n|\n|\r")
_COMMENT = ("#", "//")
_ORIGIN = re.compile(r"(.+):([0-9]{1,9})|([a-z_]+), item ([0-9]{1,9})", re.DOTALL)
# A pasted address may contain a password; a digest comes after an @ too.
_USERINFO = re.compile(r"(?i)(//)(?:[^\s/@:]{0,500}:\S{0,500}|[^\s/@]{1,500})(?=@(?!sha\d+:))")


@slotted
@dataclass(frozen=True)
class Origin:
    """The place of a line: a file and its line number, or an option and the item's number, from 1."""

    file: str | None
    line: int
    option: str = "images"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file is not None else f"{self.option}, item {self.line}"


def read_origin(text: str) -> Origin:
    """Read an origin as its text, ``FILE:LINE`` or ``OPTION, item NUMBER``.

    :raises OptionError: when it is neither.
    """
    match = _ORIGIN.fullmatch(text)
    if match is None:
        raise OptionError(f"origins: {quoted(text)} is not FILE:LINE or OPTION, item NUMBER")
    file, line, option, item = match.groups()
    return Origin(None, int(item), option) if file is None else Origin(file, int(line))


@slotted
@dataclass(frozen=True)
class ListedImage:
    """A reference of the list, with its number (from 1, without duplicates) and its first place.

    :param refers_to: for what is not on the list but refers to one of its images, as a signature does: the digest that
        it refers to; else empty.
    :param behind: the number of the image that it was found with; 0: it is on the list.
    """

    number: int
    reference: Reference
    origin: Origin
    refers_to: str = ""
    behind: int = 0

    @property
    def place(self) -> tuple[int, int]:
        """Its place among all: what refers to an image comes right behind it."""
        return self.behind or self.number, self.number


@dataclass(frozen=True)
class InvalidLine:
    """A line that is not a valid reference: its place, its text without passwords, and the reason."""

    origin: Origin
    text: str
    reason: str


@dataclass(frozen=True)
class ImageList:
    """The references of a list, and the lines that are not valid references.

    ``len(images) + duplicates + len(invalid)`` is the number of lines that are neither blank nor comments.
    """

    images: tuple[ListedImage, ...]
    invalid: tuple[InvalidLine, ...]
    duplicates: int


def read_image_list(
    items: Iterable[str], files: Iterable[str], list_format: str = PLAIN, origins: Sequence[Origin] = ()
) -> ImageList:
    """Merge the references of the option and of the files, in this order.

    :param items: values of the ``images`` option; a value of several lines counts as these lines.
    :param files: paths of text files.
    :param list_format: of the files, one of :data:`LIST_FORMATS`.
    :param origins: the places of all lines that are neither blank nor comments, in the lists that these were made of;
        they count only if there is one for each line.
    :raises OptionError: when a file cannot be read.
    """
    lines = list(_all_lines(items, files, list_format))
    return parse_lines(_with_origins(lines, origins) if origins else lines)


def _with_origins(lines: Sequence[tuple[Origin, str]], origins: Sequence[Origin]) -> list[tuple[Origin, str]]:
    """Give lines other origins. If a list was changed by hand since, its own lines are all that is known."""
    entries = [line for _origin, line in lines if is_entry(line)]
    return [*zip(origins, entries)] if len(entries) == len(origins) else [*lines]


def parse_lines(lines: Iterable[tuple[Origin, str]]) -> ImageList:
    """Parse lines into references, in list order; of several equal ones, the first counts."""
    numbers: dict[Reference, ListedImage] = {}
    invalid: list[InvalidLine] = []
    duplicates = 0
    for origin, line in lines:
        if not is_entry(line):
            continue
        text = bare_line(line)
        try:
            reference = parse_reference(text)
        except InvalidReferenceError as error:
            shown = printable(_USERINFO.sub(rf"\g<1>{HIDDEN}", text))
            invalid.append(InvalidLine(origin=origin, text=shown, reason=str(error)))
            continue
        if reference in numbers:
            duplicates += 1
            continue
        numbers[reference] = ListedImage(number=len(numbers) + 1, reference=reference, origin=origin)
    return ImageList(images=tuple(numbers.values()), invalid=tuple(invalid), duplicates=duplicates)


def decode_list(raw: bytes) -> str:
    """Decode a list file: UTF-8 with or without BOM, or UTF-16 with BOM. Other bytes are shown as ``\\xNN``,
    so that their line is reported and no other is lost."""
    for bom, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if raw.startswith(bom):
            return raw.decode(encoding, errors="backslashreplace")
    return raw.decode("utf-8", errors="backslashreplace")


def split_lines(text: str) -> list[str]:
    """Split at LF, CRLF and CR only, so that line numbers match those of editors."""
    return _LINE_END.split(text)


def bare_line(line: str) -> str:
    """Return a line without whitespace around it, and without the byte order marks that joined files have."""
    return line.strip().lstrip(_BOM).strip()


def is_entry(line: str) -> bool:
    """Return True if a line is neither blank nor a comment."""
    text = bare_line(line)
    return bool(text) and not text.startswith(_COMMENT)


def lines_of_file(text: str, list_format: str) -> list[str]:
    """Return the reference in each line of a list file, according to its format."""
    return [_READ[list_format](line) for line in split_lines(text)]


def _first_of_two(line: str) -> str:
    """Return the first column. A line of more than two columns is returned as it is."""
    columns = bare_line(line).split()
    return columns[0] if len(columns) == 2 and not columns[0].startswith(_COMMENT) else line


_READ: Mapping[str, Callable[[str], str]] = {PLAIN: str, SOURCES: _first_of_two}


def _all_lines(items: Iterable[str], files: Iterable[str], list_format: str) -> Iterator[tuple[Origin, str]]:
    for number, item in enumerate(items, start=1):
        for line in split_lines(item):
            yield Origin(file=None, line=number), line
    for path in files:
        for number, line in enumerate(lines_of_file(decode_list(_read(path)), list_format), start=1):
            yield Origin(file=path, line=number), line


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise OptionError(f"list_files: cannot read {path} on the target: {error.strerror}") from error
    except ValueError as error:
        raise OptionError(f"list_files: {quoted(path)} is not a file path on the target: {error}") from error
