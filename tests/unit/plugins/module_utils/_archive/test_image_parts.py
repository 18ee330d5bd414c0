# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts that end where images do: what a month's change leaves as it is, by the bytes of the parts."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.build import Built, build_archive
from ansible_collections.airgap.images.plugins.module_utils._archive.output import AT_IMAGE, AT_SIZE
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import WrittenFile, most_parts
from ansible_collections.airgap.images.plugins.module_utils._base.stop import go_on
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._oci.layout import assemble
from ansible_collections.airgap.images.plugins.module_utils._save.plan import make_plan
from ansible_collections.airgap.images.tests.unit.fakes import (
    ARM64,
    Nothing,
    Sample,
    join,
    make_options,
    resolved,
    unzstd,
)

FORMS = [("gzip", None), ("gzip", 6), ("zstd", None), ("zstd", 3), ("none", None)]
IMAGES = 30
FIXED = "64KB"


def layer(seed: int, size: int) -> bytes:
    """A layer that looks compressed."""
    return b"\x1f\x8b" + hashlib.shake_128(seed.to_bytes(8, "big")).digest(size)


def length(seed: int) -> int:
    """Between 1 and 30 KB."""
    return 1_000 + int.from_bytes(hashlib.sha256(seed.to_bytes(8, "big")).digest()[:4], "big") % 29_000


BASES = [layer(seed, 20_000) for seed in range(3)]


def image(number: int, release: int = 0) -> tuple[str, list[Sample]]:
    """An image of two platforms on one of three bases, with layers of its own that each release renews."""
    seeds = range(1000 * number + 10 * release, 1000 * number + 10 * release + 3)
    own = [layer(seed, length(seed)) for seed in seeds]
    plain = f"text of {number} {release} ".encode() * (length(number) // 15)
    return f"reg.lan/app{number}:1", [Sample(BASES[number % 3], *own[:2], plain), Sample(own[2], plain, platform=ARM64)]


MONTH = [image(number) for number in range(IMAGES)]


ALL = [*MONTH, image(4, 1), image(11, 1), image(22, 1), image(50), image(99)]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cache]:
    cache = Cache(str(tmp_path_factory.mktemp("images") / "cache"))
    with cache.opened(0):
        for digest, data in (
            (digest, data) for _name, each in ALL for one in each for digest, data in one.blobs.items()
        ):
            Path(cache.blobs.path(digest)).write_bytes(data)
        yield cache


def build(cache: Cache, folder: Path, images: Iterable[tuple[str, Sequence[Sample]]], **options: Any) -> Built:
    saved = [assemble(resolved(name, *samples), [one.stored for one in samples]) for name, samples in images]
    folder.mkdir(parents=True)
    output = make_options(folder, **options).output
    return build_archive(iter(saved), cache.blobs, output, str(folder), Nothing(), check=go_on)


def decompress(compress: str, raw: bytes) -> bytes:
    if compress == "gzip":
        return gzip.decompress(raw)
    return unzstd(raw) if compress == "zstd" else raw


def carried(before: Sequence[WrittenFile], after: Sequence[WrittenFile]) -> int:
    """Bytes of the parts that were not there before, under any number."""
    known = {file.sha256 for file in before}
    return sum(file.size for file in after if file.sha256 not in known)


@pytest.mark.parametrize(("compress", "level"), FORMS)
def test_one_image_of_thirty_changes_its_own_part_and_the_last(
    cache: Cache, tmp_path: Path, compress: str, level: int | None
) -> None:
    form: dict[str, Any] = {"compress": compress, "compress_level": level, "part_at": AT_IMAGE}
    before = build(cache, tmp_path / "before", MONTH, **form).files
    after = build(cache, tmp_path / "after", [*MONTH[:11], image(11, 1), *MONTH[12:]], **form).files
    assert len(before) == len(after) == IMAGES + 2
    assert [number for number, (old, new) in enumerate(zip(before, after)) if old.sha256 != new.sha256] == [12, 31]


@pytest.mark.parametrize(("compress", "level"), FORMS)
def test_an_image_more_and_one_less_only_shift_numbers(
    cache: Cache, tmp_path: Path, compress: str, level: int | None
) -> None:
    form: dict[str, Any] = {"compress": compress, "compress_level": level, "part_at": AT_IMAGE}
    before = [file.sha256 for file in build(cache, tmp_path / "before", MONTH, **form).files]
    after = [file.sha256 for file in build(cache, tmp_path / "more", [image(99), *MONTH], **form).files]
    # The first image on a base brings it: the new one is on that of the old first one, which has it no longer.
    assert [*after[:1], *after[3:-1]] == [*before[:1], *before[2:-1]]
    assert before[1] not in after
    after = [file.sha256 for file in build(cache, tmp_path / "less", [*MONTH[:20], *MONTH[21:]], **form).files]
    assert after[:-1] == [*before[:21], *before[22:-1]]
    turned = [*MONTH[:9], MONTH[10], MONTH[9], *MONTH[11:]]
    after = [file.sha256 for file in build(cache, tmp_path / "turned", turned, **form).files]
    assert after[:-1] == [*before[:10], before[11], before[10], *before[12:-1]]


