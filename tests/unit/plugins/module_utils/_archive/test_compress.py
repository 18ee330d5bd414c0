# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compressors."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import subprocess
import zlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive.compress import (
    PlainEncoder,
    library_of,
    make_encoder,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.encoder import BUFFER, STORED_CHUNK, is_compressed
from ansible_collections.airgap.images.plugins.module_utils._archive.gzip_encoder import GzipEncoder
from ansible_collections.airgap.images.plugins.module_utils._archive.offsets import Offset
from ansible_collections.airgap.images.plugins.module_utils._archive.zstd_encoder import ZstdEncoder
from ansible_collections.airgap.images.plugins.module_utils._base.buffers import Buffers
from ansible_collections.airgap.images.tests.unit.fakes import unzstd

Pieces = list[tuple[bytes, bool]]

TEXT = b"the same words again and again, " * 3000
NOISE = zlib.compress(bytes(range(256)) * 100, 9) * 700

MAGICS: dict[str, tuple[bytes, bool]] = {
    "gzip": (gzip.compress(b"x"), True),
    "zstd": (zstandard.ZstdCompressor().compress(b"x"), True),
    "xz": (lzma.compress(b"x"), True),
    "bzip2": (bz2.compress(b"x"), True),
    "lz4": (b"\x04\x22\x4d\x18rest", True),
    "tar": (b"etc/passwd" + bytes(90) + b"0000644", False),
    "text": (b"Bazar", False),
    "nothing": (b"", False),
    "one byte": (b"\x1f", False),
}

PIECES = st.lists(
    st.tuples(
        st.binary(max_size=300)
        | st.sampled_from([b"", TEXT, NOISE[: STORED_CHUNK - 1], NOISE[:STORED_CHUNK], NOISE[: STORED_CHUNK + 1]]),
        st.booleans(),
    ),
    max_size=8,
)


class Sink:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def end_file(self) -> None:
        """The files of an archive are the business of others."""


def encode(compress: str, level: int | None, pieces: Pieces) -> bytes:
    sink = Sink()
    encoder = make_encoder(compress, level, sink, Buffers(BUFFER))
    for data, stored in pieces:
        encoder.write(data, stored=stored)
    encoder.finish()
    return sink.data


def blobs_of(compress: str, raw: bytes, places: list[tuple[Offset, int]]) -> list[bytes]:
    """Return the bytes that new decoders find at some places, each with how many bytes are wanted."""
    found = []
    for at, size in places:
        rest, end = raw[at.position :], at.skip + size
        if compress == "gzip":
            plain = zlib.decompressobj(-zlib.MAX_WBITS).decompress(rest, end) if end else b""
        else:
            plain = unzstd(rest)[:end] if compress == "zstd" else rest[:end]
        found.append(plain[at.skip :])
    return found


def joined(pieces: Pieces) -> bytes:
    return b"".join(data for data, _stored in pieces)


def one_gzip_member(raw: bytes) -> bytes:
    """Decompress a file that must be one gzip member to its last byte, which is all that some readers take."""
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    data = inflater.decompress(raw) + inflater.flush()
    assert inflater.eof
    assert inflater.unused_data == b""
    return data


def frames_of(raw: bytes) -> list[bytes]:
    """The content of each zstd frame, one after the other to the last byte."""
    frames: list[bytes] = []
    while raw:
        decompressor = zstandard.ZstdDecompressor().decompressobj()
        frames.append(decompressor.decompress(raw))
        assert decompressor.eof
        raw = decompressor.unused_data
    return frames


@pytest.mark.parametrize(("start", "expected"), MAGICS.values(), ids=MAGICS)
def test_what_is_compressed_already(start: bytes, expected: bool) -> None:
    assert is_compressed(start) is expected


@given(PIECES, st.sampled_from([None, 0, 1, 9]))
def test_gzip_gives_back_what_went_in(pieces: Pieces, level: int | None) -> None:
    raw = encode("gzip", level, pieces)
    assert gzip.decompress(raw) == joined(pieces)
    assert one_gzip_member(raw) == joined(pieces)
    assert raw == encode("gzip", level, pieces), "the same bytes again"


@given(PIECES, st.sampled_from([None, 1, 3]))
def test_zstd_gives_back_what_went_in(pieces: Pieces, level: int | None) -> None:
    raw = encode("zstd", level, pieces)
    assert unzstd(raw) == joined(pieces)
    assert level is None or len(frames_of(raw)) <= 1
    assert raw == encode("zstd", level, pieces), "the same bytes again"


@given(PIECES)
def test_none_gives_back_what_went_in(pieces: Pieces) -> None:
    assert encode("none", None, pieces) == joined(pieces)


@given(PIECES, st.sampled_from(["gzip", "zstd", "none"]))
def test_each_blob_is_found_at_its_offset(pieces: Pieces, compress: str) -> None:
    sink = Sink()
    encoder = make_encoder(compress, None, sink, Buffers(BUFFER))
    places = []
    plain = 0
    for data, stored in pieces:
        encoder.write(b"header", stored=False)
        plain += len(b"header")
        encoder.write(data, stored=stored)
        places.append((plain, len(data)))
        encoder.write(b"", stored=False)
        encoder.end_blob()
        plain += len(data)
    encoder.finish()
    found = [(encoder.offset_of(place), size) for place, size in places]
    offsets = [(offset, size) for offset, size in found if offset is not None]
    assert blobs_of(compress, sink.data, offsets) == [data for data, _stored in pieces]
    for (offset, _size), (data, stored) in zip(offsets, pieces):
        assert offset.skip == 0 or (not (stored and data) and compress != "none")


@pytest.mark.parametrize("compress", ["gzip", "zstd"])
@pytest.mark.parametrize(("size", "is_long"), [(2**20, False), (2**20 + 1, True)])
def test_a_long_stretch_ends_behind_a_blob(compress: str, size: int, is_long: bool) -> None:
    sink = Sink()
    encoder = make_encoder(compress, None, sink, Buffers(BUFFER))
    for length in (size, 1):
        encoder.write(bytes(length), stored=False)
        encoder.end_blob()
    encoder.write(b"next", stored=False)
    encoder.finish()
    offset = encoder.offset_of(size)
    assert offset is not None and (offset.skip == 0) is is_long
    assert blobs_of(compress, sink.data, [(offset, 5)]) == [b"\0next"]


@pytest.mark.parametrize("compress", ["gzip", "zstd"])
def test_with_a_level_there_is_one_stretch_and_no_offset(compress: str) -> None:
    sink = Sink()
    encoder = make_encoder(compress, 1, sink, Buffers(BUFFER))
    for _blob in range(2):
        encoder.write(bytes(2**21), stored=True)
        encoder.end_blob()
    encoder.finish()
    assert encoder.offset_of(0) is encoder.offset_of(2**21) is None
    if compress == "zstd":
        assert len(frames_of(sink.data)) == 1
    else:
        assert sink.data == encode(compress, 1, [(bytes(2**22), False)])


MIXED: dict[str, Pieces] = {
    "nothing": [],
    "stored only": [(NOISE, True)],
    "deflated only": [(TEXT, False)],
    "alternating": [(TEXT, False), (NOISE, True), (TEXT, False), (b"", True), (NOISE, True), (b"end", False)],
}


def read_by_its_own_program(folder: Path, compress: str, pieces: Pieces) -> bytes:
    """The output of ``gzip`` or ``zstd`` for the encoded pieces, after it has found them sound."""
    path = folder / {"gzip": "a.gz", "zstd": "a.zst"}[compress]
    path.write_bytes(encode(compress, None, pieces))
    subprocess.run([compress, "-tq", str(path)], check=True)
    return subprocess.run([compress, "-dcq", str(path)], check=True, stdout=subprocess.PIPE).stdout


@pytest.mark.parametrize("pieces", MIXED.values(), ids=MIXED)
def test_gzip_itself_reads_it(tmp_path: Path, pieces: Pieces) -> None:
    assert read_by_its_own_program(tmp_path, "gzip", pieces) == joined(pieces)


def test_a_damaged_archive_is_noticed() -> None:
    for compress in ("gzip", "zstd"):
        raw = bytearray(encode(compress, None, [(TEXT, False), (NOISE, compress == "gzip")]))
        raw[len(raw) // 2] ^= 1
        with pytest.raises((zlib.error, zstandard.ZstdError, OSError, EOFError)):
            (gzip.decompress if compress == "gzip" else unzstd)(bytes(raw))


@pytest.mark.parametrize("cut", [1, 3, 4, 1000])
def test_a_truncated_zstd_archive_is_noticed(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.zst"
    path.write_bytes(encode("zstd", None, [(TEXT, False), (NOISE, True)])[:-cut])
    assert subprocess.run(["zstd", "-tq", str(path)], check=False, stderr=subprocess.DEVNULL).returncode != 0


@pytest.mark.parametrize("kind", sorted(MIXED.keys() - {"nothing"}))
def test_zstd_itself_reads_it(tmp_path: Path, kind: str) -> None:
    pieces = MIXED[kind]
    assert read_by_its_own_program(tmp_path, "zstd", pieces) == joined(pieces)


def test_a_frame_of_zstd_for_each_run_of_the_same_kind() -> None:
    pieces = [(TEXT, False), (b"more", False), (NOISE, True), (b"", True), (b"x", True), (b"end", False)]
    assert frames_of(encode("zstd", None, pieces)) == [TEXT + b"more", NOISE + b"x", b"end"]
    assert frames_of(encode("zstd", 3, pieces)) == [joined(pieces)]
    assert encode("zstd", None, []) == b""


def test_what_zstd_stores_costs_next_to_nothing() -> None:
    block = 128 * 1024
    data = (NOISE * (2 * block // len(NOISE) + 1))[: 2 * block]
    assert len(encode("zstd", None, [(data, True)])) == len(data) + 6 + 2 * 3 + 3
    assert len(encode("zstd", None, [(data + b"x", True)])) == len(data) + 1 + 6 + 3 * 3 + 3
    assert data[:block] in encode("zstd", None, [(data, True)])


def test_what_is_stored_costs_next_to_nothing() -> None:
    raw = encode("gzip", None, [(NOISE, True)])
    blocks = -(-len(NOISE) // STORED_CHUNK)
    assert len(raw) == len(NOISE) + 5 * blocks + 10 + 5 + 8
    assert NOISE[:1000] in raw


def test_what_is_not_stored_is_compressed() -> None:
    for compress in ("gzip", "zstd"):
        assert len(encode(compress, None, [(TEXT, False)])) < len(TEXT) / 20


@pytest.mark.parametrize("level", [1, 9])
def test_a_level_applies_to_everything(level: int) -> None:
    assert len(encode("gzip", level, [(TEXT, True)])) < len(TEXT) / 20
    assert encode("gzip", level, [(TEXT, True)]) == encode("gzip", level, [(TEXT, False)])
    assert len(encode("zstd", level, [(TEXT, True)])) < len(TEXT) / 20
    assert encode("zstd", level, [(TEXT, True)]) == encode("zstd", level, [(TEXT, False)])


def test_levels_differ() -> None:
    words = b" ".join(b"%d" % (number * 7919 % 10007) for number in range(30000))
    for compress, low, high in (("gzip", 1, 9), ("zstd", 1, 19)):
        assert len(encode(compress, high, [(words, False)])) < len(encode(compress, low, [(words, False)]))


def test_gzip_says_nothing_of_time_and_host() -> None:
    assert encode("gzip", None, [])[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def test_zstd_has_a_checksum() -> None:
    assert zstandard.get_frame_parameters(encode("zstd", None, [(TEXT, False)])).has_checksum


def test_python_reads_it_as_a_file() -> None:
    pieces = MIXED["alternating"]
    with gzip.open(io.BytesIO(encode("gzip", None, pieces))) as file:
        assert file.read() == joined(pieces)


@pytest.mark.parametrize(
    ("compress", "kind"), [("gzip", GzipEncoder), ("zstd", ZstdEncoder), ("none", PlainEncoder)], ids=str
)
def test_each_format_has_its_encoder(compress: str, kind: type) -> None:
    assert make_encoder(compress, None, Sink(), Buffers(BUFFER)).__class__ is kind


def test_the_library_is_named() -> None:
    assert library_of("gzip") == f"zlib {zlib.ZLIB_RUNTIME_VERSION}"
    assert library_of("zstd").startswith("zstd 1.")
    assert library_of("none") == library_of("dir") == "none"
