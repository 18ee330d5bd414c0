# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of what the user gives: references, lists of them, sizes."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from urllib.parse import urlsplit

from ...plugins.module_utils._base.errors import ImagesError, InvalidReferenceError, OptionError
from ...plugins.module_utils._base.size import exact_size, format_size, parse_size
from ...plugins.module_utils._oci.image import FailedImage
from ...plugins.module_utils._oci.image_list import (
    ImageList,
    Origin,
    bare_line,
    decode_list,
    parse_lines,
    split_lines,
)
from ...plugins.module_utils._oci.reference import (
    Reference,
    parse_reference,
    parse_source_registry,
    pulled_from,
)
from ...plugins.module_utils._publish.failed_list import render
from .properties import LARGEST_FILE, assert_digest, assert_shown, is_sample, moves_a_cursor, text_of

_PATH = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_SIZE = re.compile(r"([0-9]*\.?[0-9]+)[ \t\n\r\f\v]*([KMGTkmgt]?)([iI]?)([bB]?)")
_POWER = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def check_reference(data: bytes) -> None:
    """References, and the registry that takes the place of theirs."""
    text = text_of(data)
    try:
        reference = parse_reference(text)
    except InvalidReferenceError as error:
        assert_shown(str(error))
    else:
        _assert_reference(reference)
    if is_sample(data):
        _check_source_registry(text)


def _check_source_registry(text: str) -> None:
    try:
        source = parse_source_registry(text)
    except InvalidReferenceError as error:
        assert_shown(str(error))
    else:
        _assert_host(source.registry)
        place = pulled_from(Reference("reg.lan", "a/b", "1", None), source)
        assert str(place) == f"{source.registry}/" + (f"{source.prefix}/" if source.prefix else "") + "a/b"
        assert _PATH.fullmatch(place.path), place.path
        again = f"{source.registry}/{source.prefix}" if source.prefix else source.registry
        assert parse_source_registry(again) == source


def _assert_reference(reference: Reference) -> None:
    """It parses to itself, is not a program option, and names one place on one host."""
    written = str(reference)
    assert parse_reference(written) == reference, f"{written!a} is read as another"
    assert written.isascii() and written.isprintable() and not re.search(r"\s", written), repr(written)
    assert not written.startswith("-")
    assert not any(part in ("", ".", "..") for part in reference.name.split("/")), written
    assert len(reference.name) <= 255
    assert _PATH.fullmatch(reference.repository), written
    assert reference.tag or reference.digest
    assert reference.tag is None or _TAG.fullmatch(reference.tag)
    if reference.digest is not None:
        assert_digest(reference.digest)
    _assert_host(reference.registry)
    url = urlsplit(f"https://{reference.registry}/v2/{reference.repository}/manifests/{reference.tag}")
    assert url.path == f"/v2/{reference.repository}/manifests/{reference.tag}"


def _assert_host(registry: str) -> None:
    """A URL made with the host has the same host."""
    assert registry and not registry.startswith("-")
    url = urlsplit(f"https://{registry}/v2/")
    host = registry.lower()
    if url.port is not None:
        host = host.rpartition(":")[0]
        assert 0 < url.port < 65536
    assert url.hostname == host.strip("[]"), registry
    assert url.username is None and url.password is None and not url.query and not url.fragment


def check_image_list(data: bytes) -> None:
    """Lists: each line counts, once."""
    images = _read_list(data)
    lines = split_lines(decode_list(data))
    counted = [line for line in (bare_line(line) for line in lines) if line and not line.startswith(("#", "//"))]
    assert len(images.images) + images.duplicates + len(images.invalid) == len(counted)
    assert [listed.number for listed in images.images] == list(range(1, len(images.images) + 1))
    places = [one.origin.line for one in images.images], [one.origin.line for one in images.invalid]
    for numbers in places:
        assert numbers == sorted(set(numbers)) and all(0 < number <= len(lines) for number in numbers)
    for listed in images.images:
        assert parse_reference(bare_line(lines[listed.origin.line - 1])) == listed.reference
    for line in images.invalid:
        assert_shown(line.text, 600)
        assert_shown(line.reason)
    again = _read_list("\r\n".join(str(listed.reference) for listed in images.images).encode())
    assert [one.reference for one in again.images] == [one.reference for one in images.images]
    assert not again.invalid and not again.duplicates


def check_failed_list(data: bytes) -> None:
    """The list of what failed is a list: read again, it asks for the same, and no reason forges a line."""
    images = _read_list(data)
    # What a registry said, which is as foreign as the list.
    said = text_of(data)[:200] or "no reason"
    raw = render([FailedImage(listed, ImagesError(said)) for listed in images.images], images.invalid)
    if not images.images and not images.invalid:
        assert raw == b""
        return
    again = _read_list(raw)
    assert [one.reference for one in again.images] == [one.reference for one in images.images]
    assert [line.text for line in again.invalid] == [line.text for line in images.invalid]
    lines = raw.decode("utf-8").split("\n")
    assert len(lines) == 2 + 2 * (len(images.images) + len(images.invalid))
    assert not any(moves_a_cursor(line) for line in lines)


def _read_list(data: bytes) -> ImageList:
    lines = split_lines(decode_list(data))
    return parse_lines((Origin("list.txt", number), line) for number, line in enumerate(lines, start=1))


def check_size(data: bytes) -> None:
    """Sizes: the number that the text says, counted in another way."""
    text = text_of(data)
    try:
        size = parse_size(text, option="part_size")
    except OptionError as error:
        assert_shown(str(error))
        return
    assert 1 <= size <= LARGEST_FILE
    assert parse_size(exact_size(size), option="part_size") == size
    match = _SIZE.fullmatch(text.strip())
    assert match, f"{text!a} passes for a size"
    number, unit, binary, letter = match.groups()
    base = 1000 if letter and not binary else 1024
    assert size == math.floor(Fraction(f"0{number}") * base ** _POWER[unit.upper()]), f"{text!a} is read as {size}"
    shown = format_size(size)
    assert_shown(shown, 30)
    if size >= 1024:
        value, unit = shown.split()
        in_bytes = Fraction(value) * 1024 ** _POWER[unit[0]]
        assert abs(in_bytes - size) <= 1024 ** _POWER[unit[0]] * Fraction("0.06"), f"{size} is shown as {shown}"
