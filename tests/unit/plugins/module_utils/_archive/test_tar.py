# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tar stream."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive import tar
from ansible_collections.airgap.images.plugins.module_utils._archive.encoder import CHUNK
from ansible_collections.airgap.images.plugins.module_utils._archive.tar import TarWriter, checked_chunks
from ansible_collections.airgap.images.plugins.module_utils._base.errors import DamagedBlobError
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor
from ansible_collections.airgap.images.tests.unit.fakes import DAMAGED_BLOBS, describe

GIB = 2**30


class Recorder:
    """An encoder that keeps what it gets."""

    def __init__(self) -> None:
        self.data = b""
        self.stored: list[tuple[int, bool]] = []
        self.ends: list[int] = []
        self.image_ends: list[int] = []
        self.finished = False

    def write(self, data: bytes, *, stored: bool) -> None:
        self.data += data
        self.stored.append((len(data), stored))

    def end_blob(self) -> None:
        self.ends.append(len(self.data))

    def end_image(self) -> None:
        self.image_ends.append(len(self.data))

    def finish(self) -> None:
        self.finished = True


def put(folder: Path, data: bytes) -> tuple[str, Descriptor]:
    path = folder / hashlib.sha256(data).hexdigest()
    path.write_bytes(data)
    return str(path), describe(data)


def sample(folder: Path) -> bytes:
    recorder = Recorder()
    writer = TarWriter(recorder)
    path, blob = put(folder, b"blob" * 300)
    writer.directory("root")
    writer.document("root/index.json", b"{}")
    writer.blob("root/blob", path, blob)
    writer.link("root/blobs", "share")
    writer.finish()
    assert recorder.finished
    return recorder.data


def test_members_are_the_same_on_every_host(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(sample(tmp_path))) as archive:
        members = archive.getmembers()
        assert [(m.name, m.type, m.mode, m.size, m.linkname) for m in members] == [
            ("root", tarfile.DIRTYPE, 0o755, 0, ""),
            ("root/index.json", tarfile.REGTYPE, 0o644, 2, ""),
            ("root/blob", tarfile.REGTYPE, 0o644, 1200, ""),
            ("root/blobs", tarfile.SYMTYPE, 0o777, 0, "share"),
        ]
        assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {(0, 0, "", "", 315532800)}
        file = archive.extractfile("root/blob")
        assert file is not None
        assert file.read() == b"blob" * 300


def test_the_bytes_depend_on_the_content_alone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = sample(tmp_path / "a")
    os.umask(os.umask(0o077))
    assert sample(tmp_path / "b") == first
    assert hashlib.sha256(first).hexdigest() == hashlib.sha256(sample(tmp_path / "a")).hexdigest()


def test_tar_itself_reads_it(tmp_path: Path) -> None:
    done = subprocess.run(["tar", "-tvf", "-"], input=sample(tmp_path), check=True, capture_output=True)
    assert done.stderr == b""
    assert [line.split()[-1] for line in done.stdout.decode().splitlines()] == [
        "root/",
        "root/index.json",
        "root/blob",
        "share",
    ]


def test_directories_end_in_a_slash(tmp_path: Path) -> None:
    assert sample(tmp_path).startswith(b"root/\0")


@given(st.lists(st.integers(0, 30_000), max_size=4))
def test_the_end_is_that_of_tar(sizes: list[int]) -> None:
    recorder = Recorder()
    writer = TarWriter(recorder)
    for number, size in enumerate(sizes):
        writer.document(f"file{number}", bytes(size))
    writer.finish()
    assert len(recorder.data) % (20 * 512) == 0
    assert recorder.data.endswith(bytes(1024))
    with tarfile.open(fileobj=io.BytesIO(recorder.data)) as archive:
        assert [member.size for member in archive.getmembers()] == sizes


@pytest.mark.parametrize("size", [8 * GIB - 1, 8 * GIB, 100 * GIB, 5000 * GIB])
def test_large_members_have_a_header_that_can_be_read(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar, "checked_chunks", lambda *_arguments: iter(()))
    recorder = Recorder()
    TarWriter(recorder).blob("saved-image-cache/x", "/none", Descriptor("", "sha256:" + "ab" * 32, size))
    header = tarfile.TarInfo.frombuf(recorder.data[:512], "utf-8", "strict")
    assert (header.name, header.size) == ("saved-image-cache/x", size)
    assert len(recorder.data) == 512 + -size % 512


