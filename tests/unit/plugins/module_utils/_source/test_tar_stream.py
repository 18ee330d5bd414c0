# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tar streams, as Python's tarfile writes them and as nobody should."""

from __future__ import annotations

import io
import tarfile
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._source.decoder import Snapshot
from ansible_collections.airgap.images.plugins.module_utils._source.errors import BrokenStream
from ansible_collections.airgap.images.plugins.module_utils._source.tar_stream import TarStream

LARGE = 9 * 1024**3
FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


class Pieces:
    """A decoder that gives a few bytes at a time; what is beyond its bytes is zeros, up to a size."""

    def __init__(self, raw: bytes, *, size: int = 0, most: int = 700) -> None:
        self._raw = raw
        self._size = max(size, len(raw))
        self._most = most
        self._at = 0

    def read(self, amount: int) -> bytes:
        end = min(self._at + min(amount, self._most), self._size)
        data = self._raw[self._at : end].ljust(end - self._at, b"\0")
        self._at = end
        return data

    def readinto(self, buffer: memoryview) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def skip(self, amount: int) -> int:
        skipped = min(amount, self._size - self._at)
        self._at += skipped
        return skipped

    def consumed(self) -> tuple[int, int]:
        return self._at, self._at

    def snapshot(self) -> Snapshot | None:
        return None

    def close(self) -> None:
        pass


def tar_of(files: dict[str, bytes], form: int) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        archive.addfile(_special("folder", tarfile.DIRTYPE))
        archive.addfile(_special("link", tarfile.SYMTYPE, linkname="x" * 150))
    return target.getvalue()


def _special(name: str, kind: bytes, **more: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in more.items():
        setattr(info, key, value)
    return info


def files_in(raw: bytes, *, read: int = -1) -> dict[str, bytes]:
    """The files of a tar stream, each read up to some bytes."""
    tar = TarStream(Pieces(raw))
    found: dict[str, bytes] = {}
    for member in tar.members():
        assert tar.plain == member.plain
        if member.is_file:
            found[member.name] = tar.read_all(member.size if read < 0 else min(read, member.size), most=10**6)
        else:
            assert member.size == 0
    return found


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@given(
    st.dictionaries(
        st.text(st.sampled_from("abü/."), min_size=1, max_size=5).map(lambda text: f"n{text}n" * 30),
        st.binary(max_size=1500),
        max_size=4,
    )
)
def test_files_of_any_name_and_size(form: int, files: dict[str, bytes]) -> None:
    raw = tar_of(files, form)
    assert files_in(raw) == files
    assert files_in(raw, read=7) == {name: content[:7] for name, content in files.items()}


def test_long_names_in_the_prefix_of_ustar() -> None:
    name = "/".join(["d" * 70, "e" * 60, "f" * 90])
    raw = tar_of({name: b"1", "short": b"2"}, tarfile.GNU_FORMAT)
    assert files_in(raw) == {name: b"1", "short": b"2"}
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(_special(name, tarfile.REGTYPE))
    assert files_in(target.getvalue()) == {name: b""}


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_files_larger_than_8_gib(form: int) -> None:
    info = tarfile.TarInfo("large")
    info.size = LARGE
    raw = info.tobuf(form)
    tar = TarStream(Pieces(raw, size=len(raw) + LARGE + 1024, most=2**30))
    [member] = [*tar.members()]
    assert (member.name, member.size, member.plain) == ("large", LARGE, len(raw))


def test_it_ends_at_the_end_or_at_zeros() -> None:
    raw = tar_of({"a": b"1"}, tarfile.GNU_FORMAT)
    assert files_in(raw.rstrip(b"\0") + bytes(1024)) == files_in(raw)
    assert files_in(b"") == files_in(bytes(512)) == {}


def header(**changed: Any) -> bytes:
    return _special("a", tarfile.REGTYPE, **changed).tobuf(tarfile.GNU_FORMAT)


BROKEN = {
    "not a tar": b"x" * 512,
    "half a header": header()[:300],
    "a wrong checksum": b"b" + header()[1:],
    "cut off within a file": header(size=1000) + b"1",
    "cut off within the filling": header(size=1000) + bytes(1000),
    "a file larger than any": header(size=2**60),
    "a long name without end": _special("a", b"L", size=2**40).tobuf(tarfile.GNU_FORMAT) + bytes(512),
    "pax records without end": _special("a", b"x", size=2**30).tobuf(tarfile.GNU_FORMAT) + bytes(512),
    "pax records that make no sense": _special("a", b"x", size=5).tobuf(tarfile.GNU_FORMAT)
    + b"99 a=".ljust(512, b"\0"),
    "a pax size that is none": (
        _special("a", b"x", size=11).tobuf(tarfile.GNU_FORMAT) + b"11 size=-1\n".ljust(512, b"\0") + header()
    ),
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN)
def test_what_makes_no_sense(raw: bytes) -> None:
    with pytest.raises(BrokenStream):
        files_in(raw)


@given(st.binary(max_size=1200), st.sampled_from([b"0", b"L", b"x", b"g", b"K", b"5", b"\0"]), st.integers(0, 2**33))
def test_nothing_else_is_raised(raw: bytes, kind: bytes, size: int) -> None:
    with suppress(BrokenStream):
        files_in(_special("a", kind, size=size).tobuf(tarfile.GNU_FORMAT) + raw)
