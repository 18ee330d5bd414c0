# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The members of an archive and their order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.members import (
    whole_documents,
    write_members,
)
from ansible_collections.airgap.images.plugins.module_utils._base.errors import DamagedBlobError
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor
from ansible_collections.airgap.images.plugins.module_utils._oci.image import hex_of
from ansible_collections.airgap.images.plugins.module_utils._oci.layout import SavedImage, assemble
from ansible_collections.airgap.images.tests.unit.fakes import ARM64, Sample, resolved

BASE = b"base layer"
ONE, TWO = Sample(BASE, b"one"), Sample(BASE, platform=ARM64)


class Recorder:
    """A writer that takes down what it gets."""

    def __init__(self) -> None:
        self.members: list[tuple[str, str]] = []
        self.content: dict[str, bytes] = {}
        self.ends: list[int] = []

    def directory(self, name: str) -> None:
        self.members.append(("d", name))

    def document(self, name: str, raw: bytes) -> None:
        self.members.append(("-", name))
        self.content[name] = raw

    def blob(self, name: str, path: str, blob: Descriptor) -> None:
        self.members.append(("b", name))
        self.content[name] = Path(path).read_bytes()
        if len(self.content[name]) != blob.size:
            raise DamagedBlobError(blob.digest, "size")

    def link(self, name: str, target: str) -> None:
        self.members.append(("l", f"{name} -> {target}"))

    def end_image(self) -> None:
        self.ends.append(len(self.members))


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    cache = Cache(str(tmp_path / "cache"))
    with cache.opened(0):
        yield cache


def folder(sample: Sample) -> list[tuple[str, str]]:
    name = f"saved-image-cache/{sample.image.folder}"
    link = ("l", f"{name}/blobs -> ../share")
    return [("d", name), ("-", f"{name}/oci-layout"), ("-", f"{name}/index.json"), link]


def blob(digest: str) -> tuple[str, str]:
    return ("b", f"saved-image-cache/share/sha256/{hex_of(digest)}")


def saved(reference: str, *samples: Sample, is_whole: bool = True) -> SavedImage:
    return assemble(resolved(reference, *samples, is_whole=is_whole), [sample.stored for sample in samples])


HEAD = [("d", "saved-image-cache"), ("d", "saved-image-cache/share"), ("d", "saved-image-cache/share/sha256")]
TAIL = [
    ("-", "saved-image-cache/index.json"),
    ("-", "saved-image-cache/oci-layout"),
    ("l", "saved-image-cache/blobs -> share"),
    ("-", "saved-image-cache/saved-images-list.json"),
]


def test_members_stand_image_by_image_each_blob_once(cache: Cache) -> None:
    for sample in (ONE, TWO):
        sample.put(cache)
    images = [saved("a", ONE, TWO), saved("b", ONE), saved("c", TWO)]
    recorder = Recorder()
    written, blobs = write_members(iter(images), cache.blobs, recorder)
    index = images[0].resolved.digest
    one = [ONE.image.digest, *(blob.digest for blob in ONE.image.blobs)]
    two = [digest for digest in (TWO.image.digest, *(b.digest for b in TWO.image.blobs)) if digest not in one]
    assert recorder.members == [
        *HEAD,
        *folder(ONE),
        *map(blob, one),
        *folder(TWO),
        *map(blob, two),
        blob(index),
        *TAIL,
    ]
    assert written == images
    assert set(blobs) == {*one, *two, index}
    assert all(len(recorder.content[blob(digest)[1]]) == size for digest, size in blobs.items())


def test_directories_stand_before_what_they_hold(cache: Cache) -> None:
    ONE.put(cache)
    recorder = Recorder()
    write_members([saved("a", ONE)], cache.blobs, recorder)
    seen: set[str] = set()
    for kind, name in recorder.members:
        parent = name.partition(" -> ")[0].rpartition("/")[0]
        assert parent in seen or not parent
        if kind == "d":
            seen.add(name)


def test_a_generated_index_gets_in_beside_the_source(cache: Cache) -> None:
    ONE.put(cache)
    image = assemble(resolved("a", ONE, TWO, is_whole=False), [ONE.stored])
    recorder = Recorder()
    _written, blobs = write_members([image], cache.blobs, recorder)
    assert len(image.documents) == 2
    assert blobs.keys() == {*ONE.blobs, *image.documents}
    for digest, raw in image.documents.items():
        assert recorder.content[blob(digest)[1]] == raw


def test_an_archive_without_images(cache: Cache) -> None:
    recorder = Recorder()
    assert write_members([], cache.blobs, recorder) == ([], {})
    assert recorder.members == [*HEAD, *TAIL]
    assert json.loads(recorder.content["saved-image-cache/index.json"])["manifests"] == []


def test_a_damaged_blob_ends_it(cache: Cache) -> None:
    ONE.put(cache)
    Path(cache.blobs.path(ONE.image.blobs[0].digest)).write_bytes(b"")
    with pytest.raises(DamagedBlobError):
        write_members([saved("a", ONE)], cache.blobs, Recorder())


def test_images_are_waited_for_one_by_one(cache: Cache) -> None:
    for sample in (ONE, TWO):
        sample.put(cache)
    recorder = Recorder()
    written_before: list[int] = []

    def ready() -> Iterator[SavedImage]:
        for image in (saved("a", ONE), saved("b", TWO)):
            written_before.append(len(recorder.members))
            yield image

    write_members(ready(), cache.blobs, recorder)
    assert written_before == [len(HEAD), len(HEAD) + len(folder(ONE)) + len(ONE.blobs)]


def test_the_folder_of_a_converted_image_is_that_of_its_source(cache: Cache) -> None:
    TWO.put(cache)
    converted = replace(TWO.stored, source=ONE.image)
    recorder = Recorder()
    write_members([assemble(resolved("a", ONE), [converted])], cache.blobs, recorder)
    assert folder(ONE)[0] in recorder.members


def test_the_documents_of_the_whole() -> None:
    assert list(whole_documents([])) == ["index.json", "oci-layout"]
