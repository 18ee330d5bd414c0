# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stored blocks that are read past the library come out as the library gives them, whatever surrounds them."""

from __future__ import annotations

import hashlib
import struct
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive.encoder import CHUNK
from ansible_collections.airgap.images.plugins.module_utils._archive.zstd_encoder import STORED_FRAME
from ansible_collections.airgap.images.plugins.module_utils._base.errors import ImagesError
from ansible_collections.airgap.images.plugins.module_utils._source.blob_reader import BlobReader, Content
from ansible_collections.airgap.images.plugins.module_utils._source.decoder import Decoder
from ansible_collections.airgap.images.plugins.module_utils._source.decoders import ZstdDecoder, start_decoder
from ansible_collections.airgap.images.plugins.module_utils._source.errors import BrokenStream
from ansible_collections.airgap.images.plugins.module_utils._source.joined import JoinedParts, PartFile
from ansible_collections.airgap.images.tests.unit.carried import noise

START = b"\0"
"""What precedes a stretch: position 0 is that of the archive."""

KINDS = ("stored", "filled up", "deflated", "final", "flushed")
SIZES = st.one_of(st.sampled_from([1, 2, 32768, 65534, 65535, 131072]), st.integers(1, 3000))


@dataclass(frozen=True)
class Ended:
    """What came out, and whether it ended well."""

    data: bytes
    is_well: bool


def parts_of(folder: Path, raw: bytes, cuts: Sequence[int]) -> JoinedParts:
    """A stream in parts that end at these places."""
    ends = sorted({min(cut, len(raw)) for cut in cuts} | {len(raw)})
    parts = []
    for start, end in zip([0, *ends], ends):
        path = folder / f"part{start}"
        path.write_bytes(raw[start:end])
        parts.append(PartFile(path.name, str(path), start, end - start, ""))
    return JoinedParts([part for part in parts if part.size])


def stored(data: bytes, first: int = 0) -> bytes:
    """A block of deflate; of its first byte, the upper bits only fill it up."""
    return struct.pack("<BHH", first, len(data), len(data) ^ 0xFFFF) + data


