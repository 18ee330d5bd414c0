# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives that are incomplete, damaged or wrong: each blob comes out right, or not to its end, with the reason."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.offsets import Offset
from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    ImagesError,
    Interrupted,
    StorageError,
    printable,
)
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import digest_of
from ansible_collections.airgap.images.plugins.module_utils._source.archive import Archive
from ansible_collections.airgap.images.plugins.module_utils._source.errors import (
    DamagedPart,
    MissingBlob,
    MissingPart,
    SourceError,
    SourceGone,
    WrongLock,
    WrongOffset,
)
from ansible_collections.airgap.images.tests.unit.carried import LONG, ONE, Carried, carry, change, opened

IN_PARTS = ("gzip in parts", "zstd in parts", "none in parts")
STREAMS = (*IN_PARTS, "gzip level 6", "zstd level 3")
EMPTY = digest_of(b"")
LONG_DIGEST = next(digest for digest, raw in ONE.blobs.items() if raw == LONG)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Carried]:
    made: dict[str, Carried] = {}

    def get(form: str) -> Carried:
        if form not in made:
            made[form] = carry(tmp_path_factory.mktemp("carried"), form)
        return made[form]

    return get


@pytest.fixture
def make(originals: Callable[[str], Carried], tmp_path: Path) -> Callable[[str], Carried]:
    """A copy of an archive, to be spoilt."""

    def copy(form: str) -> Carried:
        original = originals(form)
        shutil.copytree(original.dest.parent, tmp_path / "copy", symlinks=True)
        return replace(original, dest=tmp_path / "copy" / original.dest.name)

    return copy


def outcome(archive: Archive, carried: Carried) -> dict[str, ImagesError]:
    """Read every blob, and return the errors; what comes without one is right."""
    failed: dict[str, ImagesError] = {}
    for digest, content in carried.blobs.items():
        with archive.open_blob(digest) as reader:
            pieces = []
            try:
                for piece in iter(lambda: reader.read(50_000), b""):  # not beyond this round
                    pieces.append(piece)
            except ImagesError as error:
                failed[digest] = error
                assert sum(map(len, pieces)) < len(content) or not content
                with pytest.raises(ImagesError) as again:
                    reader.read()
                assert again.value is error, "reading on does not start anew"
            else:
                assert b"".join(pieces) == content
    return failed


def kinds(failed: dict[str, ImagesError]) -> set[type]:
    for error in failed.values():
        assert printable(str(error), 2000) == str(error)
    return {type(error) for error in failed.values()}


@pytest.mark.parametrize("form", IN_PARTS)
def test_a_missing_part_fails_the_blobs_in_it_and_no_other(make: Callable[[str], Carried], form: str) -> None:
    carried = make(form)
    lost = carried.parts[4]
    lost.unlink()
    archive = carried.open()
    assert archive.missing_parts == (lost.name,)
    failed = outcome(archive, carried)
    assert kinds(failed) == {MissingPart}
    assert all(f"{lost.name} is missing" in str(error) for error in failed.values())
    assert LONG_DIGEST in failed and len(failed) < len(carried.blobs)
    named = {digest for digest in carried.blobs if lost.name in archive.part_of(digest)}
    assert set(failed) <= named and len(named) <= len(failed) + 1
    assert isinstance(archive.verify()[lost.name], MissingPart)


@pytest.mark.parametrize("form", ["gzip level 6", "zstd level 3"])
def test_where_all_is_one_stretch_a_missing_part_fails_what_is_behind_it(
    make: Callable[[str], Carried], form: str
) -> None:
    carried = make(form)
    carried.parts[3].unlink()
    failed = outcome(carried.open(), carried)
    assert kinds(failed) == {MissingPart} and len(failed) < len(carried.blobs)
    seen = []
    with pytest.raises(MissingPart, match=carried.parts[3].name):
        for digest, reader in carried.open().in_stream_order(carried.blobs):
            assert reader.read() == carried.blobs[digest]
            seen.append(digest)
    assert set(seen) - {EMPTY} == set(carried.blobs) - set(failed) - {EMPTY}


