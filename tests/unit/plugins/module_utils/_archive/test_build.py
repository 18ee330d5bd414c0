# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One archive, from cache to files."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive import build as build_module
from ansible_collections.airgap.images.plugins.module_utils._archive.build import Built, build_archive
from ansible_collections.airgap.images.plugins.module_utils._archive.compress import make_encoder
from ansible_collections.airgap.images.plugins.module_utils._archive.encoder import BUFFER, CHUNK, Encoder
from ansible_collections.airgap.images.plugins.module_utils._archive.members import write_members
from ansible_collections.airgap.images.plugins.module_utils._archive.part_files import PartWriter
from ansible_collections.airgap.images.plugins.module_utils._archive.tar import TarWriter
from ansible_collections.airgap.images.plugins.module_utils._base.buffers import Buffers
from ansible_collections.airgap.images.plugins.module_utils._base.errors import DamagedBlobError, Interrupted
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop, go_on
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._oci.layout import SavedImage, assemble
from ansible_collections.airgap.images.plugins.module_utils._save.plan import make_plan
from ansible_collections.airgap.images.tests.unit.fakes import (
    ARM64,
    Nothing,
    Sample,
    join,
    make_options,
    names_below,
    resolved,
    unzstd,
)

BASE = gzip.compress(b"base layer" * 1000, mtime=0)
PLAIN = b"plain layer " * 10_000
ONE, TWO = Sample(BASE, PLAIN), Sample(BASE, platform=ARM64)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    cache = Cache(str(tmp_path / "cache"))
    with cache.opened(0):
        for sample in (ONE, TWO):
            sample.put(cache)
        yield cache


def images() -> list[SavedImage]:
    return [assemble(resolved("a", ONE, TWO), [ONE.stored, TWO.stored]), assemble(resolved("b:1", TWO), [TWO.stored])]


def build(cache: Cache, folder: Path, **options: Any) -> Built:
    folder.mkdir(parents=True, exist_ok=True)
    output = make_options(folder, **options).output
    return build_archive(iter(images()), cache.blobs, output, str(folder), Nothing(), check=go_on)


def decompress(compress: str, raw: bytes) -> bytes:
    if compress == "gzip":
        return gzip.decompress(raw)
    return unzstd(raw) if compress == "zstd" else raw


@pytest.mark.parametrize("part_size", [None, "7KB", "1M"])
@pytest.mark.parametrize(
    ("compress", "level"), [("gzip", None), ("gzip", 9), ("zstd", None), ("zstd", 3), ("none", None)]
)
def test_the_parts_joined_are_the_archive(
    cache: Cache, tmp_path: Path, compress: str, level: int | None, part_size: str | None
) -> None:
    built = build(cache, tmp_path / "new", compress=compress, compress_level=level, part_size=part_size)
    raw = join(file.path for file in built.files)
    assert built.size == len(raw)
    with tarfile.open(fileobj=io.BytesIO(decompress(compress, raw))) as archive:
        for member in archive.getmembers():
            folder, _slash, name = member.name.rpartition("/")
            if folder.endswith("share/sha256"):
                file = archive.extractfile(member)
                assert file is not None
                assert hashlib.sha256(file.read()).hexdigest() == name
    for file in built.files:
        assert hashlib.sha256(Path(file.path).read_bytes()).hexdigest() == file.sha256


@pytest.mark.parametrize("compress", ["gzip", "zstd", "none"])
def test_the_same_images_give_the_same_bytes(cache: Cache, tmp_path: Path, compress: str) -> None:
    other = Cache(str(tmp_path / "other"))
    with other.opened(0):
        for sample in (TWO, ONE):
            sample.put(other)
        first, second = (
            build(one, tmp_path / name, compress=compress) for one, name in ((cache, "first"), (other, "second"))
        )
    assert [file.sha256 for file in first.files] == [file.sha256 for file in second.files]


def test_parts_do_not_change_the_bytes(cache: Cache, tmp_path: Path) -> None:
    [whole] = build(cache, tmp_path / "one").files
    parts = build(cache, tmp_path / "two", part_size="500B").files
    assert len(parts) > 3
    assert join(file.path for file in parts) == Path(whole.path).read_bytes()


@pytest.mark.parametrize("part_at", [None, "image"])
@pytest.mark.parametrize("part_size", [None, "9KB"])
@pytest.mark.parametrize(
    ("compress", "level"), [("gzip", None), ("gzip", 0), ("gzip", 9), ("zstd", None), ("zstd", 3), ("none", None)]
)
def test_handing_over_many_pieces_at_once_does_not_change_them(
    tmp_path: Path, compress: str, level: int | None, part_size: str | None, part_at: str | None
) -> None:
    """Compared with the same archive written on one thread, piece by piece: its bytes, parts and offsets."""
    samples = [Sample(BASE, PLAIN[: number * 7_000], b"\x1f\x8b" + bytes(number * 5_000)) for number in range(20)]
    samples.append(Sample(gzip.compress(os.urandom(2 * CHUNK), 0, mtime=0), bytes(CHUNK)))
    cache = Cache(str(tmp_path / "cache"))
    with cache.opened(0):
        for sample in samples:
            sample.put(cache)
        saved = [assemble(resolved(f"a:{number}", one), [one.stored]) for number, one in enumerate(samples)]
        output = make_options(
            tmp_path, compress=compress, compress_level=level, part_size=part_size, part_at=part_at
        ).output
        for name in ("threads", "alone"):
            (tmp_path / name).mkdir()
        built = build_archive(iter(saved), cache.blobs, output, str(tmp_path / "threads"), Nothing(), check=go_on)
        parts = PartWriter(str(tmp_path / "alone"), output.part_size)
        encoder = make_encoder(compress, level, parts, Buffers(BUFFER))
        tar = TarWriter(encoder if part_at else WithoutImages(encoder), cache.blobs.is_checked)
        write_members(saved, cache.blobs, tar)
        tar.finish()
        parts.finish()
    assert [(one.size, one.sha256) for one in built.files] == [(one.size, one.sha256) for one in parts.files.written]
    offsets = {digest: encoder.offset_of(plain) for digest, plain in tar.contents()}
    assert built.offsets == {digest: offset for digest, offset in offsets.items() if offset is not None}


