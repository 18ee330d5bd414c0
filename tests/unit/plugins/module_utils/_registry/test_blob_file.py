# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One blob on its way into a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.errors import Interrupted, TransferError
from ansible_collections.airgap.images.plugins.module_utils._http.response import Response
from ansible_collections.airgap.images.plugins.module_utils._registry import blob_file
from ansible_collections.airgap.images.plugins.module_utils._registry.blob_file import BlobFile
from ansible_collections.airgap.images.plugins.module_utils._registry.retry import BrokenOffError
from ansible_collections.airgap.images.tests.unit.fakes import describe

DATA = b"0123456789"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "blob"


@pytest.fixture
def file(path: Path) -> BlobFile:
    return BlobFile(describe(DATA), str(path), "blob x")


def whole() -> Response:
    return Response("https://reg.lan", 200, {}, b"")


def rest(content_range: str) -> Response:
    return Response("https://reg.lan", 206, {"content-range": content_range}, b"")


def broken(*chunks: bytes) -> Iterator[bytes]:
    yield from chunks
    raise TransferError("broke off", heals=True)


def take(file: BlobFile, answer: Response, chunks: Iterable[bytes]) -> None:
    file.take(answer, chunks, lambda: None)


def take_some(file: BlobFile, *chunks: bytes) -> None:
    with pytest.raises(TransferError, match="broke off"):
        take(file, whole(), broken(*chunks))


def test_all_at_once(file: BlobFile, path: Path) -> None:
    assert file.request_headers() == {}
    take(file, whole(), [DATA[:3], b"", DATA[3:]])
    assert path.read_bytes() == DATA
    assert file.size == len(DATA)


def test_nothing_at_all(path: Path) -> None:
    take(BlobFile(describe(b""), str(path), "blob x"), whole(), [])
    assert path.read_bytes() == b""


def test_what_lies_there_is_written_anew(file: BlobFile, path: Path) -> None:
    path.write_bytes(b"of an earlier run, and longer")
    take(file, whole(), [DATA])
    assert path.read_bytes() == DATA


def test_the_rest_is_asked_for_and_appended(file: BlobFile, path: Path) -> None:
    take_some(file, DATA[:4])
    assert file.request_headers() == {"Range": "bytes=4-"}
    with pytest.raises(TransferError, match="broke off"):
        take(file, rest("bytes 4-9/10"), broken(DATA[4:7]))
    assert file.request_headers() == {"Range": "bytes=7-"}
    assert path.read_bytes() == DATA[:7]
    take(file, rest(" bytes 7-9/* "), [DATA[7:]])
    assert path.read_bytes() == DATA


def test_a_server_without_ranges_sends_it_all_again(file: BlobFile, path: Path) -> None:
    take_some(file, DATA[:4])
    take(file, whole(), [DATA])
    assert path.read_bytes() == DATA


def test_all_of_it_is_there_whatever_length_was_told(file: BlobFile, path: Path) -> None:
    take(file, whole(), broken(DATA))
    assert path.read_bytes() == DATA


def test_as_many_bytes_but_others_are_not_resumed(file: BlobFile) -> None:
    with pytest.raises(TransferError, match="other bytes than its digest names"):
        take(file, whole(), broken(DATA[:-1] + b"x"))
    assert file.request_headers() == {}


def test_what_ends_for_good_ends_for_good_with_all_bytes(file: BlobFile) -> None:
    def ended() -> Iterator[bytes]:
        yield DATA
        raise TransferError("not done within timeout", heals=False)

    with pytest.raises(TransferError, match="not done within timeout"):
        take(file, whole(), ended())


