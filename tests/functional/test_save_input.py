# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forms of a list, and lines of it that are not references."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import (
    assert_counts,
    check,
    outcomes,
    platforms,
    saved,
    write_list,
)
from ansible_collections.airgap.images.tests.support.push import push, tag_again
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import small
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

DIGEST = "sha256:" + "0123456789abcdef" * 4

INVALID = [
    "docker pull rancher/rancher",
    "rancher/Rancher:v1",
    "registry.example:5000/",
    "rancher/rancher:",
    "rancher/rancher@sha256:0123",
    "rancher//rancher:v1",
    "https://registry.example/rancher/rancher:v1",
    "rancher/rancher:v1:v2",
    "-rancher:v1",
    "rancher/rancher@",
    "registry.example:port/rancher:v1",
    "ранчер/ранчер:v1",
    f"rancher/rancher:{'x' * 129}",
]


@pytest.mark.parametrize("encoding", [pytest.param("utf-8-sig", marks=pytest.mark.thorough), "utf-16"])
def test_byte_order_marks_line_ends_comments_and_duplicates(
    source: Source, bench: Workbench, workdir: Path, encoding: str
) -> None:
    image = source["oci/gzip:1"]
    lines = [
        image.reference,
        "# a comment",
        "// another one",
        "",
        "   ",
        f"  {source['a/b/c/d:1.0'].reference}\t",
        image.reference,
    ]
    path = write_list(workdir / "list.txt", lines, end="\r\n", encoding=encoding)
    result = bench.save([], list_files=[path])
    archive = saved(result)
    assert list(archive.references) == [image.reference, source["a/b/c/d:1.0"].reference]
    assert result["stats"]["duplicates"] == 1
    assert_counts(result, 3)


def test_hangar_fault_11_ports_digests_and_deep_paths(source: Source, bench: Workbench) -> None:
    """Every spelling with a registry's port; where tag and digest are given, the digest counts."""
    plain, other, deep = source["oci/gzip:1"], source["oci/index:1"], source["a/b/c/d:1.0"]
    references = [
        plain.by_digest,
        f"{source.registry.host}/{other.repository}:no-such-tag@{other.digest}",
        deep.reference,
    ]
    result = bench.save(references)
    archive = saved(result)
    assert list(archive.references) == references
    assert next(iter(archive.references.values())) == plain.digest
    assert [each["digest"] for each in result["images"]] == [plain.digest, other.digest, deep.digest]
    assert platforms(archive, references[1]) == [each.digest for each in other.platforms[:2]]
    listed = {each["Source"]: each["Tag"] for each in archive.saved_images["List"]}
    assert set(listed) == {f"{source.registry.host}/{each.repository}" for each in (plain, other, deep)}
    assert result["invalid_lines"] == []


def test_bare_names_are_of_docker_hub_with_library_and_latest(registry: Registry, bench: Workbench) -> None:
    bare = push(registry, "library/bare", "latest", small(1))
    tagged = push(registry, "library/tagged", "3", small(2))
    user = push(registry, "user/image", "latest", small(3))
    ported = push(registry, "some/ported", "latest", small(4))
    names = ["bare", "tagged:3", "user/image", "docker.io/library/bare:latest", "registry.example:5000/some/ported"]
    result = bench.save(names, source_registry=registry.host)
    archive = saved(result)
    assert archive.references == {
        "docker.io/library/bare:latest": bare.digest,
        "docker.io/library/tagged:3": tagged.digest,
        "docker.io/user/image:latest": user.digest,
        "registry.example:5000/some/ported:latest": ported.digest,
    }
    assert result["stats"]["duplicates"] == 1
    assert_counts(result, 5)


def test_images_and_list_files_are_merged_in_order(source: Source, bench: Workbench, workdir: Path) -> None:
    first, second, third = (source[name].reference for name in ("oci/zstd:1", "oci/plain:1", "oci/gzip:1"))
    one = write_list(workdir / "one.txt", [second, first])
    two = write_list(workdir / "two.txt", [third, second])
    result = bench.save([first], list_files=[one, two])
    assert list(saved(result).references) == [first, second, third]
    assert result["stats"]["duplicates"] == 2
    assert_counts(result, 5)


@pytest.mark.thorough
def test_images_may_hold_the_content_of_a_file(source: Source, bench: Workbench) -> None:
    image = source["oci/gzip:1"].reference
    assert list(saved(bench.save(["# list", "", image, "// end"])).references) == [image]


def test_hangar_fault_11_invalid_lines_are_reported_with_file_and_line(
    source: Source, bench: Workbench, workdir: Path
) -> None:
    image = source["oci/gzip:1"].reference
    path = write_list(workdir / "list.txt", ["# first", image, *INVALID])
    failed_list = workdir / "failed.txt"
    result = bench.save(["no reference"], list_files=[path], allow_partial=True, failed_list=failed_list)
    archive = saved(result)
    assert list(archive.references) == [image]
    invalid = result["invalid_lines"]
    assert [each["line"] for each in invalid] == ["no reference", *INVALID]
    assert [each["origin"] for each in invalid[1:]] == [f"{path}:{number + 3}" for number in range(len(INVALID))]
    assert "1" in invalid[0]["origin"]
    assert all(len(each["reason"]) > 10 for each in invalid)
    assert_counts(result, 2 + len(INVALID))
    text = failed_list.read_text(encoding="utf-8")
    assert all(line in text for line in INVALID)


def test_an_invalid_line_fails_the_task(source: Source, bench: Workbench, workdir: Path) -> None:
    path = write_list(workdir / "list.txt", [source["oci/gzip:1"].reference, "not a reference"])
    result = bench.save([], list_files=[path])
    assert result.failed and not result.changed
    assert [each["origin"] for each in result["invalid_lines"]] == [f"{path}:2"]
    assert f"{path}:2" in result.msg
    assert set(outcomes(result).values()) == {"fetched"}
    assert not list(bench.dest.parent.iterdir())
    assert_counts(result, 2)


def test_the_same_image_under_two_tags_is_stored_once(registry: Registry, bench: Workbench) -> None:
    image = push(registry, "some/image", "1", small(1))
    again = tag_again(registry, image, "2")
    result = bench.save([image, again, image.by_digest])
    archive = saved(result)
    assert archive.references == {
        image.reference: image.digest,
        again.reference: image.digest,
        image.by_digest: image.digest,
    }
    assert len(archive.folders) == 1
    assert (result["stats"]["images"], result["stats"]["platform_images"]) == (3, 1)
    assert registry.blob_gets()[image.platforms[0].layers[0].digest] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no-such-file"),
        (b"", "no image"),
        (b"\xff\x00\x81broken\xfe\n", "list.txt"),
    ],
    ids=["missing", "empty", "no text"],
)
def test_lists_that_can_not_be_used(bench: Workbench, workdir: Path, content: bytes | None, message: str) -> None:
    path = workdir / ("list.txt" if content is not None else "no-such-file")
    if content is not None:
        path.write_bytes(content)
    result = bench.save([], list_files=[path])
    assert result.failed and not result.changed
    assert message in result.msg
    assert not list(bench.dest.parent.iterdir())


@pytest.mark.thorough
def test_a_last_line_without_an_end_counts(source: Source, bench: Workbench, workdir: Path) -> None:
    image = source["oci/gzip:1"].reference
    path = workdir / "list.txt"
    path.write_text(image, encoding="utf-8")
    bench.save([], list_files=[path])
    assert list(check(bench.dest).references) == [image]