@pytest.mark.parametrize("form", STREAMS)
def test_a_damaged_part_is_named(make: Callable[[str], Carried], form: str) -> None:
    carried = make(form)
    spoilt = carried.parts[3]
    change(spoilt, spoilt.stat().st_size // 2)
    archive = carried.open()
    failed = outcome(archive, carried)
    assert kinds(failed) == {DamagedPart}
    assert all(f"{spoilt} is damaged: it has another sha256" in str(error) for error in failed.values())
    assert LONG_DIGEST in failed and len(failed) < len(carried.blobs)
    assert set(archive.verify()) == {spoilt.name}


@pytest.mark.parametrize("form", STREAMS)
def test_a_part_that_is_cut_off_is_named(make: Callable[[str], Carried], form: str) -> None:
    carried = make(form)
    cut = carried.parts[3]
    os.truncate(cut, 1000)
    failed = outcome(carried.open(), carried)
    assert kinds(failed) == {DamagedPart}
    assert all(f"{cut} is damaged: it has 1000 bytes instead of" in str(error) for error in failed.values())


def test_a_damaged_file_of_a_directory_is_named(make: Callable[[str], Carried]) -> None:
    carried = make("dir")
    path = carried.dest / "share" / "sha256" / LONG_DIGEST[7:]
    change(path, 600_000)
    archive = carried.open()
    failed = outcome(archive, carried)
    assert kinds(failed) == {DamagedPart} and [*failed] == [LONG_DIGEST]
    assert set(archive.verify()) == {f"share/sha256/{LONG_DIGEST[7:]}"}
    os.truncate(path, 5)
    assert "it has 5 bytes instead of" in str(outcome(carried.open(), carried)[LONG_DIGEST])
    path.unlink()
    assert kinds(outcome(carried.open(), carried)) == {MissingBlob}


WRONG: dict[str, Callable[[Lock], dict[str, Offset]]] = {
    "all of one blob": lambda lock: dict.fromkeys(lock.offsets, lock.offsets[LONG_DIGEST]),
    "beyond the end": lambda lock: dict.fromkeys(lock.offsets, Offset(2**62, 0)),
    "a huge skip": lambda lock: {d: replace(at, skip=2**62) for d, at in lock.offsets.items()},
    "a long skip": lambda lock: {d: replace(at, skip=2**23) for d, at in lock.offsets.items()},
    "within the header": lambda lock: dict.fromkeys(lock.offsets, Offset(3, 0)),
    "the very start": lambda lock: dict.fromkeys(lock.offsets, Offset(0, 0)),
    "one byte early": lambda lock: {d: replace(at, position=max(0, at.position - 1)) for d, at in lock.offsets.items()},
    "some are missing": lambda lock: dict([*lock.offsets.items()][::2]),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("form", IN_PARTS)
def test_wrong_offsets_are_corrected(make: Callable[[str], Carried], form: str, kind: str) -> None:
    carried = make(form)
    carried.write_lock(offsets=WRONG[kind](carried.lock))
    archive = carried.open()
    corrected = 0
    for digest, content in carried.blobs.items():
        with archive.open_blob(digest) as reader:
            try:
                found = reader.read()
            except WrongOffset:
                corrected += 1
                reader.seek(0)
                found = reader.read()
            assert found == content
    assert corrected or kind in ("some are missing", "beyond the end", "a huge skip")
    assert archive.has_offsets is (form == "none in parts")
    assert archive.document(ONE.image.digest) == ONE.raw


def test_a_document_with_a_wrong_offset_is_read_at_once(make: Callable[[str], Carried]) -> None:
    carried = make("gzip in parts")
    carried.write_lock(offsets={**carried.lock.offsets, ONE.image.digest: Offset(10, 77)})
    assert carried.open().document(ONE.image.digest) == ONE.raw


@pytest.mark.parametrize("form", STREAMS)
def test_a_blob_that_only_the_lock_file_knows(make: Callable[[str], Carried], form: str) -> None:
    carried = make(form)
    invented = f"sha256:{64 * '5'}"
    for offsets in ({}, {invented: Offset(10, 512)}):
        carried.write_lock(blobs={**carried.lock.blobs, invented: 100}, offsets={**carried.lock.offsets, **offsets})
        with (
            pytest.raises(MissingBlob, match="which its lock file lists"),
            carried.open().open_blob(invented) as reader,
        ):
            reader.read()


@pytest.mark.parametrize("form", [*STREAMS, "dir"])
@pytest.mark.parametrize("size", [0, 1, len(LONG) - 1, len(LONG) + 1, 2**62])
def test_a_lock_file_with_a_wrong_size(make: Callable[[str], Carried], form: str, size: int) -> None:
    carried = make(form)
    carried.write_lock(blobs={**carried.lock.blobs, LONG_DIGEST: size})
    archive = carried.open()
    with archive.open_blob(LONG_DIGEST) as reader:
        for _try in range(2):
            reader.seek(0)
            taken = 0
            with pytest.raises((WrongLock, DamagedPart)):
                while piece := reader.read(65536):
                    taken += len(piece)
            assert taken < size or size == 0


GONE = (errno.EIO, errno.ENODEV, errno.ENOENT, errno.ESTALE)


@pytest.mark.parametrize("number", GONE, ids=errno.errorcode.get)
@pytest.mark.parametrize("form", ["gzip in parts", "zstd level 3", "dir"])
def test_a_stick_that_goes_away_is_not_damage(
    make: Callable[[str], Carried], monkeypatch: pytest.MonkeyPatch, form: str, number: int
) -> None:
    carried = make(form)
    archive = carried.open()

    def fail(*_arguments: Any) -> bytes:
        raise OSError(number, os.strerror(number))

    with archive.open_blob(LONG_DIGEST) as reader:
        if form != "zstd level 3":
            reader.read(1)
            reader.seek(0)
        for call in ("pread", "preadv"):
            monkeypatch.setattr(os, call, fail)
        with pytest.raises(SourceGone, match="cannot be read any more"):
            reader.read()
    if form == "zstd level 3":
        with pytest.raises(SourceGone):
            next(archive.in_stream_order([LONG_DIGEST]))


@pytest.mark.parametrize("form", ["gzip in parts", "dir"])
def test_files_that_vanish_end_the_run_too(make: Callable[[str], Carried], form: str) -> None:
    carried = make(form)
    archive = carried.open()
    shutil.rmtree(carried.dest.parent)
    with pytest.raises(SourceGone), archive.open_blob(LONG_DIGEST) as reader:
        reader.read()


def test_a_file_that_may_not_be_read_is_another_matter(
    make: Callable[[str], Carried], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = make("gzip in parts").open()

    def refuse(*_arguments: Any) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    for call in ("pread", "preadv"):
        monkeypatch.setattr(os, call, refuse)
    with pytest.raises(StorageError, match="Permission denied"), archive.open_blob(LONG_DIGEST) as reader:
        reader.read()


@pytest.mark.parametrize("form", ["gzip in parts", "zstd level 3", "dir"])
def test_a_stop_ends_reading(make: Callable[[str], Carried], form: str) -> None:
    carried, stop = make(form), Stop()
    archive = opened(carried.lock_file, stop=stop)
    stop.request("SIGTERM came")
    with pytest.raises(Interrupted, match="SIGTERM came"), archive.open_blob(LONG_DIGEST) as reader:
        reader.read()


def test_a_part_that_is_a_link_or_a_fifo_is_not_read(make: Callable[[str], Carried]) -> None:
    carried = make("gzip in parts")
    first, second = carried.parts[3], carried.parts[4]
    size = first.stat().st_size
    first.rename(first.with_suffix(".away"))
    first.symlink_to(first.with_suffix(".away"))
    assert first.stat().st_size == size
    second.unlink()
    os.mkfifo(second)
    archive = carried.open()
    failed = outcome(archive, carried)
    assert failed and kinds(failed) == {StorageError}
    assert any("it is a link" in str(error) for error in failed.values())


@pytest.mark.parametrize("form", ["gzip in parts", "zstd level 3"])
def test_without_lock_and_checksums_damage_is_noticed_all_the_same(make: Callable[[str], Carried], form: str) -> None:
    carried = make(form)
    carried.strip_lock()
    change(carried.parts[3], 5000)
    try:
        archive = carried.open(carried.parts[0])
    except SourceError as error:
        assert isinstance(error, DamagedPart) and "is damaged" in str(error)  # one of two outcomes
        return
    failed = outcome(archive, replace(carried, blobs={d: carried.blobs[d] for d in archive.lock.blobs}))
    assert kinds(failed) == {DamagedPart}


def test_without_lock_file_a_missing_part_is_named(make: Callable[[str], Carried]) -> None:
    carried = make("gzip in parts")
    carried.strip_lock()
    carried.parts[5].unlink()
    with pytest.raises(MissingPart, match=f"{carried.parts[5].name} is missing"):
        carried.open(carried.parts[0])