def deflated(stretch: Sequence[tuple[str, int]], seed: int) -> bytes:
    """Blocks of all kinds, each of which repeats something that came before it in other blocks."""
    raw = plain = b""
    for number, (kind, size) in enumerate(stretch):
        data = (plain[-32768:][: size // 2] + noise(seed + number, 5 + size))[:size]
        if kind in ("stored", "filled up"):
            first = 0 if kind == "stored" else 0xA8
            raw += b"".join(stored(data[at : at + 65535], first) for at in range(0, size, 65535))
        elif kind == "flushed":
            raw += stored(b"")
            data = b""
        else:
            deflater = zlib.compressobj(6, zlib.DEFLATED, -15, zdict=plain[-32768:])
            raw += deflater.compress(data) + deflater.flush(zlib.Z_FINISH if kind == "final" else zlib.Z_SYNC_FLUSH)
        plain += data
    return raw


def through_zlib(raw: bytes) -> Ended:
    """What zlib makes of it."""
    inflater, pieces = zlib.decompressobj(-15), []
    try:
        for at in range(0, len(raw), 1000):
            pieces.append(inflater.decompress(raw[at : at + 1000]))
    except zlib.error:
        return Ended(b"".join(pieces), False)
    return Ended(b"".join(pieces), inflater.eof)


def through(decoder: Decoder, amounts: Sequence[int]) -> Ended:
    """What a decoder gives when it is asked for these amounts, again and again."""
    found = bytearray()
    for turn in range(1_000_000):
        buffer = memoryview(bytearray(amounts[turn % len(amounts)]))
        try:
            count = decoder.readinto(buffer)
        except BrokenStream:
            return Ended(bytes(found), False)
        if not count:
            return Ended(bytes(found), True)
        found += buffer[:count]
    raise AssertionError("it does not end")


def damaged(raw: bytes, where: float, how: str) -> bytes:
    at = int(where * len(raw))
    if how == "cut":
        return raw[:at]
    return raw if how == "whole" else raw[:at] + bytes([raw[at] ^ 0x10]) + raw[at + 1 :]


def assert_same(found: Ended, expected: Ended, *, is_cut: bool = False) -> None:
    """Both gave the same; of what ends in an error, or is cut off, one may give more than the other before that."""
    if not found.is_well or is_cut:
        shared = min(len(found.data), len(expected.data))
        assert found.data[:shared] == expected.data[:shared]
    else:
        assert found.data == expected.data


STRETCHES = st.lists(st.tuples(st.sampled_from(KINDS), SIZES), min_size=1, max_size=6)
AMOUNTS = st.lists(st.sampled_from([1000, 65535, 70_000, 131_072, 1_048_560]), min_size=1, max_size=3)
CUTS = st.lists(st.integers(1, 300_000), max_size=3)
DAMAGE = st.tuples(st.floats(0, 0.999), st.sampled_from(["whole", "cut", "flipped"]))


@given(stretch=STRETCHES, seed=st.integers(0, 99), amounts=AMOUNTS, cuts=CUTS, damage=DAMAGE)
def test_any_mix_of_blocks_comes_out_as_zlib_gives_it(
    stretch: list[tuple[str, int]], seed: int, amounts: list[int], cuts: list[int], damage: tuple[float, str]
) -> None:
    raw = damaged(deflated(stretch, seed), *damage)
    expected = through_zlib(raw)
    with tempfile.TemporaryDirectory() as folder:
        decoder = start_decoder(parts_of(Path(folder), START + raw, [cut + 1 for cut in cuts]), "gzip", 1)
        found = through(decoder, amounts)
        decoder.close()
    assert found.is_well == expected.is_well
    assert_same(found, expected)


def raw_block(data: bytes, *, kind: int = 0, last: bool = False) -> bytes:
    """A block of zstd."""
    return (len(data) << 3 | kind << 1 | last).to_bytes(3, "little") + data


def frames(stretch: Sequence[tuple[str, int]], seed: int) -> bytes:
    """Frames of stored blocks and of the library, one after the other."""
    raw = b""
    for number, (kind, size) in enumerate(stretch):
        data = noise(seed + number, 5 + size)[:size]
        blocks = b"".join(raw_block(data[at : at + 131_072]) for at in range(0, size, 131_072))
        if kind == "stored":
            raw += STORED_FRAME + blocks + raw_block(b"", last=True)
        elif kind == "filled up":
            raw += (
                STORED_FRAME + blocks + (9 << 3 | 2).to_bytes(3, "little") + b"r" + blocks + raw_block(b"z", last=True)
            )
        elif kind == "flushed":
            raw += STORED_FRAME + blocks + raw_block(data[:10], kind=3)
        else:
            raw += zstandard.ZstdCompressor(level=1).compress(data + data)
    return raw


@given(stretch=STRETCHES, seed=st.integers(0, 99), amounts=AMOUNTS, cuts=CUTS, damage=DAMAGE)
def test_any_mix_of_frames_comes_out_as_libzstd_gives_it(
    stretch: list[tuple[str, int]], seed: int, amounts: list[int], cuts: list[int], damage: tuple[float, str]
) -> None:
    raw = damaged(frames(stretch, seed), *damage)
    with tempfile.TemporaryDirectory() as folder:
        joined = parts_of(Path(folder), raw, cuts)
        library, decoder = ZstdDecoder(joined.reader(0)), start_decoder(joined, "zstd", 0)
        expected, found = through(library, [1000]), through(decoder, amounts)
        library.close()
        decoder.close()
    assert expected.is_well or not found.is_well
    assert damage[1] == "cut" or found.is_well or not expected.is_well
    assert_same(found, expected, is_cut=damage[1] != "whole")  # where bytes are lacking, the library does not say so


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 400_000])
def test_what_is_stored_does_not_pass_through_zlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    data = noise(7, size + 5)[:size]
    raw = b"".join(stored(data[at : at + 65535]) for at in range(0, size, 65535))
    decoder = start_decoder(parts_of(tmp_path, START + raw, [3, 70_000, 140_000]), "gzip", 1)

    def refuse(*_arguments: object) -> None:
        raise AssertionError("zlib is not needed")

    monkeypatch.setattr(zlib, "decompressobj", refuse)
    buffer = memoryview(bytearray(size))
    filled = 0
    while filled < size:
        filled += decoder.readinto(buffer[filled:])
    assert bytes(buffer) == data


def test_a_reader_gives_its_memory_out_again(tmp_path: Path) -> None:
    """So a blob of any size takes as much as one piece of it."""
    data = noise(8, 3 * CHUNK)
    path = tmp_path / hashlib.sha256(data).hexdigest()
    path.write_bytes(data)
    contents = OneFile(parts_of(tmp_path, data, []))
    with BlobReader(f"sha256:{path.name}", len(data), contents) as reader:
        first = reader.read1(len(data))
        assert bytes(first) == data[:CHUNK]
        assert bytes(reader.read1(len(data))) == data[CHUNK : 2 * CHUNK]
        assert bytes(first) == data[CHUNK : 2 * CHUNK]
        assert bytes(reader.read1(10)) == data[2 * CHUNK :][:10]
        assert reader.read(2000) == data[2 * CHUNK :][10:2010]
        reader.seek(0)
        assert reader.read() == data
        assert not reader.read1(1)


class OneFile:
    """A blob alone in a stream."""

    def __init__(self, joined: JoinedParts) -> None:
        self._joined = joined

    def start(self, _digest: str) -> Content:
        return self._joined.reader(0)

    def explain(self, digest: str, found: str) -> ImagesError:
        raise AssertionError(f"{digest}: {found}")