HINTS: dict[str, tuple[bytes, bool]] = {
    "gzip": (b"\x1f\x8b" + bytes(2 * CHUNK), True),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(10), True),
    "plain": (bytes(2 * CHUNK), False),
}


@pytest.mark.parametrize(("data", "stored"), HINTS.values(), ids=HINTS)
def test_only_compressed_blobs_are_stored(tmp_path: Path, data: bytes, stored: bool) -> None:
    path, blob = put(tmp_path, data)
    recorder = Recorder()
    TarWriter(recorder).blob("x", path, blob)
    header, *chunks, padding = recorder.stored
    assert header == (512, False)
    assert padding[1] is False
    assert {hint for _length, hint in chunks} == {stored}
    assert sum(length for length, _hint in chunks) == len(data)


def test_a_sound_blob_is_read_whole(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000
    path, blob = put(tmp_path, data)
    chunks = list(checked_chunks(path, blob))
    assert b"".join(chunks) == data
    assert [len(chunk) for chunk in chunks[:-1]] == [CHUNK] * (len(chunks) - 1)


def test_an_empty_blob_is_sound(tmp_path: Path) -> None:
    assert list(checked_chunks(*put(tmp_path, b""))) == []


def test_what_was_checked_is_not_hashed_again(tmp_path: Path) -> None:
    """Seen by bytes of another hash, which are taken for what was checked."""
    path, _blob = put(tmp_path, b"123456780")
    blob = describe(b"123456789")
    asked: list[str] = []

    def is_checked(digest: str, descriptor: int) -> bool:
        assert os.path.samestat(os.fstat(descriptor), os.stat(path))
        asked.append(digest)
        return True

    assert b"".join(checked_chunks(path, blob, is_checked)) == b"123456780"
    assert asked == [blob.digest] * 2, "before and after it is read"
    Path(path).write_bytes(b"12345678")
    with pytest.raises(DamagedBlobError, match="it has 8 bytes instead of 9"):
        list(checked_chunks(path, blob, is_checked))


def test_what_is_touched_while_it_is_read_is_not_taken_for_checked(tmp_path: Path) -> None:
    path, blob = put(tmp_path, b"data")
    answers = [True, False]
    with pytest.raises(DamagedBlobError, match="it was touched while it was read"):
        list(checked_chunks(path, blob, lambda _digest, _descriptor: answers.pop(0)))


@pytest.mark.parametrize(("data", "said"), DAMAGED_BLOBS.values(), ids=DAMAGED_BLOBS)
def test_damage_is_noticed(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "blob"
    path.write_bytes(data)
    blob = describe(b"123456789")
    with pytest.raises(DamagedBlobError) as caught:
        list(checked_chunks(str(path), blob))
    assert caught.value.digest == blob.digest
    assert str(caught.value).endswith(said)


@pytest.mark.parametrize("kind", ["missing", "directory", "link"])
def test_anything_but_a_file_is_damaged(tmp_path: Path, kind: str) -> None:
    path, blob = put(tmp_path, b"data")
    place = tmp_path / "place"
    if kind == "directory":
        place.mkdir()
    elif kind == "link":
        place.symlink_to(path)
    with pytest.raises(DamagedBlobError):
        list(checked_chunks(str(place), blob))


@pytest.mark.parametrize(
    ("mode", "becomes"),
    [(0o600, 0o600), (0o644, 0o644), (0o664, 0o664), (0o666, 0o644), (0o4755, 0o644), (0o2644, 0o644), (0o1644, 0o644)],
)
def test_a_mode_that_would_do_harm_is_taken_away(tmp_path: Path, mode: int, becomes: int) -> None:
    """A directory shares the file."""
    path, blob = put(tmp_path, b"blob")
    os.chmod(path, mode)
    list(checked_chunks(path, blob))
    assert stat.S_IMODE(os.stat(path).st_mode) == becomes


def test_the_mode_of_a_file_that_is_no_blob_is_left(tmp_path: Path) -> None:
    """It may be a second name of somebody else's."""
    path, blob = put(tmp_path, b"blob")
    Path(path).write_bytes(b"glob")
    mode = 0o4755
    os.chmod(path, mode)
    with pytest.raises(DamagedBlobError):
        list(checked_chunks(path, blob))
    assert stat.S_IMODE(os.stat(path).st_mode) == mode