class WithoutImages:
    """An encoder that does not hear of the ends of images."""

    def __init__(self, encoder: Encoder) -> None:
        self.write, self.end_blob, self.finish = encoder.write, encoder.end_blob, encoder.finish

    def end_image(self) -> None:
        pass


@pytest.mark.parametrize(("compress", "flag"), [("gzip", "-z"), ("none", "")])
def test_tar_unpacks_it(cache: Cache, tmp_path: Path, compress: str, flag: str) -> None:
    [file] = build(cache, tmp_path / "new", compress=compress).files
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run([arg for arg in ("tar", "-C", str(out), flag, "-xf", file.path) if arg], check=True)
    assert (out / "saved-image-cache/blobs/sha256" / ONE.image.folder).read_bytes() == ONE.raw


def test_a_directory_holds_the_same_files(cache: Cache, tmp_path: Path) -> None:
    built = build(cache, tmp_path / "dir", compress="dir")
    [file] = build(cache, tmp_path / "tar", compress="none").files
    with tarfile.open(file.path) as archive:
        names = sorted(member.name.partition("/")[2] for member in archive.getmembers())
    root = tmp_path / "dir" / "images"
    assert names_below(root) == names[1:]
    assert sorted(one.name for one in built.tree or ()) == sorted(
        str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and "blobs" not in path.parts
    )
    assert os.readlink(root / "blobs") == "share"


@pytest.mark.parametrize("compress", ["gzip", "none", "dir"])
def test_a_damaged_blob_ends_it(cache: Cache, tmp_path: Path, compress: str) -> None:
    Path(cache.blobs.path(ONE.image.blobs[-1].digest)).write_bytes(PLAIN[:-1] + b"x")
    with pytest.raises(DamagedBlobError):
        build(cache, tmp_path / "new", compress=compress)


def test_an_error_of_a_copy_ends_it(cache: Cache, tmp_path: Path) -> None:
    def ready() -> Iterator[SavedImage]:
        yield images()[0]
        raise KeyError("copy")

    (tmp_path / "new").mkdir()
    with pytest.raises(KeyError, match="copy"):
        build_archive(
            ready(), cache.blobs, make_options(tmp_path).output, str(tmp_path / "new"), Nothing(), check=go_on
        )


@pytest.mark.parametrize("compress", ["gzip", "none"])
@pytest.mark.parametrize("tags", [1, 200])
def test_the_plan_estimates_no_less(cache: Cache, tmp_path: Path, compress: str, tags: int) -> None:
    many = [resolved(f"a:{number}", ONE, number=number) for number in range(1, tags + 1)]
    plan = make_plan(
        many, stored=cache.folders.stored, is_accepted=cache.acceptances.has, has_blob=cache.blobs.has, fetched={}
    )
    (tmp_path / "new").mkdir()
    output = make_options(tmp_path, compress=compress).output
    saved = [assemble(one, [ONE.stored]) for one in many]
    assert (
        build_archive(saved, cache.blobs, output, str(tmp_path / "new"), Nothing(), check=go_on).size
        <= plan.archive_bytes
    )


@pytest.mark.parametrize("compress", ["gzip", "zstd", "none", "dir"])
def test_a_stop_ends_it_at_the_next_image(cache: Cache, tmp_path: Path, compress: str) -> None:
    """No thread and no open file is left, which the directory's owner removes."""
    threads, stop = threading.active_count(), Stop()

    def ready() -> Iterator[SavedImage]:
        stop.request("SIGTERM came")
        yield from images()

    (tmp_path / "new").mkdir()
    output = make_options(tmp_path, compress=compress).output
    with pytest.raises(Interrupted, match="SIGTERM came"):
        build_archive(ready(), cache.blobs, output, str(tmp_path / "new"), Nothing(), check=stop.check)
    assert threading.active_count() == threads
    targets = [os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    assert not [target for target in targets if target.startswith(str(tmp_path / "new"))]


@pytest.mark.parametrize("compress", ["gzip", "zstd", "none"])
def test_memory_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compress: str) -> None:
    """As many buffers as the stages have in hand, however large the blobs are; all of them come back."""
    made: list[int] = []

    class Counted(Buffers):
        def take(self) -> memoryview:
            if not self._free:
                made.append(self._length)
            return super().take()

    monkeypatch.setattr(build_module, "Buffers", Counted)
    large = Sample(gzip.compress(os.urandom(60 * CHUNK), 0, mtime=0), bytes(20 * CHUNK))
    cache = Cache(str(tmp_path / "cache"))
    with cache.opened(0):
        large.put(cache)
        output = make_options(tmp_path, compress=compress).output
        (tmp_path / "new").mkdir()
        saved = [assemble(resolved("a", large), [large.stored])]
        build_archive(iter(saved), cache.blobs, output, str(tmp_path / "new"), Nothing(), check=go_on)
    assert 0 < len(made) <= 20
