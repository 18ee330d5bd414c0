# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Merges lists from several sources into the list of a host, and filters it. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, quoted
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import (
    LIST_FORMATS,
    PLAIN,
    Origin,
    bare_line,
    decode_list,
    lines_of_file,
    parse_lines,
    split_lines,
)


@dataclass(frozen=True)
class Source:
    """A text with references. Its name is a path, a URL, or the name of a variable.

    :param places: where each of its lines is, if that is not ``NAME:NUMBER``.
    """

    name: str
    text: str
    places: tuple[str, ...] = ()

    def place(self, number: int) -> str:
        """Return where a line is.

        :param number: of the line, from 1.
        """
        return self.places[number - 1] if self.places else str(Origin(file=self.name, line=number))


@dataclass(frozen=True)
class Choice:
    """A filter of references: any of ``include`` matches, if there are any, and none of ``exclude``.

    Expressions can match anywhere in the reference as it is written, or in its full form.
    """

    include: tuple[re.Pattern[str], ...] = ()
    exclude: tuple[re.Pattern[str], ...] = ()

    def wants(self, *forms: str) -> bool:
        """Return True if a reference is selected.

        :param forms: the reference as it is written, and in full.
        """
        return not self.excludes(*forms) and (not self.include or _any_matches(self.include, forms))

    def excludes(self, *forms: str) -> bool:
        """Return True if an expression of ``exclude`` matches.

        This alone is applied to lines that are not valid references: the others are kept, and reported where the list
        is used.
        """
        return _any_matches(self.exclude, forms)


@dataclass(frozen=True)
class Chosen:
    """The result of a choice from all sources.

    :param lines: as they are written, each reference once, in the order of the sources.
    :param origins: where each of these lines is.
    :param invalid: lines that are not valid references: their origin, text and reason.
    :param excluded: references that were not selected, in full form.
    """

    lines: list[str] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    invalid: list[dict[str, str]] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    duplicates: int = 0


def read_source(values: object, list_format: str = PLAIN) -> Source:
    """Read ``{name, lines}``, or a pair of a name and a file's bytes in base64.

    :param list_format: of files, one of :data:`_oci.image_list.LIST_FORMATS`.
    :raises OptionError: when it is neither, or the format is unknown.
    """
    if list_format not in LIST_FORMATS:
        raise OptionError(
            f"list_format: {quoted(str(list_format))} is not a list format; expected {' or '.join(LIST_FORMATS)}"
        )
    if isinstance(values, Mapping) and isinstance(values.get("name"), str) and isinstance(values.get("lines"), list):
        return Source(values["name"], "\n".join(str(line) for line in values["lines"]))
    if not isinstance(values, (list, tuple)) or len(values) != 2 or not isinstance(values[1], str):
        raise OptionError(f"a list must be a name with lines, or a pair of a name and base64: {quoted(str(values))}")
    name, content = str(values[0]), values[1]
    try:
        raw = base64.b64decode(content, validate=True)
    except ValueError as error:
        raise OptionError(f"{quoted(name)}: its content is not base64: {error}") from error
    return source_of_file(name, raw, list_format)


def source_of_items(option: str, items: Sequence[str]) -> Source:
    """Make a source of the items of an option; an item of several lines counts as these lines."""
    lines = [(number, line) for number, item in enumerate(items, start=1) for line in split_lines(item)]
    places = tuple(str(Origin(None, number, option)) for number, _line in lines)
    return Source(option, "\n".join(line for _number, line in lines), places)


def origins_of(share: Sequence[str], chosen: Chosen) -> list[str]:
    """Return where the lines of a share are, which is a part of what was chosen, in its order."""
    found: dict[str, list[str]] = {}
    for line, origin in reversed([*zip(chosen.lines, chosen.origins)]):
        found.setdefault(line, []).append(origin)
    return [found[line].pop() for line in share]


def compile_choice(include: Iterable[str], exclude: Iterable[str]) -> Choice:
    """Compile the expressions.

    :raises OptionError: names the one that is not valid.
    """
    return Choice(_compile("include", include), _compile("exclude", exclude))


def source_of_file(name: str, raw: bytes, list_format: str) -> Source:
    """Decode a list file.

    :param list_format: one of :data:`_oci.image_list.LIST_FORMATS`.
    """
    return Source(name, "\n".join(lines_of_file(decode_list(raw), list_format)))


def choose(sources: Sequence[Source], choice: Choice) -> Chosen:
    """Merge the sources, and remove the references that are not wanted."""
    lines = list(_all_lines(sources))
    # Numbered over all sources, because two of them may have one name.
    merged = parse_lines((Origin(file=None, line=number), line.text) for number, line in enumerate(lines))
    wanted: list[int] = []
    excluded: list[str] = []
    for image in merged.images:
        if choice.wants(lines[image.origin.line].text, str(image.reference)):
            wanted.append(image.origin.line)
        else:
            excluded.append(str(image.reference))
    invalid = [line for line in merged.invalid if not choice.excludes(lines[line.origin.line].text)]
    wanted += [line.origin.line for line in invalid]
    return Chosen(
        lines=[lines[number].text for number in sorted(wanted)],
        origins=[lines[number].origin for number in sorted(wanted)],
        invalid=[
            {"origin": lines[line.origin.line].origin, "line": line.text, "reason": line.reason} for line in invalid
        ],
        excluded=excluded,
        duplicates=merged.duplicates,
    )


@dataclass(frozen=True)
class _Line:
    origin: str
    text: str


def _all_lines(sources: Iterable[Source]) -> Iterator[_Line]:
    for source in sources:
        for number, line in enumerate(split_lines(source.text), start=1):
            yield _Line(source.place(number), bare_line(line))


def _compile(option: str, expressions: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    compiled = []
    for expression in expressions:
        try:
            compiled.append(re.compile(expression))
        except re.error as error:
            raise OptionError(f"{option}: {quoted(expression)} is not a valid regular expression: {error}") from error
    return tuple(compiled)


def _any_matches(expressions: Iterable[re.Pattern[str]], forms: Sequence[str]) -> bool:
    return any(expression.search(form) for expression in expressions for form in forms)
