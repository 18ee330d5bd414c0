# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saving again exactly what an earlier lock file names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import contents, saved, snapshot
from ansible_collections.airgap.images.tests.support.archive import file_sha256
from ansible_collections.airgap.images.tests.support.module import Result, run_module
from ansible_collections.airgap.images.tests.support.push import delete_manifest, push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import attested, docker_list, oci_index, small
from ansible_collections.airgap.images.tests.support.workbench import Workbench


def lock_of(dest: Path) -> Path:
    return Path(f"{dest}.lock.json")


def save(bench: Workbench, **params: Any) -> Result:
    """Runs the module without a list."""
    full = bench.params([])
    del full["images"]
    full.update(params)
    Path(full["dest"]).parent.mkdir(parents=True, exist_ok=True)
    return run_module(full)


def test_a_lock_saves_its_digests_although_the_tags_have_moved(registry: Registry, bench: Workbench) -> None:
    """From an empty cache, with other platforms asked for; the archive is the same, byte by byte."""
    images = [
        push(registry, "some/index", "1", oci_index()),
        push(registry, "some/list", "1", docker_list()),
        push(registry, "some/single", "1", small(1, docker=True)),
        push(registry, "some/attested", "1", attested()),
    ]
    first = bench.save(images, arch=["amd64", "arm/v7"])
    saved(first)
    for image in images:
        push(registry, image.repository, image.tag, small(50))
    again = bench.directory / "again" / bench.dest.name
    params: dict[str, Any] = {"from_lock": lock_of(bench.dest), "dest": again, "cache_dir": bench.directory / "empty"}
    result = save(bench, **params)
    archive = saved(result)
    assert result["images"] == first["images"]
    assert file_sha256(again) == file_sha256(bench.dest)
    assert lock_of(again).read_bytes() == lock_of(bench.dest).read_bytes()
    assert list(archive.references) == [image.reference for image in images]
    before = snapshot(again.parent)
    second = save(bench, **params)
    assert not second.failed and not second.changed
    assert snapshot(again.parent) == before


def test_a_lock_of_its_own_archive(registry: Registry, bench: Workbench) -> None:
    """A damaged archive is made again from its own lock, and the moved tag is left where it is."""
    image = push(registry, "some/image", "1", oci_index())
    saved(bench.save([image]))
    before = contents(bench.dest.parent)
    push(registry, "some/image", "1", small(50))
    assert not save(bench, from_lock=lock_of(bench.dest)).changed
    bench.dest.write_bytes(b"")
    saved(save(bench, from_lock=lock_of(bench.dest)))
    assert contents(bench.dest.parent) == before
    moved = bench.save([image])
    assert saved(moved).references[image.reference] != image.digest


def test_another_registry_for_what_a_lock_names(registry: Registry, bench: Workbench) -> None:
    image = push(registry, "some/image", "1", oci_index())
    saved(bench.save([image]))
    mirror = bench.registry()
    push(mirror, "proxy/some/image", "other", oci_index())
    registry.stop()
    again = bench.directory / "again" / bench.dest.name
    source = f"{mirror.host}/proxy"
    result = save(
        bench, from_lock=lock_of(bench.dest), dest=again, cache_dir=bench.directory / "new", source_registry=source
    )
    saved(result)
    assert file_sha256(again) == file_sha256(bench.dest)


def test_a_digest_that_is_gone_fails(registry: Registry, bench: Workbench) -> None:
    image = push(registry, "some/image", "1", small(1))
    saved(bench.save([image]))
    delete_manifest(registry, "some/image", image.digest)
    other = bench.directory / "other"
    result = save(bench, from_lock=lock_of(bench.dest), dest=other / "images.tar.gz", cache_dir=other / "cache")
    assert result.failed
    assert [each["reference"] for each in result["failed_images"]] == [image.reference]
    assert image.digest in result["failed_images"][0]["reason"]


@pytest.mark.thorough
def test_other_formats_of_the_same_lock(registry: Registry, bench: Workbench) -> None:
    image = push(registry, "some/image", "1", oci_index())
    blobs = saved(bench.save([image])).blobs
    result = save(bench, from_lock=lock_of(bench.dest), dest=bench.directory / "other", compress="dir")
    assert saved(result).blobs == blobs


@pytest.mark.parametrize(
    "content", [None, b"{", b"{}", b'{"version": 1, "images": [{}]}', b'{"version": 99, "images": []}']
)
def test_a_lock_that_can_not_be_used_is_named(bench: Workbench, content: bytes | None) -> None:
    path = bench.directory / "some.lock.json"
    if content is not None:
        path.write_bytes(content)
    result = save(bench, from_lock=path)
    assert result.failed and not result.changed
    assert str(path) in result.msg
    assert "Traceback" not in result.msg and not bench.dest.exists()


@pytest.mark.parametrize("params", [{"images": ["some/image:1"]}, {"list_files": ["/some/list"]}], ids=str)
def test_a_lock_and_a_list_exclude_each_other(bench: Workbench, params: dict[str, Any]) -> None:
    result = save(bench, from_lock="/some/lock.json", **params)
    assert result.failed and "from_lock" in result.msg


def test_empty_lists_do_not_exclude_a_lock(registry: Registry, bench: Workbench) -> None:
    """As a role passes them on."""
    saved(bench.save([push(registry, "some/image", "1", small(1))]))
    result = bench.save([], list_files=[], from_lock=lock_of(bench.dest))
    assert not result.failed and not result.changed, result.msg


def test_what_the_lock_says(registry: Registry, bench: Workbench) -> None:
    """References, digests by platform, blobs with sizes, options and parts; nothing of the host or the time."""
    image = push(registry, "some/image", "1", oci_index())
    result = bench.save([image], part_size="30K", arch=["amd64"])
    archive = saved(result)
    text = lock_of(bench.dest).read_text(encoding="utf-8")
    lock = json.loads(text)
    (entry,) = lock["images"]
    assert (entry["reference"], entry["digest"], entry["media_type"]) == (
        image.reference,
        image.digest,
        image.media_type,
    )
    chosen = image.platform("amd64")
    (platform,) = entry["platforms"]
    assert (platform["digest"], platform["media_type"]) == (chosen.digest, chosen.media_type)
    assert platform["platform"] == {"os": "linux", "architecture": "amd64"}
    assert lock["options"]["arch"] == ["amd64"] and lock["options"]["part_size"] == 30 * 1024
    assert [each["name"] for each in lock["parts"]] == [path.name for path in archive.files]
    assert str(bench.directory) not in text
