# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives of every form, read where they are."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._source.errors import MissingBlob, SourceError
from ansible_collections.airgap.images.tests.unit.carried import FORMS, LONG, ONE, TWO, Carried, carry

WITHOUT_OFFSETS = frozenset({"gzip level 6", "zstd level 3"})


@pytest.fixture(scope="module", params=FORMS)
def carried(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Carried:
    return carry(tmp_path_factory.mktemp("carried"), request.param)


def test_every_blob_is_read_by_its_digest(carried: Carried) -> None:
    archive = carried.open()
    for digest, content in carried.blobs.items():
        with archive.open_blob(digest) as reader:
            assert reader.size == len(content)
            assert reader.read() == content
            assert reader.read() == reader.read(5) == b""


def test_the_lock_is_that_of_the_archive(carried: Carried) -> None:
    archive = carried.open()
    assert archive.lock == carried.lock
    assert archive.images == carried.lock.images
    compress, level = carried.lock.options["compress"], carried.lock.options["compress_level"]
    assert archive.has_offsets is (level is None)
    assert bool(archive.lock.offsets) is (level is None and compress != "dir")


def test_documents_are_read_whole(carried: Carried) -> None:
    archive = carried.open()
    for digest in (ONE.image.digest, TWO.image.digest, carried.lock.images[1].digest):
        assert archive.document(digest) == carried.blobs[digest]


def test_many_documents_at_once(carried: Carried) -> None:
    """In any order, each once, and without what the archive does not have."""
    wanted = [*sorted(carried.blobs, reverse=True), min(carried.blobs), f"sha256:{64 * '0'}"]
    found = list(carried.open().documents(wanted))
    assert len(found) == len(carried.blobs)
    assert dict(found) == carried.blobs


def test_all_blobs_in_one_pass(carried: Carried) -> None:
    found = {digest: reader.read() for digest, reader in carried.open().in_stream_order(carried.blobs)}
    assert found == carried.blobs


def test_some_blobs_in_one_pass_of_which_one_is_read_again_and_one_not_at_all(carried: Carried) -> None:
    archive = carried.open()
    wanted = random.Random(1).sample(sorted(carried.blobs), 7)  # noqa: S311  # the same every time
    for number, (digest, reader) in enumerate(archive.in_stream_order([*wanted, f"sha256:{64 * '0'}"])):
        assert digest in wanted
        wanted.remove(digest)
        if number % 3 == 0:
            continue
        content = carried.blobs[digest]
        assert reader.read(len(content) // 2) == content[: len(content) // 2]
        reader.seek(0)
        assert reader.read() == content
    assert not wanted


@pytest.mark.parametrize("amount", [1, 1000, 10**6])
def test_a_body_is_read_piece_by_piece_and_resumed(carried: Carried, amount: int) -> None:
    content = LONG if amount > 1 else carried.blobs[ONE.image.digest]
    digest = next(digest for digest, raw in carried.blobs.items() if raw == content)
    with carried.open().open_blob(digest) as reader:
        assert b"".join(iter(lambda: reader.read(amount), b"")) == content
        for place in (0, len(content) // 3, len(content) - 1, len(content)):
            assert reader.seek(place) == reader.tell() == place
            assert reader.read() == content[place:]
        assert reader.seek(0, 2) == len(content)
        assert reader.seek(-4, 1) == len(content) - 4
        assert reader.read(2) == content[-4:-2]


def test_several_threads_read_at_once(carried: Carried) -> None:
    archive = carried.open()
    wrong: list[str] = []

    def read(digest: str) -> None:
        with archive.open_blob(digest) as reader:
            if reader.read() != carried.blobs[digest]:
                wrong.append(digest)

    threads = [threading.Thread(target=read, args=(digest,)) for digest in carried.blobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_is_not_in_it(carried: Carried) -> None:
    archive, digest = carried.open(), f"sha256:{64 * '0'}"
    for ask in (archive.open_blob, archive.document, archive.part_of):
        with pytest.raises(MissingBlob, match="does not contain"):
            ask(digest)


def test_the_parts_of_a_blob_are_enough_to_read_it(carried: Carried, tmp_path: Path) -> None:
    archive = carried.open()
    for digest, content in carried.blobs.items():
        names = archive.part_of(digest)
        assert names and set(names) <= {part.name for part in carried.lock.parts}
        if content == LONG and carried.lock.offsets:
            assert len(names) <= len(content) // carried.lock.parts[0].size + 2


def test_whole_parts_are_verified(carried: Carried) -> None:
    passed: list[int] = []
    assert carried.open().verify(passed.append) == {}
    assert sum(passed) == sum(part.size for part in carried.lock.parts)


def test_an_archive_without_a_lock_file_names_the_same_images(carried: Carried, tmp_path: Path) -> None:
    source = tmp_path / carried.dest.name
    if carried.dest.is_dir():
        source = carried.dest
        carried.lock_file.rename(tmp_path / "lock")
    else:
        for part in carried.parts:
            os.link(part, tmp_path / part.name)
        source = tmp_path / carried.parts[0].name
    archive = carried.open(source)
    assert archive.images == carried.lock.images
    assert [image.entry for image in archive.images] == [image.entry for image in carried.lock.images]
    assert archive.lock.blobs == carried.lock.blobs
    assert not archive.lock.failed
    if carried.dest.is_dir():
        (tmp_path / "lock").rename(carried.lock_file)
    found = {digest: reader.read() for digest, reader in archive.in_stream_order(carried.blobs)}
    assert found == carried.blobs


def test_one_archive_is_expected(tmp_path: Path) -> None:
    first, second = carry(tmp_path / "1"), carry(tmp_path / "2", "zstd")
    with pytest.raises(SourceError, match="expected one archive, and these are 2"):
        first.open(first.lock_file, second.lock_file)
