# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Groups the failures of a run by their cause, so that each cause is told once, however many images it hit. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .._base.errors import (
    ConnectionRefused,
    ImagesError,
    ManifestError,
    Missing,
    MissingPlatform,
    NotPulled,
    ProxyLoginRefused,
    Refused,
    SpaceError,
    StorageError,
    WrongBytes,
    printable,
    quoted,
)
from .._base.json import Json
from .._base.size import format_count
from .._oci.image import FailedImage
from .._oci.image_list import InvalidLine
from .._oci.reference import Reference

HOLE = "{images}"
"""Where the sentence about a cause says how many images it hit."""

LINE = "line"
"""The kind of the lines that are not valid references."""

NAMED = 3
"""How many images of a cause a sentence names."""

_NAMED_CAUSES = 5
# The first that an error is counts; everything else is a ``transfer`` that failed.
_KINDS: tuple[tuple[type[ImagesError], str], ...] = (
    (ProxyLoginRefused, "proxy"),
    (ConnectionRefused, "connection"),
    (Missing, "missing"),
    (Refused, "refused"),
    (WrongBytes, "content"),
    (ManifestError, "manifest"),
    (MissingPlatform, "platform"),
    (NotPulled, "not_fetched"),
    (SpaceError, "disk"),
    (StorageError, "disk"),
)
_SHA256 = re.compile(r"sha256:[0-9a-f]{12,64}")
# A verb that follows how many there are.
_VERBS = ((f"{HOLE} does not ", f"{HOLE} do not "),)


@dataclass(frozen=True)
class Place:
    """An image or line that failed.

    :param name: the reference; of a line, its text.
    :param origin: its place in the list, as the user wrote it.
    """

    name: str
    origin: str

    def __str__(self) -> str:
        return f"{self.name} [{self.origin}]"


@dataclass(frozen=True)
class Cause:
    """A reason for which images failed, all in the same way.

    :param kind: a word for programs.
    :param pattern: the sentence for all of them, with :data:`HOLE`; the same for the same cause.
    :param alone: the sentence if only the first of them failed.
    :param places: the images, in the order of the list.
    """

    kind: str
    pattern: str
    alone: str
    places: tuple[Place, ...]

    @property
    def sentence(self) -> str:
        """The event, its number and the remedy, without the names of the images if there are several."""
        count = len(self.places)
        if count == 1:
            return self.alone
        pattern = self.pattern
        for one, several in _VERBS:
            pattern = pattern.replace(one, several, 1)
        return pattern.replace(HOLE, format_count(count, "line" if self.kind == LINE else "image"), 1)

    def told(self) -> str:
        """Return the sentence with the first of the images."""
        if len(self.places) == 1:
            return self.sentence
        first = ", ".join(map(str, self.places[:NAMED]))
        beginning = "They are" if len(self.places) <= NAMED else "The first of them"
        return f"{self.sentence.rstrip('.')}. {beginning}: {first}"


def causes_of(failed: Iterable[FailedImage], invalid: Iterable[InvalidLine]) -> tuple[Cause, ...]:
    """Group what failed by its cause, the most frequent first.

    :param failed: images in list order; their errors show no secret.
    """
    return merged([*map(_cause_of_image, failed), *map(_cause_of_line, invalid)])