@pytest.mark.parametrize("part_size", [None, "20KB"])
@pytest.mark.parametrize(("compress", "level"), FORMS)
def test_the_content_is_that_of_a_single_file(
    cache: Cache, tmp_path: Path, compress: str, level: int | None, part_size: str | None
) -> None:
    form: dict[str, Any] = {"compress": compress, "compress_level": level}
    [whole] = build(cache, tmp_path / "whole", MONTH, **form).files
    cut = build(cache, tmp_path / "cut", MONTH, **form, part_at=AT_IMAGE, part_size=part_size).files
    raw = join(file.path for file in cut)
    assert decompress(compress, raw) == decompress(compress, Path(whole.path).read_bytes())
    if part_size is not None:
        assert max(file.size for file in cut) == 20_000
        by_image = build(cache, tmp_path / "images", MONTH, **form, part_at=AT_IMAGE).files
        assert len(cut) == sum(-(-file.size // 20_000) for file in by_image)


@pytest.mark.parametrize("compress", ["gzip", "zstd", "none"])
def test_each_blob_is_read_from_the_part_of_its_image_alone(cache: Cache, tmp_path: Path, compress: str) -> None:
    built = build(cache, tmp_path / "new", MONTH, compress=compress, part_at=AT_IMAGE)
    assert set(built.offsets) == set(built.blobs)
    starts = [0]
    for file in built.files:
        starts.append(starts[-1] + file.size)
    for number, (_name, samples) in enumerate(MONTH[3:], start=4):
        for digest, data in ((digest, data) for sample in samples for digest, data in sample.blobs.items()):
            at = built.offsets[digest]
            if data in BASES or not starts[number] <= at.position < starts[number + 1]:
                assert data in BASES or data.startswith(b"{"), "a layer of its own is in another part"
                continue
            raw = Path(built.files[number].path).read_bytes()[at.position - starts[number] :]
            if compress == "gzip":
                raw = zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw)
            elif compress == "zstd":
                raw = unzstd(raw)
            assert raw[at.skip : at.skip + len(data)] == data


@pytest.mark.parametrize("compress", ["gzip", "zstd", "none"])
def test_no_part_is_larger_than_was_foreseen(cache: Cache, tmp_path: Path, compress: str) -> None:
    """By that, a run that would make too many parts, or one that is too large, ends before the first byte."""
    twice = [*MONTH, *MONTH[:3], image(50)]
    listed = [resolved(name, *samples) for name, samples in twice]
    plan = make_plan(
        listed,
        stored=lambda _image: None,
        is_accepted=lambda _image: True,
        has_blob=lambda _blob: True,
        fetched={},
    )
    pieces = plan.pieces_of(AT_IMAGE)
    files = build(cache, tmp_path / "new", twice, compress=compress, part_at=AT_IMAGE).files
    assert len(files) == IMAGES + 3 <= most_parts(pieces, None) == len([size for size in pieces if size])
    foreseen = [*pieces[: IMAGES + 1], *pieces[-2:]]
    assert all(file.size <= size for file, size in zip(files, foreseen))
    if compress == "none":
        assert sum(pieces) < 1.2 * sum(file.size for file in files)


def test_an_image_that_brings_nothing_has_no_part(cache: Cache, tmp_path: Path) -> None:
    name, samples = MONTH[0]
    once = build(cache, tmp_path / "once", MONTH[:2], part_at=AT_IMAGE).files
    again = build(cache, tmp_path / "again", [*MONTH[:2], (f"{name}-again", samples)], part_at=AT_IMAGE).files
    assert [file.sha256 for file in again[:-1]] == [file.sha256 for file in once[:-1]]
    assert again[-1].sha256 != once[-1].sha256


def test_a_month_carries_little_more_than_what_is_new(cache: Cache, tmp_path: Path) -> None:
    """Two images of thirty are new releases, one is gone, one has come: of equal parts nearly all would change."""
    later = [*MONTH[:4], image(4, 1), *MONTH[5:14], image(50), *MONTH[14:22], image(22, 1), *MONTH[23:28], MONTH[29]]
    known = {digest for _name, samples in MONTH for sample in samples for digest in sample.blobs}
    blobs = {digest: data for _name, samples in later for sample in samples for digest, data in sample.blobs.items()}
    form: dict[str, Any] = {"compress": "zstd"}
    new = sum(len(data) for digest, data in blobs.items() if digest not in known and data.startswith(b"\x1f\x8b"))

    def share(name: str, **options: Any) -> float:
        before = build(cache, tmp_path / name / "before", MONTH, **form, **options).files
        after = build(cache, tmp_path / name / "after", later, **form, **options).files
        return carried(before, after) / new

    assert share("image", part_at=AT_IMAGE) < 1.15
    assert share("size", part_at=AT_SIZE, part_size=FIXED) > 5
