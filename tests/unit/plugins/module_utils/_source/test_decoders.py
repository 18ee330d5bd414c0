# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decoders that start anywhere, and give no more than they are asked for."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard

from ansible_collections.airgap.images.plugins.module_utils._source import decoders
from ansible_collections.airgap.images.plugins.module_utils._source.decoders import start_decoder
from ansible_collections.airgap.images.plugins.module_utils._source.errors import BrokenStream, SourceError
from ansible_collections.airgap.images.plugins.module_utils._source.joined import JoinedParts, PartFile
from ansible_collections.airgap.images.tests.unit.carried import noise

DATA = b"the same words again, " * 40_000 + noise(5, 300_000)
ZEROS = bytes(50_000_000)


def compressed(compress: str, data: bytes) -> bytes:
    if compress == "gzip":
        return gzip.compress(data, 6, mtime=0)
    return zstandard.ZstdCompressor().compress(data) if compress == "zstd" else data


def parts_of(folder: Path, raw: bytes, size: int = 100_000) -> JoinedParts:
    """A stream in several parts."""
    parts = []
    for start in range(0, len(raw), size):
        path = folder / f"part{start}"
        path.write_bytes(raw[start : start + size])
        parts.append(PartFile(path.name, str(path), start, path.stat().st_size, ""))
    return JoinedParts(parts)


@pytest.mark.parametrize("compress", ["gzip", "zstd", "none"])
@pytest.mark.parametrize("amount", [997, 100_000, 10**7])
def test_all_of_a_stream_in_pieces(tmp_path: Path, compress: str, amount: int) -> None:
    decoder = start_decoder(parts_of(tmp_path, compressed(compress, DATA)), compress, 0)
    pieces = [*iter(lambda: decoder.read(amount), b"")]
    assert b"".join(pieces) == DATA
    assert max(map(len, pieces)) <= amount
    assert decoder.read(amount) == b""
    decoder.close()


@pytest.mark.parametrize("compress", ["gzip", "zstd"])
def test_members_and_frames_one_after_the_other(tmp_path: Path, compress: str) -> None:
    raw = b"".join(compressed(compress, data) for data in (DATA, b"", b"more", DATA))
    decoder = start_decoder(parts_of(tmp_path, raw), compress, 0)
    assert b"".join(iter(lambda: decoder.read(70_000), b"")) == DATA + b"more" + DATA


@pytest.mark.parametrize("compress", ["gzip", "zstd", "none"])
def test_bytes_are_left_out(tmp_path: Path, compress: str) -> None:
    decoder = start_decoder(parts_of(tmp_path, compressed(compress, DATA)), compress, 0)
    assert decoder.skip(500_000) == 500_000
    assert decoder.read(10) == DATA[500_000:500_010]
    assert decoder.skip(len(DATA)) == len(DATA) - 500_010
    assert decoder.skip(1) == 0


@pytest.mark.parametrize("compress", ["gzip", "none"])
@pytest.mark.parametrize("place", [0, 1, 131_072, 880_000, len(DATA)])
def test_a_decoder_continues_from_a_snapshot(tmp_path: Path, compress: str, place: int) -> None:
    joined = parts_of(tmp_path, compressed(compress, DATA))
    decoder = start_decoder(joined, compress, 0)
    decoder.skip(place)
    snapshot = decoder.snapshot()
    assert snapshot is not None
    for one in (decoder, snapshot.decoder(joined), snapshot.decoder(joined)):
        assert b"".join(iter(lambda: one.read(33_333), b"")) == DATA[place:]  # noqa: B023  # not beyond this round


@pytest.mark.parametrize("compress", ["gzip", "zstd"])
def test_what_expands_a_thousandfold_comes_in_pieces(tmp_path: Path, compress: str) -> None:
    raw = compressed(compress, ZEROS)
    assert len(raw) < 100_000
    decoder = start_decoder(parts_of(tmp_path, raw), compress, 0)
    assert len(decoder.read(1000)) <= 1000
    assert decoder.skip(len(ZEROS)) >= len(ZEROS) - 1000


def test_a_gzip_stream_that_is_cut_off_is_broken(tmp_path: Path) -> None:
    decoder = start_decoder(parts_of(tmp_path, compressed("gzip", DATA)[:-100]), "gzip", 0)
    with pytest.raises(BrokenStream, match="ends too early"):
        decoder.skip(len(DATA))


@pytest.mark.parametrize("compress", ["gzip", "zstd"])
def test_bytes_that_are_not_compressed_are_broken(tmp_path: Path, compress: str) -> None:
    joined = parts_of(tmp_path, noise(6, 1000))
    for position in (0, 10):
        with pytest.raises(BrokenStream):
            start_decoder(joined, compress, position).read(10)


def test_a_window_beyond_128_mib_is_refused(tmp_path: Path) -> None:
    """So that a frame of a few bytes does not take gigabytes."""
    frame = b"\x28\xb5\x2f\xfd\x00\x98" + b"\x01\x00\x00"  # a window of 512 MiB
    with pytest.raises(BrokenStream, match="memory"):
        start_decoder(parts_of(tmp_path, frame), "zstd", 0).read(1)


def test_without_zstandard_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "ZSTANDARD_ERROR", ImportError("zstandard"))
    with pytest.raises(SourceError, match="install the Python library zstandard"):
        start_decoder(parts_of(tmp_path, b"x"), "zstd", 0)
