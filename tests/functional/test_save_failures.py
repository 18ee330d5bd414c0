# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that fail among others that do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import (
    assert_counts,
    cached,
    contents,
    outcomes,
    saved,
    snapshot,
    write_list,
)
from ansible_collections.airgap.images.tests.support.faults import Respond, Rule
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import small
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench


def test_hangar_fault_02_a_failed_image_fails_the_task_after_all_were_tried(
    source: Source, bench: Workbench, workdir: Path
) -> None:
    """The old archive stays as it was; what was fetched stays in the cache, for the next run."""
    old, first, last = (source[name] for name in ("oci/plain:1", "oci/gzip:1", "docker/list:1"))
    saved(bench.save([old]))
    before = snapshot(bench.dest.parent)
    absent = f"{source.registry.host}/oci/gzip:absent"
    nowhere = f"{source.registry.host}/no/where:1"
    failed_list = workdir / "failed.txt"
    result = bench.save([first.reference, absent, nowhere, last.reference], failed_list=failed_list)
    assert result.failed
    assert snapshot(bench.dest.parent) == before
    assert outcomes(result) == {
        first.reference: "fetched",
        absent: "failed",
        nowhere: "failed",
        last.reference: "fetched",
    }
    assert [each["reference"] for each in result["failed_images"]] == [absent, nowhere]
    for each in result["failed_images"]:
        assert each["reference"] in each["reason"] and "does not exist" in each["reason"]
        assert each["origin"]
    assert absent in result.msg and "2 of 4" in result.msg
    assert_counts(result, 4)
    for image in (*first.platforms, *last.platforms[:2]):
        assert all(cached(bench.cache, blob).is_file() for blob in image.blobs)
    source.registry.clear()
    saved(bench.save([first, last]))
    assert not source.registry.blob_gets()


def test_allow_partial_saves_the_others(source: Source, bench: Workbench, workdir: Path) -> None:
    first, last = source["oci/gzip:1"], source["oci/zstd:1"]
    absent = f"{source.registry.host}/oci/gzip:absent"
    path = write_list(workdir / "list.txt", ["# header", first.reference, absent, last.reference])
    params: dict[str, Any] = {"list_files": [path], "allow_partial": True, "failed_list": workdir / "failed.txt"}
    result = bench.save([], **params)
    archive = saved(result)
    assert list(archive.references) == [first.reference, last.reference]
    (failed,) = result["failed_images"]
    assert (failed["reference"], failed["origin"]) == (absent, f"{path}:3")
    assert absent not in str(archive.saved_images) and absent not in archive.references
    assert_counts(result, 3)
    before = snapshot(workdir)
    again = bench.save([], **params)
    assert not again.failed and not again.changed
    assert [each["reference"] for each in again["failed_images"]] == [absent]
    assert snapshot(bench.dest.parent, workdir / "failed.txt") == {
        path: state for path, state in before.items() if path.startswith((str(bench.dest.parent), f"{workdir}/failed"))
    }


def test_an_image_that_appears_later_is_added(registry: Registry, bench: Workbench) -> None:
    first = push(registry, "some/first", "1", small(1))
    late = f"{registry.host}/some/late:1"
    saved(bench.save([first, late], allow_partial=True))
    push(registry, "some/late", "1", small(2))
    archive = saved(bench.save([first, late], allow_partial=True))
    assert list(archive.references) == [first.reference, late]


@pytest.mark.thorough
def test_an_image_that_is_gone_fails_although_the_archive_has_it(registry: Registry, bench: Workbench) -> None:
    """The list asks for what the tag is today; the archive of before stays."""
    image = push(registry, "some/image", "1", small(1))
    saved(bench.save([image]))
    before = contents(bench.dest.parent)
    absent = f"{registry.host}/some/image:2"
    result = bench.save([image.reference, absent])
    assert result.failed and not result.changed
    assert contents(bench.dest.parent) == before


def test_failed_list_is_a_list_and_goes_away_with_the_last_failure(registry: Registry, bench: Workbench) -> None:
    there = push(registry, "some/there", "1", small(1))
    missing = [f"{registry.host}/some/missing:{number}" for number in (1, 2)]
    failed_list = bench.directory / "failed.txt"
    result = bench.save([there.reference, *missing], failed_list=failed_list)
    assert result.failed
    lines = failed_list.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == missing
    assert len([line for line in lines if "does not exist" in line and line.startswith("#")]) == 2
    second = bench.save([], list_files=[failed_list])
    assert [each["reference"] for each in second["failed_images"]] == missing
    assert second["invalid_lines"] == []
    for number in (1, 2):
        push(registry, "some/missing", str(number), small(10 + number))
    third = bench.save([there.reference], list_files=[failed_list], failed_list=failed_list)
    assert list(saved(third).references) == [there.reference, *missing]
    assert not failed_list.exists()


def test_a_failed_list_of_an_earlier_run_goes_away_when_nothing_else_changes(source: Source, bench: Workbench) -> None:
    image, failed_list = source["oci/gzip:1"], bench.directory / "failed.txt"
    saved(bench.save([image]))
    assert bench.save([image.reference, f"{image.reference}-absent"], failed_list=failed_list).failed
    assert failed_list.exists()
    result = bench.save([image], failed_list=failed_list)
    assert not result.failed and not failed_list.exists()
    assert result.changed, "a file that was asked for is different"


def test_a_file_of_somebody_else_is_not_taken_for_a_failed_list(source: Source, bench: Workbench) -> None:
    """Such as the list itself, by mistake."""
    path = write_list(bench.directory / "list.txt", [source["oci/gzip:1"].reference])
    result = bench.save([], list_files=[path], failed_list=path)
    assert result.failed and str(path) in result.msg
    assert path.read_text(encoding="utf-8") == f"{source['oci/gzip:1'].reference}\n"


@pytest.mark.parametrize("partial", [False, True])
def test_hangar_fault_02_nothing_is_published_when_everything_failed(
    source: Source, bench: Workbench, partial: bool
) -> None:
    absent = [f"{source.registry.host}/no/where:{number}" for number in range(3)]
    result = bench.save(absent, allow_partial=partial)
    assert result.failed and not result.changed
    assert set(outcomes(result).values()) == {"failed"}
    assert not list(bench.dest.parent.iterdir())
    assert result["parts"] == [] and result["stats"]["images"] == 0


def test_a_nested_index_fails_with_a_sentence_and_the_others_are_saved(source: Source, bench: Workbench) -> None:
    kept, strange = source["oci/gzip:1"], source["oci/nested:1"]
    result = bench.save([strange, kept], allow_partial=True)
    archive = saved(result)
    assert list(archive.references) == [kept.reference]
    (failed,) = result["failed_images"]
    assert failed["reference"] == strange.reference
    assert "index" in failed["reason"] and len(failed["reason"]) > 40


def test_an_index_with_a_platform_that_is_not_there_fails_whole(registry: Registry, bench: Workbench) -> None:
    """Nothing of an image is in the archive when part of it could not be had."""
    kept = push(registry, "some/kept", "1", small(1))
    broken = push(registry, "some/broken", "1", small(2))
    proxy = bench.proxy(registry, Rule(Respond(404), path=f"/blobs/{broken.platforms[0].layers[-1].digest}"))
    images = [each.reference.replace(registry.host, proxy.host) for each in (kept, broken)]
    result = bench.save(images, allow_partial=True, retry_delay=0.01)
    archive = saved(result)
    assert list(archive.references) == images[:1]
    assert broken.digest not in archive.blobs and broken.platforms[0].layers[-1].digest not in archive.blobs
    assert [each["reference"] for each in result["failed_images"]] == images[1:]