def merged(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Make one cause of all that are the same; an image that failed on several hosts counts once."""
    groups: dict[tuple[str, str], list[Cause]] = {}
    for cause in causes:
        groups.setdefault((cause.kind, cause.pattern), []).append(cause)
    whole = [_one_of(group) for group in groups.values()]
    return tuple(sorted(whole, key=lambda cause: -len(cause.places)))


def told(causes: Sequence[Cause]) -> str:
    """Return the causes in one line, each once, with the first of its images; numbered if there are several."""
    sentences = [cause.told() for cause in causes[:_NAMED_CAUSES]]
    if len(sentences) < 2:
        return "".join(sentences)
    numbered = [f"({number}) {sentence}" for number, sentence in enumerate(sentences, start=1)]
    more = len(causes) - len(sentences)
    return "; ".join([*numbered, f"and {more} more {'cause' if more == 1 else 'causes'}"] if more else numbered)


def cause_json(cause: Cause) -> Json:
    """Return a cause as a module returns it."""
    return {
        "kind": cause.kind,
        "sentence": cause.sentence,
        "pattern": cause.pattern,
        "count": len(cause.places),
        "references": [place.name for place in cause.places],
        "origins": [place.origin for place in cause.places],
    }


@dataclass(frozen=True)
class Share:
    """How many of all images and lines failed."""

    failed: int
    total: int

    def __str__(self) -> str:
        return f"{self.failed} of {format_count(self.total, 'image')}"


def failure_told(share: Share, dest: str, *, why: str, hint: str, check: bool) -> str:
    """Return the message of a task that fails because of images.

    :param dest: the archive.
    :param why: the causes, and where all images are listed.
    :param hint: what can be done beside removing the causes; may be empty.
    """
    end = f". {hint}" if hint else ""
    if check:
        return f"{share} would fail, so {dest} would be left as it is: {why.rstrip('.')}{end}"
    return f"{share} failed, so {dest} was left as it was: {why.rstrip('.')}{end}"


def why_told(causes: Sequence[Cause], whole_list: str) -> str:
    """Return the causes, and where all images are listed if the causes do not name all of them.

    :param whole_list: path of the failed list; empty if there is none.
    """
    names_all = len(causes) <= _NAMED_CAUSES and all(len(cause.places) <= NAMED for cause in causes)
    if names_all:
        return f"{told(causes).rstrip('.')}. Failed list: {whole_list}" if whole_list else told(causes)
    return f"{told(causes).rstrip('.')}. All of them, with reasons: {whole_list or 'failed_images and invalid_lines'}"


def _one_of(group: Sequence[Cause]) -> Cause:
    places: dict[str, Place] = {}
    for cause in group:
        for place in cause.places:
            places.setdefault(f"{place.name}\0{place.origin}" if cause.kind == LINE else place.name, place)
    return Cause(group[0].kind, group[0].pattern, group[0].alone, tuple(places.values()))


def _cause_of_image(one: FailedImage) -> Cause:
    reference, text = one.listed.reference, one.reason
    place = Place(str(reference), str(one.listed.origin))
    about = one.error.about
    before, found, after = text.partition(about) if about else ("", "", "")
    if found and about == reference.name:  # of a token, which is for a repository
        text = f"{before}{place.name}{after}"
    alone = text if place.name in text else f"{place.name}: {text}"
    pattern = f"{before}{HOLE}{after}" if found else f"{HOLE}: {text}"
    return Cause(
        _kind_of(one.error),
        printable(_without_names(pattern, reference)),
        printable(f"{place.origin}: {alone}"),
        (place,),
    )


def _cause_of_line(line: InvalidLine) -> Cause:
    text = quoted(line.text, 100)
    return Cause(
        LINE,
        printable(f"{HOLE} are not valid references: {line.reason}"),
        printable(f"{line.origin}: {text} is not a valid reference: {line.reason}"),
        (Place(text, str(line.origin)),),
    )


def _kind_of(error: ImagesError) -> str:
    return next((kind for of, kind in _KINDS if isinstance(error, of)), "transfer")


def _without_names(text: str, reference: Reference) -> str:
    """Leave out what names the image: images that failed of the same cause then have the same text."""
    text = text.replace(str(reference), "…").replace(reference.name, "…")
    if "/" in reference.repository:
        text = _without_word(text, reference.repository)
    if reference.tag:
        text = text.replace(f"…:{reference.tag}", "…")
    return _SHA256.sub("sha256:…", text)


def _without_word(text: str, word: str) -> str:
    """Leave a word out where it is not a part of a longer one.

    Not with a regular expression, which would be compiled for each of many images.
    """
    kept: list[str] = []
    start = copied = 0
    while (found := text.find(word, start)) >= 0:
        end = found + len(word)
        if _goes_on(text[found - 1 : found], "_.-") or _goes_on(text[end : end + 1], "_-"):
            start = found + 1
            continue
        kept += [text[copied:found], "…"]
        start = copied = end
    return "".join([*kept, text[copied:]])


def _goes_on(character: str, others: str) -> bool:
    """Return True if a character, which may be missing, belongs to the word beside it.

    :param others: the characters that do, besides letters and digits.
    """
    return character.isalnum() or (character != "" and character in others)
