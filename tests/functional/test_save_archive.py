# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One archive of nearly everything that a registry may hold, looked at from all sides."""

from __future__ import annotations

import functools
import hashlib
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import Traffic, check, digests, platforms, traffic
from ansible_collections.airgap.images.tests.support.archive import (
    ROOT,
    SHARE,
    Archive,
    file_sha256,
    read_archive,
    unpack,
)
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.images import OCI_INDEX, OCI_MANIFEST
from ansible_collections.airgap.images.tests.support.module import Result
from ansible_collections.airgap.images.tests.support.push import PushedImage, PushedPlatform
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import SAMPLES
from ansible_collections.airgap.images.tests.support.skopeo import digests_after_push
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

NAMES = [name for name in SAMPLES if name != "oci/nested:1"]
WANTED = {("linux", "amd64"), ("linux", "arm64"), ("windows", "amd64")}
ARTEFACTS = {"charts/app:1.2.3", "oci/artifact:1"}
OF_EACH_KIND = {"oci/index:1", "docker/list:1", "oci/zstd:1", "charts/app:1.2.3"}
NO_PLATFORM = {"oci/no-platforms:1"}
ABSENT = {"windows/list:1", "windows/foreign-present:1", "windows/foreign-absent:1", "oci/foreign-present:1"}


@dataclass(frozen=True)
class Saved:
    """A run with its result and its traffic."""

    bench: Workbench
    source: Source
    result: Result
    gets: Counter[str]
    traffic: Traffic

    @functools.cached_property
    def archive(self) -> Archive:
        """Its content, read once."""
        return read_archive(self.bench.dest)

    @property
    def images(self) -> list[PushedImage]:
        return [self.source[name] for name in NAMES]


@pytest.fixture(scope="module")
def saved(seeded_source: Source, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Saved]:
    """The archive that the tests of this file look at; it must not be written to."""
    directory = tmp_path_factory.mktemp("saved")
    with Workbench(directory) as bench:
        seeded_source.registry.clear()
        result = bench.save([seeded_source[name] for name in NAMES], env={"HOME": str(directory)})
        assert not result.failed, f"{result.msg} {result['failed_images']}"
        registry = seeded_source.registry
        yield Saved(bench, seeded_source, result, registry.blob_gets(), traffic(registry))


def expected(name: str, image: PushedImage) -> list[PushedPlatform]:
    """The platform images that the defaults choose, attestations of chosen ones and artefacts included."""
    if name in ARTEFACTS | NO_PLATFORM:
        return list(image.platforms)
    chosen = [each for each in image.platforms if (each.os, each.arch) in WANTED]
    about = [each for each in image.platforms if each.os == "unknown"]
    return chosen + about


def test_the_archive_is_whole(saved: Saved) -> None:
    archive = check(saved.bench.dest)
    assert [path.name for path in archive.files] == ["images.tar.gz"]


def test_gzip_and_tar_read_it(saved: Saved, workdir: Path) -> None:
    subprocess.run(["gzip", "--test", saved.bench.dest], check=True)
    listing = subprocess.run(["tar", "-tzf", saved.bench.dest], check=True, capture_output=True, text=True).stdout
    archive = saved.archive
    assert [line.rstrip("/") for line in listing.splitlines()] == archive.names
    layout = unpack(saved.bench.dest, workdir)
    for digest in archive.blobs:
        data = (layout / "share" / "sha256" / digest.partition(":")[2]).read_bytes()
        assert f"sha256:{hashlib.sha256(data).hexdigest()}" == digest


@pytest.mark.parametrize("name", NAMES)
def test_the_platform_images_are_those_of_the_registry(saved: Saved, name: str) -> None:
    archive = saved.archive
    image = saved.source[name]
    assert sorted(platforms(archive, image.reference)) == sorted(digests(expected(name, image)))
    (returned,) = [each for each in saved.result["images"] if each["reference"] == image.reference]
    assert (returned["status"], returned["digest"], returned["reason"]) == ("saved", image.digest, "")
    assert sorted(each["digest"] for each in returned["platforms"]) == sorted(digests(expected(name, image)))
    for each in expected(name, image):
        folder = archive.folders[each.digest.partition(":")[2]]
        assert (folder.digest, folder.size, folder.media_type) == (each.digest, each.size, each.media_type)


def test_index_json_names_the_source_digest_where_nothing_was_left_out(saved: Saved) -> None:
    references = saved.archive.references
    assert list(references) == [image.reference for image in saved.images]
    for name, image in zip(NAMES, saved.images):
        complete = len(expected(name, image)) == len(image.platforms)
        kept = complete and image.media_type in (OCI_MANIFEST, OCI_INDEX)
        assert (references[image.reference] == image.digest) is kept, name