def test_a_good_piece_is_told_apart(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what had never come before counts: a server without ranges begins again each time."""
    monkeypatch.setattr(blob_file, "_GOOD_PIECE", 4)
    file = BlobFile(describe(DATA), str(path), "blob x")
    cuts = [
        (whole(), DATA[:4], True),
        (rest("bytes 4-9/10"), DATA[4:6], False),
        (whole(), DATA[:9], False),
        (whole(), DATA[:4], False),
    ]
    for answer, chunk, is_good in cuts:
        with pytest.raises(TransferError, match="broke off") as caught:
            take(file, answer, broken(chunk))
        assert isinstance(caught.value, BrokenOffError) is is_good
        assert caught.value.heals is True


OTHER_RANGES = [
    f"bytes {'4' * 5000}-9/10",
    "bytes \u0664-9/10",
    "",
    "bytes 3-9/10",
    "bytes 5-9/10",
    "bytes */10",
    "items 4-9/10",
    "bytes 4-9/10, bytes 4-9/10",
    "bytes",
]


@pytest.mark.parametrize("content_range", OTHER_RANGES, ids=lambda text: repr(text[:30]))
def test_another_range_than_was_asked_for(file: BlobFile, path: Path, content_range: str) -> None:
    take_some(file, DATA[:4])
    with pytest.raises(TransferError, match=r"^blob x came with another range than was asked for$") as caught:
        take(file, rest(content_range), [DATA[4:]])
    assert caught.value.heals is True
    assert not path.exists(), "it is of no use any more"
    assert file.request_headers() == {}
    take(file, whole(), [DATA])
    assert path.read_bytes() == DATA


WRONG: dict[str, tuple[list[bytes], str]] = {
    "longer": ([DATA, b"x"], "more bytes than its descriptor says"),
    "longer in one piece": ([DATA + b"x"], "more bytes than its descriptor says"),
    "shorter": ([DATA[:-1]], "fewer bytes than its descriptor says"),
    "empty": ([], "fewer bytes than its descriptor says"),
    "flipped": ([DATA[:-1] + b"x"], "other bytes than its digest names"),
}


@pytest.mark.parametrize(("chunks", "said"), WRONG.values(), ids=WRONG)
def test_wrong_bytes_heal_and_are_not_built_upon(file: BlobFile, path: Path, chunks: list[bytes], said: str) -> None:
    with pytest.raises(TransferError, match=f"^blob x came with {said}$") as caught:
        take(file, whole(), chunks)
    assert caught.value.heals is True
    assert not path.exists(), "it is of no use any more"
    assert (file.size, file.request_headers()) == (0, {})
    take(file, whole(), [DATA])
    assert path.read_bytes() == DATA


def test_an_endless_body_is_left_at_once(file: BlobFile) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield DATA

    with pytest.raises(TransferError, match="more bytes"):
        take(file, whole(), endless())


def test_parts_of_different_blobs_are_noticed(file: BlobFile, path: Path) -> None:
    take_some(file, b"abcd")
    with pytest.raises(TransferError, match="other bytes than its digest names"):
        take(file, rest("bytes 4-9/10"), [DATA[4:]])
    assert file.request_headers() == {}


def test_the_check_comes_before_each_piece(file: BlobFile, path: Path) -> None:
    checked: list[int] = []

    def check() -> None:
        checked.append(file.size)
        if len(checked) == 3:
            raise Interrupted("stopped")

    with pytest.raises(Interrupted):
        file.take(whole(), [DATA[:2], DATA[2:5], DATA[5:]], check)
    assert checked == [0, 2, 5]
    assert path.read_bytes() == DATA[:5]


@pytest.mark.parametrize("takes", [1, 3, None])
def test_a_system_that_writes_only_a_part_at_a_time(takes: int | None) -> None:
    written: list[bytes] = []
    refused: list[bool] = []

    def write(view: memoryview) -> int | None:
        if takes is None and not refused:
            refused.append(True)
            return None
        written.append(bytes(view[: takes or 4]))
        return len(written[-1])

    blob_file._write_all(write, DATA)
    assert b"".join(written) == DATA


@given(
    data=st.binary(max_size=60),
    cuts=st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["resumes", "all", "another range"])), max_size=6),
)
def test_however_it_breaks_off_the_file_is_the_blob(data: bytes, cuts: list[tuple[int, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "blob")
        file = BlobFile(describe(data), path, "blob x")
        for length, kind in [*cuts, (len(data), "resumes")]:
            start = file.size
            asked = file.request_headers().get("Range")
            assert asked == (f"bytes={start}-" if start else None)
            if kind == "all" or not start:
                start, answer = 0, whole()
            else:
                answer = rest(f"bytes {start + (kind == 'another range')}-{len(data) - 1}/{len(data)}")
            is_last = start + length >= len(data) and not (asked and kind == "another range")
            chunks = [data[start : start + length]]
            if is_last:
                take(file, answer, chunks)
                break
            with pytest.raises(TransferError):
                take(file, answer, broken(*chunks))
        assert Path(path).read_bytes() == data
