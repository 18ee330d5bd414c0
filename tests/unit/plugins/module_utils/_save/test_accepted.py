# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Accepted images are remembered for as long as there is an archive of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.record import predict_image
from ansible_collections.airgap.images.plugins.module_utils._base.errors import StorageError
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_source_registry, pulled_from
from ansible_collections.airgap.images.plugins.module_utils._save.accepted import RECORD, Accepted
from ansible_collections.airgap.images.tests.unit.fakes import ARM64, Sample, mark, repository_of, resolved

FIRST, SECOND = "ab" * 32, "cd" * 32
ONE, TWO = Sample(b"one"), Sample(b"two", platform=ARM64)
IMAGE = resolved("reg.lan/app:1", ONE, TWO)
LOCK = Lock({}, (predict_image(IMAGE),))
OTHER = resolved("reg.lan/b", ONE)
AT_HOME, AT_MIRROR = (
    {one.listed.reference: pulled_from(one.listed.reference, source) for one in (IMAGE, OTHER)}
    for source in (None, parse_source_registry("mirror.lan"))
)
KEYS = sorted(f"reg.lan/app@{digest}" for digest in (IMAGE.digest, ONE.image.digest, TWO.image.digest))


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    cache = Cache(str(tmp_path / "cache"), FIRST)
    with cache.opened(0):
        yield cache


@pytest.fixture
def archive(tmp_path: Path) -> str:
    """The lock file of an archive that exists."""
    path = tmp_path / "images.tar.gz.lock.json"
    path.write_text("{}")
    return str(path)


def test_nothing_is_known_at_first(cache: Cache, archive: str) -> None:
    accepted = Accepted(cache, archive, AT_HOME)
    assert not accepted.covers(LOCK)
    assert accepted.lacking([IMAGE, IMAGE]) == [ONE.image, TWO.image]
    assert accepted.covers(Lock({}, ())), "of an archive that holds nothing"


def test_it_is_kept_for_an_archive(cache: Cache, archive: str) -> None:
    Accepted(cache, archive, AT_HOME).save(LOCK)
    accepted = Accepted(cache, archive, AT_HOME)
    assert accepted.covers(LOCK)
    assert accepted.lacking([IMAGE]) == []
    assert accepted.knows(repository_of("reg.lan/app"), IMAGE.digest), "the index too"
    assert not accepted.knows(repository_of("reg.lan/other"), IMAGE.digest)
    assert not Accepted(cache, f"{archive}2", AT_HOME).covers(LOCK)
    assert json.loads(Path(cache.root, RECORD).read_bytes()) == {archive: {FIRST: KEYS}}


def test_it_is_of_one_configuration(cache: Cache, archive: str) -> None:
    Accepted(cache, archive, AT_HOME).save(LOCK)
    cache.acceptances.configuration = SECOND
    accepted = Accepted(cache, archive, AT_HOME)
    assert not accepted.covers(LOCK)
    accepted.save(LOCK)
    assert json.loads(Path(cache.root, RECORD).read_bytes()) == {archive: {SECOND: KEYS}}


def test_it_is_of_the_registry_that_is_asked(cache: Cache, archive: str) -> None:
    Accepted(cache, archive, AT_MIRROR).save(LOCK)
    assert not Accepted(cache, archive, AT_HOME).covers(LOCK)
    assert Accepted(cache, archive, AT_MIRROR).covers(LOCK)


def test_what_is_beside_an_image_in_the_cache_counts(cache: Cache, archive: str) -> None:
    accepted = Accepted(cache, archive, AT_HOME)
    ONE.put(cache)
    assert accepted.lacking([IMAGE]) == [TWO.image]
    accepted.record(TWO.image)
    assert accepted.lacking([IMAGE]) == []
    elsewhere = replace(ONE.image, repository=repository_of("reg.lan/other"))
    assert not accepted.holds(elsewhere)


def test_nothing_new_is_not_written(cache: Cache, archive: str) -> None:
    Accepted(cache, archive, AT_HOME).save(LOCK)
    before = mark(Path(cache.root, RECORD))
    Accepted(cache, archive, AT_HOME).save(LOCK)
    assert mark(Path(cache.root, RECORD)) == before


def test_that_of_another_archive_stays_while_the_archive_does(cache: Cache, archive: str, tmp_path: Path) -> None:
    other = tmp_path / "other.lock.json"
    other.write_text("{}")
    Accepted(cache, str(other), AT_HOME).save(LOCK)
    Accepted(cache, archive, AT_HOME).save(LOCK)
    assert json.loads(Path(cache.root, RECORD).read_bytes()).keys() == {archive, str(other)}
    other.unlink()
    Accepted(cache, archive, AT_HOME).save(Lock({}, ()))  # has nothing, which is no change
    Accepted(cache, archive, AT_HOME).save(replace(LOCK, images=(*LOCK.images, predict_image(OTHER))))
    assert json.loads(Path(cache.root, RECORD).read_bytes()).keys() == {archive}


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"a": 1}', b'{"a": {"b": 1}}', b'{"a": {"b": [1]}}'])
def test_what_is_no_record_is_none(cache: Cache, archive: str, raw: bytes) -> None:
    Path(cache.root, RECORD).write_bytes(raw)
    accepted = Accepted(cache, archive, AT_HOME)
    assert not accepted.covers(LOCK)
    accepted.save(LOCK)
    assert Accepted(cache, archive, AT_HOME).covers(LOCK)


@pytest.mark.parametrize("kind", ["link", "directory"])
def test_what_stands_in_its_place_is_replaced(cache: Cache, archive: str, tmp_path: Path, kind: str) -> None:
    precious = tmp_path / "precious"
    precious.write_text("data")
    if kind == "link":
        Path(cache.root, RECORD).symlink_to(precious)
    else:
        Path(cache.root, RECORD, "below").mkdir(parents=True)
    Accepted(cache, archive, AT_HOME).save(LOCK)
    assert Accepted(cache, archive, AT_HOME).covers(LOCK)
    assert precious.read_text() == "data"


def test_a_record_that_cannot_be_written_is_told(cache: Cache, archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(StorageError, match=r"cannot write to cache_dir .*: No space left on device"):
        Accepted(cache, archive, AT_HOME).save(LOCK)