def test_what_the_source_said_is_kept(saved: Saved) -> None:
    archive = saved.archive
    for image in saved.images:
        assert archive.blobs[image.digest] == len(image.raw), f"{image.reference}: its own manifest is not there"
        (locked,) = [each for each in archive.lock["images"] if each["reference"] == image.reference]
        assert (locked["digest"], locked["media_type"]) == (image.digest, image.media_type)


def test_hangar_fault_09_docker_images_keep_their_digests(saved: Saved) -> None:
    archive = saved.archive
    for name in ("docker/single:1", "docker/arm64:1"):
        (image,) = saved.source[name].platforms
        assert archive.blobs[image.digest] == image.size
        assert "Healthcheck" in archive.blob(image.config_digest)["config"]
    for each in expected("docker/list:1", saved.source["docker/list:1"]):
        assert archive.blobs[each.digest] == each.size


def test_hangar_fault_12_variants_and_windows_versions_lie_side_by_side(saved: Saved) -> None:
    archive = saved.archive
    listed = {f"{each['Source']}:{each['Tag']}": each for each in archive.saved_images["List"]}
    variants = listed[saved.source["oci/variants:1"].reference]["Images"]
    assert [(each["Arch"], each.get("Variant")) for each in variants] == [("amd64", None), ("amd64", "v3")]
    assert len({each["Folder"] for each in variants}) == 2
    windows = [each for each in listed[saved.source["windows/list:1"].reference]["Images"] if each["OS"] == "windows"]
    assert [each["OsVersion"] for each in windows] == ["10.0.17763.5329", "10.0.20348.2227"]


def test_hangar_fault_12_an_entry_without_platform_is_known_by_its_config(saved: Saved) -> None:
    (returned,) = [each for each in saved.result["images"] if "oci/no-platforms" in each["reference"]]
    assert [each["platform"] for each in returned["platforms"]] == ["linux/amd64", "linux/arm64"]


def test_attestations_come_with_the_images_they_are_about(saved: Saved) -> None:
    image = saved.source["oci/attested:1"]
    archive = saved.archive
    assert archive.references[image.reference] == image.digest
    for each in image.platforms:
        assert archive.blobs[each.digest] == each.size


def test_artefacts_are_kept_as_they_are(saved: Saved) -> None:
    archive = saved.archive
    for name in ARTEFACTS:
        (image,) = saved.source[name].platforms
        assert set(image.blobs) <= set(archive.blobs)
        (returned,) = [each for each in saved.result["images"] if each["reference"] == saved.source[name].reference]
        assert [each["platform"] for each in returned["platforms"]] == [""]


def test_the_result_says_which_foreign_layers_are_not_there(saved: Saved) -> None:
    archive = saved.archive
    for returned, name in zip(saved.result["images"], NAMES):
        about = [note for note in returned["notes"] if "foreign" in note]
        assert bool(about) is (name in ABSENT), f"{name}: {returned['notes']}"
    for name in ABSENT:
        absent = [
            each for image in saved.source[name].platforms for each in image.layers if "foreign" in each.media_type
        ]
        absent += [each for i in saved.source[name].platforms for each in i.layers if "nondist" in each.media_type]
        assert absent and not {each.digest for each in absent} & set(archive.blobs)


def test_members_come_in_the_order_that_is_documented(saved: Saved) -> None:
    archive = saved.archive
    names = [name.removeprefix(f"{ROOT}/") for name in archive.names]
    assert names[:3] == [ROOT, "share", "share/sha256"]
    assert names[-4:] == ["index.json", "oci-layout", "blobs", "saved-images-list.json"]
    order: list[str] = []
    for each in archive.lock["images"]:
        order += [folder for image in each["platforms"] if (folder := image["digest"][7:]) not in order]
    folders = [member.name.split("/")[1] for member in archive.members if member.name.endswith("/oci-layout")][:-1]
    assert folders == order, "the platform images are not in the order of the list"


def test_layers_are_in_gzip_as_they_are(saved: Saved) -> None:
    """A compressed layer is found byte by byte in the archive; a plain layer is compressed."""
    data = saved.bench.dest.read_bytes()
    store = saved.source.registry
    for name in ("oci/gzip:1", "oci/zstd:1"):
        for layer in saved.source[name].platforms[0].layers:
            assert store.blob_path(layer.digest).read_bytes()[100:1100] in data
    text = saved.source["oci/plain:1"].platforms[0].layers[0]
    assert store.blob_path(text.digest).read_bytes()[512:1512] not in data


