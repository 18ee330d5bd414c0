# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images of what has no lock file: archives of hangar, and layouts of anyone."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import digest_of
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
)
from ansible_collections.airgap.images.plugins.module_utils._source.archive import Archive
from ansible_collections.airgap.images.plugins.module_utils._source.errors import SourceError
from ansible_collections.airgap.images.tests.unit.carried import ONE, TWO, opened
from ansible_collections.airgap.images.tests.unit.fakes import AMD64, ARM64, Sample

NAME = "org.opencontainers.image.ref.name"
CHART = Sample(b"chart", platform=None)


def compact(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def docker(sample: Sample) -> bytes:
    """The manifest of an image in Docker's words."""
    return json.dumps({**json.loads(sample.raw), "mediaType": DOCKER_MANIFEST}).encode()


def entry_of(raw: bytes, name: str = "", **more: Any) -> dict[str, Any]:
    kind = json.loads(raw)["mediaType"]
    words = {"annotations": {NAME: name}} if name else {}
    return {"mediaType": kind, "digest": digest_of(raw), "size": len(raw), **words, **more}


def index_of(*manifests: bytes, kind: str = OCI_INDEX, **more: Any) -> bytes:
    return compact({"schemaVersion": 2, "mediaType": kind, "manifests": [entry_of(raw) for raw in manifests], **more})


def layout(folder: Path, entries: list[dict[str, Any]], *documents: bytes) -> Path:
    """An OCI image layout with the blobs of all samples."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for raw in (*ONE.blobs.values(), *TWO.blobs.values(), *CHART.blobs.values(), *documents):
        (blobs / digest_of(raw)[7:]).write_bytes(raw)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_bytes(compact({"schemaVersion": 2, "manifests": entries}))
    return folder


def seen(archive: Archive) -> dict[str, tuple[str, str, list[tuple[str, str]]]]:
    """Return the record of each image."""
    return {
        str(image.reference): (
            image.digest,
            image.media_type,
            [(one.digest, str(one.platform or "")) for one in image.platforms],
        )
        for image in archive.images
    }


def test_a_layout_of_anyone(tmp_path: Path) -> None:
    index = index_of(ONE.raw, TWO.raw)
    folder = layout(
        tmp_path / "layout",
        [
            entry_of(index, "reg.lan/all:1"),
            entry_of(ONE.raw, annotations={"io.containerd.image.name": "docker.io/library/one:2", NAME: "2"}),
            entry_of(TWO.raw, "app:3"),
            entry_of(CHART.raw, "reg.lan/chart:4"),
        ],
        index,
    )
    archive = opened(folder)
    assert seen(archive) == {
        "reg.lan/all:1": (
            digest_of(index),
            OCI_INDEX,
            [(ONE.image.digest, str(AMD64)), (TWO.image.digest, str(ARM64))],
        ),
        "docker.io/library/one:2": (ONE.image.digest, OCI_MANIFEST, [(ONE.image.digest, str(AMD64))]),
        "docker.io/library/app:3": (TWO.image.digest, OCI_MANIFEST, [(TWO.image.digest, str(ARM64))]),
        "reg.lan/chart:4": (CHART.image.digest, OCI_MANIFEST, [(CHART.image.digest, "")]),
    }
    assert all(image.loaded_digest == image.digest for image in archive.images)
    sizes = [one.size for one in archive.images[0].platforms]
    assert sizes == [ONE.stored.size, TWO.stored.size]
    assert archive.lock.options == {"compress": "dir"}


def test_names_that_are_a_tag_alone_are_left_out(tmp_path: Path) -> None:
    log = Log(debug=True)
    folder = layout(tmp_path / "a", [entry_of(ONE.raw, "1.25"), entry_of(TWO.raw), entry_of(CHART.raw, "reg.lan/c:1")])
    assert [*seen(opened(folder, log=log))] == ["reg.lan/c:1"]
    assert sum("has no whole reference as its name" in line for line in log.lines) == 2
    with pytest.raises(SourceError, match=r"names no image\. Without a lock file"):
        opened(layout(tmp_path / "b", [entry_of(ONE.raw, "1.25")]))


def test_an_index_of_which_some_is_missing(tmp_path: Path) -> None:
    absent = docker(ONE)
    index = index_of(ONE.raw, absent)
    archive = opened(layout(tmp_path / "layout", [entry_of(index, "reg.lan/a:1")], index))
    assert seen(archive)["reg.lan/a:1"][2] == [(ONE.image.digest, str(AMD64))]
    assert archive.images[0].loaded_digest == ""


def test_what_is_missing_or_damaged_fails_by_name(tmp_path: Path) -> None:
    log = Log(debug=True)
    absent, empty = docker(ONE), index_of(docker(TWO))
    folder = layout(
        tmp_path / "layout",
        [
            entry_of(absent, "reg.lan/absent:1"),
            entry_of(empty, "reg.lan/empty:1"),
            entry_of(ONE.raw, "reg.lan/damaged:1"),
            entry_of(TWO.raw, "reg.lan/two:1"),
        ],
        empty,
    )
    (folder / "blobs" / "sha256" / ONE.image.digest[7:]).write_bytes(ONE.raw[:-1] + b" ")
    archive = opened(folder, log=log)
    assert [*seen(archive)] == ["reg.lan/two:1"]
    assert archive.lock.failed == ("reg.lan/absent:1", "reg.lan/empty:1", "reg.lan/damaged:1")
    assert [line for line in log.lines if "reg.lan/damaged:1 cannot be loaded" in line and "is damaged" in line]


def test_a_list_of_docker_that_an_index_stands_for_is_found(tmp_path: Path) -> None:
    """As in archives of this collection, where the list is there, but OCI readers do not see it."""
    one, two = docker(ONE), docker(TWO)
    made, single, other = index_of(one, two), index_of(one), index_of(two)
    source = index_of(one, two, kind=DOCKER_LIST)
    wider = index_of(two, docker(CHART), kind=DOCKER_LIST)
    names = [(made, "reg.lan/list:1"), (single, "reg.lan/single:1"), (other, "reg.lan/part:1")]
    entries = [entry_of(raw, name) for raw, name in names]
    documents = (one, two, made, single, other)
    found = seen(opened(layout(tmp_path / "a", entries, *documents, source)))
    assert found["reg.lan/list:1"][:2] == (digest_of(source), DOCKER_LIST)
    found = seen(opened(layout(tmp_path / "b", entries, *documents, wider)))
    assert found["reg.lan/list:1"][:2] == (digest_of(made), OCI_INDEX)
    assert found["reg.lan/single:1"][:2] == (digest_of(one), DOCKER_MANIFEST)
    assert found["reg.lan/part:1"][:2] == (digest_of(other), OCI_INDEX), "a list of more was saved in part"
    twins = (source, index_of(one, two, kind=DOCKER_LIST, annotations={}))
    found = seen(opened(layout(tmp_path / "c", entries, *documents, *twins)))
    assert found["reg.lan/list:1"][:2] == (digest_of(made), OCI_INDEX), "which of two is not known"


def hangar(folder: Path, images: Mapping[str, list[Sample]], **more: Any) -> Path:
    """An archive as hangar 1.6 writes it: no index.json in the root, a list instead, and links to nothing."""
    folder.mkdir()
    listed = []
    blobs: dict[str, bytes] = {}
    for name, samples in images.items():
        source, _colon, tag = name.rpartition(":")
        described = []
        for sample in samples:
            blobs.update(sample.blobs)
            platform = sample.image.descriptor.platform
            assert platform is not None
            described.append(
                {"Digest": sample.image.digest, "Arch": platform.architecture, "OS": platform.os, "Folder": "f"}
            )
        listed.append({"Source": source, "Tag": tag, "ArchList": [], "OsList": [], "Images": described})
    root = folder / "saved-image-cache"
    (root / "share" / "sha256").mkdir(parents=True)
    for digest, raw in blobs.items():
        (root / "share" / "sha256" / digest[7:]).write_bytes(raw)
    document = {"List": listed, "Version": "v1.1.0", "SavedTime": "2026-01-01T00:00:00Z", **more}
    (root / "saved-images-list.json").write_text(json.dumps(document))
    with tarfile.open(folder / "hangar.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.add(root, "saved-image-cache")
    return folder


@pytest.mark.parametrize("kind", ["parts", "whole", "unpacked"])
def test_an_archive_of_hangar(tmp_path: Path, kind: str) -> None:
    folder = hangar(tmp_path / "hangar", {"docker.io/library/both:1": [ONE, TWO], "reg.lan/two:2": [TWO]})
    packed = folder / "hangar.tar.gz"
    source = packed
    if kind == "parts":
        raw = packed.read_bytes()
        packed.unlink()
        for number, start in enumerate(range(0, len(raw), 140_000)):
            (folder / f"hangar.tar.gz.part{number}").write_bytes(raw[start : start + 140_000])
        assert (folder / "hangar.tar.gz.part10").exists()
        source = folder / "hangar.tar.gz.part0"
    if kind == "unpacked":
        packed.unlink()
        source = folder
    archive = opened(source)
    found = seen(archive)
    assert found["reg.lan/two:2"] == (TWO.image.digest, OCI_MANIFEST, [(TWO.image.digest, str(ARM64))])
    digest, media_type, platforms = found["docker.io/library/both:1"]
    assert media_type == OCI_INDEX
    assert platforms == [(ONE.image.digest, str(AMD64)), (TWO.image.digest, str(ARM64))]
    made = archive.document(digest)
    assert digest_of(made) == digest
    assert [one["digest"] for one in json.loads(made)["manifests"]] == [ONE.image.digest, TWO.image.digest]
    assert archive.has_offsets is (kind == "unpacked")
    blobs = {**ONE.blobs, **TWO.blobs}
    assert {digest: reader.read() for digest, reader in archive.in_stream_order(blobs)} == blobs
    with archive.open_blob(TWO.image.digest) as reader:
        assert reader.read() == TWO.raw


def test_names_of_hangar_that_are_none_fail(tmp_path: Path) -> None:
    folder = hangar(tmp_path / "hangar", {"reg.lan/UPPER:1": [ONE], "reg.lan/two:2": [TWO]})
    archive = opened(folder / "hangar.tar.gz")
    assert [*seen(archive)] == ["reg.lan/two:2"] and archive.lock.failed == ("reg.lan/UPPER:1",)


@pytest.mark.parametrize("more", [{"List": "x"}, {"List": [{"Source": 1}]}])
def test_a_list_that_makes_no_sense(tmp_path: Path, more: dict[str, Any]) -> None:
    folder = hangar(tmp_path / "hangar", {"reg.lan/two:2": [TWO]}, **more)
    with pytest.raises(SourceError, match="cannot be read without a lock file"):
        opened(folder / "hangar.tar.gz")
