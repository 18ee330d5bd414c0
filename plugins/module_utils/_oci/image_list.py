# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of image references: from options and files, duplicates, and lines that are none. Pure but for the reading."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from .._base.errors import InvalidReferenceError, OptionError, printable, quoted
from .._base.secrets import HIDDEN
from .reference import Reference, parse_reference

PLAIN, SOURCES = "plain", "sources"
LIST_FORMATS = (PLAIN, SOURCES)
"""How a list file may be written: a reference a line, or with a second column that says where it comes from, as
``rancher-images-sources.txt`` of Rancher's releases."""

_BOM = "\ufeff"
_LINE_END = re.compile(r"\r\n|\n|\r")
_COMMENT = ("#", "//")
# Who pastes an address may paste a password with it; a digest also stands after an @.
_USERINFO = re.compile(r"(?i)(//)(?:[^\s/@:]{0,500}:\S{0,500}|[^\s/@]{1,500})(?=@(?!sha\d+:))")


@dataclass(frozen=True)
class Origin:
    """Where a line stands: a file and its line number, or the ``images`` option and the item's number, from 1."""

    file: str | None
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file is not None else f"images, item {self.line}"


@dataclass(frozen=True)
class ListedImage:
    """A reference of the list, with its number (from 1, without duplicates) and where it stands first."""

    number: int
    reference: Reference
    origin: Origin


@dataclass(frozen=True)
class InvalidLine:
    """A line that is no reference: where it stands, what it says but for a password, and why it is none."""

    origin: Origin
    text: str
    reason: str


@dataclass(frozen=True)
class ImageList:
    """All that was asked for.

    ``len(images) + duplicates + len(invalid)`` is the number of lines that are neither blank nor comments.
    """

    images: tuple[ListedImage, ...]
    invalid: tuple[InvalidLine, ...]
    duplicates: int


def read_image_list(items: Iterable[str], files: Iterable[str], list_format: str = PLAIN) -> ImageList:
    """Merge the references of the option and of the files, in this order.

    :param items: values of the ``images`` option; one that holds several lines counts as those lines.
    :param files: paths of text files.
    :param list_format: of the files, one of :data:`LIST_FORMATS`.
    :raises OptionError: when a file cannot be read.
    """
    return parse_lines(_all_lines(items, files, list_format))


def parse_lines(lines: Iterable[tuple[Origin, str]]) -> ImageList:
    """Turn lines into references; the first of several equal ones counts, in list order."""
    numbers: dict[Reference, ListedImage] = {}
    invalid: list[InvalidLine] = []
    duplicates = 0
    for origin, line in lines:
        text = bare_line(line)
        if not text or text.startswith(_COMMENT):
            continue
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
    """Decode a list file: UTF-8 with or without BOM, or UTF-16 with BOM. Bytes that are neither stay visible as
    ``\\xNN``, so that their line is reported and no other is lost."""
    for bom, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if raw.startswith(bom):
            return raw.decode(encoding, errors="backslashreplace")
    return raw.decode("utf-8", errors="backslashreplace")


def split_lines(text: str) -> list[str]:
    """Split at LF, CRLF and CR only, so that line numbers are those that editors show."""
    return _LINE_END.split(text)


def bare_line(line: str) -> str:
    """A line without blanks around it, and without byte order marks before it: files that were joined have such."""
    return line.strip().lstrip(_BOM).strip()


def lines_of_file(text: str, list_format: str) -> list[str]:
    """What each line of a list file says, in its format."""
    return [_READ[list_format](line) for line in split_lines(text)]


def _first_of_two(line: str) -> str:
    """The first column. A line with more than two is no line of such a file, and stays as it is."""
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
        raise OptionError(f"list_files: {quoted(path)} is no path of a file on the target: {error}") from error