def test_every_layer_came_over_the_wire_once(saved: Saved) -> None:
    """Configs may come more than once, skopeo asks for them at each copy; layers never."""
    archive = saved.archive
    for name, image in zip(NAMES, saved.images):
        for each in expected(name, image):
            for layer in each.layers:
                assert saved.gets[layer.digest] == (layer.digest in archive.blobs), f"{name}: {layer.digest}"


def test_the_figures_are_those_of_the_access_log(saved: Saved) -> None:
    stats, seen = saved.result["stats"], saved.traffic
    archive = saved.archive
    assert (stats["images"], stats["duplicates"]) == (len(NAMES), 0)
    assert stats["platform_images"] == len(archive.folders)
    assert (stats["blobs_downloaded"], stats["bytes_downloaded"]) == (len(seen.fetched), seen.size)
    assert (stats["blobs_reused"], stats["bytes_reused"], stats["blobs_repaired"]) == (0, 0, 0)
    assert stats["bytes_archive"] == saved.bench.dest.stat().st_size
    assert stats["manifest_requests"] == {"HEAD": seen.heads, "GET": seen.gets}
    assert seen.heads == len(NAMES)


def test_sizes_of_platform_images_are_those_of_their_blobs(saved: Saved) -> None:
    archive = saved.archive
    known = {each.digest: each for image in saved.images for each in image.platforms}
    for returned in saved.result["images"]:
        for each in returned["platforms"]:
            blobs = set(known[each["digest"]].blobs) & set(archive.blobs)
            assert each["size"] == sum(archive.blobs[digest] for digest in blobs)


def test_parts_checksum_file_and_lock_file_are_where_the_result_says(saved: Saved) -> None:
    dest = saved.bench.dest
    (part,) = saved.result["parts"]
    assert part == {"path": str(dest), "size": dest.stat().st_size, "sha256": file_sha256(dest)}
    assert saved.result["checksum_file"] == f"{dest}.sha256"
    assert saved.result["lock_file"] == f"{dest}.lock.json"
    assert Path(saved.result["checksum_file"]).read_text() == f"{part['sha256']}  {dest.name}\n"


@pytest.mark.thorough(repeats=True)
def test_skopeo_pushes_every_image_under_the_same_digests(saved: Saved, registry: Registry, workdir: Path) -> None:
    layout = unpack(saved.bench.dest, workdir / "unpacked")
    for name, image in zip(NAMES, saved.images):
        if name in ABSENT or not (is_full() or name in OF_EACH_KIND):
            continue
        found = digests_after_push(layout, image.reference, registry, repository=image.repository)
        children = digests(expected(name, image))
        if image.media_type == OCI_MANIFEST:
            assert found == [image.digest], name
        elif image.media_type == OCI_INDEX and len(children) == len(image.platforms):
            assert found == [image.digest, *digests(image.platforms)], name
        else:
            assert sorted(found[1:]) == sorted(children), name


def test_skopeo_reads_the_cache_itself(saved: Saved, registry: Registry) -> None:
    image = saved.source["docker/list:1"]
    found = digests_after_push(saved.bench.cache, image.reference, registry)
    assert found[1:] == digests(expected("docker/list:1", image))


@pytest.mark.thorough
def test_the_same_bytes_from_another_cache_with_other_jobs(saved: Saved, bench: Workbench) -> None:
    result = bench.save([image.reference for image in saved.images], jobs=13)
    assert not result.failed
    assert file_sha256(bench.dest) == file_sha256(saved.bench.dest)
    first, second = (Path(f"{each}.lock.json").read_bytes() for each in (bench.dest, saved.bench.dest))
    assert first == second


def test_nothing_of_the_host_is_in_the_archive(saved: Saved) -> None:
    archive = saved.archive
    assert {member.owner for member in archive.members} == {(0, 0, "", "")}
    assert {(member.kind, oct(member.mode)) for member in archive.members if member.kind != "symlink"} == {
        ("dir", "0o755"),
        ("file", "0o644"),
    }
    with saved.bench.dest.open("rb") as file:
        assert file.read(8)[3:8] == bytes(5), "the gzip header has a name or a time"
    assert str(saved.bench.directory) not in Path(f"{saved.bench.dest}.lock.json").read_text()
    assert all(name.startswith(SHARE) or "/" in name or name == ROOT for name in archive.names)
