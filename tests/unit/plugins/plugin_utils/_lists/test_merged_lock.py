# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock files of several hosts become one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import (
    Lock,
    LockedImage,
    LockedPlatform,
    LockedSkip,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock, write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError
from ansible_collections.airgap.images.plugins.module_utils._base.json import Json
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import OCI_INDEX, OCI_MANIFEST
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference
from ansible_collections.airgap.images.plugins.plugin_utils._lists import merged_lock
from ansible_collections.airgap.images.plugins.plugin_utils._lists.merged_lock import covered, merge
from ansible_collections.airgap.images.tests.unit.fakes import AMD64

DIGEST, OTHER = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32
SHA = "ef" * 32
OPTIONS: dict[str, Json] = {"compress": "gzip", "arch": ["amd64"], "part_size": None}


def image(reference: str) -> LockedImage:
    platform = LockedPlatform(DIGEST, OTHER, OCI_MANIFEST, 12, AMD64)
    return LockedImage(parse_reference(reference), DIGEST, OCI_INDEX, (platform,), ("a note",))


def lock(*references: str, **members: Any) -> Lock:
    part = Part("images.tar.gz", 5, SHA)
    made = Lock(OPTIONS, tuple(image(one) for one in references), parts=(part,), compressor="zlib 1.3")
    return replace(made, **members)


def merged(locks: Mapping[str, Lock], *lines: str) -> Lock:
    return read_lock(merge(raw(locks), lines), path="x")


def raw(locks: Mapping[str, Lock]) -> dict[str, bytes]:
    """The lock files by their paths, as they lie below the directory of the set."""
    return {f"{host}/images.tar.gz.lock.json": write_lock(one) for host, one in locks.items()}


@pytest.mark.parametrize(("writers", "expected"), [((2, 2), 2), ((1, 2), 1), ((3, 2), 2), ((1, 1), 1)])
def test_the_writer_of_a_set_is_the_lowest(writers: tuple[int, int], expected: int) -> None:
    first, second = (lock(f"reg.lan/{name}:1", writer=number) for name, number in zip("ab", writers))
    document = json.loads(merge(raw({"north": first, "south": second})))
    assert document.get("writer", 1) == expected
    assert list(document)[:2] == (["version", "writer"] if expected > 1 else ["version", "options"])


ONE = lock(
    "reg.lan/z:1",
    "b",
    skipped=(LockedSkip(parse_reference("d"), OTHER, "not for windows"),),
    failed=("docker.io/library/y:1",),
    blobs={OTHER: 2, DIGEST: 1},
)
TWO = lock(
    "a",
    skipped=(LockedSkip(parse_reference("c"), "", "why"),),
    failed=("docker.io/library/x:1",),
    blobs={DIGEST: 1, "sha256:" + "01" * 32: 3},
    compressor="zstd 1.5",
    options={**OPTIONS, "part_size": 5, "os": ["linux"]},
    parts=(Part("images.tar.gz.part0", 5, SHA), Part("images.tar.gz.part1", 4, SHA)),
)


def test_it_can_be_read_as_a_lock_file() -> None:
    found = merged({"two": TWO, "one": ONE})
    assert [str(one.reference) for one in found.images] == [
        "docker.io/library/a:latest",
        "docker.io/library/b:latest",
        "reg.lan/z:1",
    ]
    assert found.images[0] == TWO.images[0]
    assert found.skipped == (*TWO.skipped, *ONE.skipped)
    assert found.failed == ("docker.io/library/x:1", "docker.io/library/y:1")
    assert found.blobs == {**ONE.blobs, **TWO.blobs}
    assert list(found.blobs) == sorted(found.blobs)
    assert found.compressor == "zlib 1.3, zstd 1.5"
    assert found.options == {"compress": "gzip", "arch": ["amd64"]}, "what is not the same everywhere is left out"
    assert [(part.name, part.size, part.sha256) for part in found.parts] == [
        ("one/images.tar.gz", 5, SHA),
        ("two/images.tar.gz.part0", 5, SHA),
        ("two/images.tar.gz.part1", 4, SHA),
    ]


def test_it_names_the_hosts() -> None:
    document = json.loads(merge(raw({"two": TWO, "one": ONE})))
    assert document["hosts"] == ["one", "two"]
    assert [one["host"] for one in document["images"]] == ["two", "one", "one"]
    assert [one["host"] for one in document["skipped"]] == ["two", "one"]
    assert list(document) == [*json.loads(write_lock(ONE)), "hosts"]


def test_one_host() -> None:
    found = merged({"one": ONE})
    assert sorted(found.images, key=lambda one: str(one.reference)) == list(found.images)
    assert replace(found, images=ONE.images, parts=ONE.parts) == ONE


def test_what_was_converted_and_what_is_new_in_a_lock_file_is_kept() -> None:
    document = json.loads(write_lock(lock("a")))
    document["images"][0]["new"] = {"b": 1}
    [found] = json.loads(merge({"one/images.tar.gz.lock.json": json.dumps(document).encode()}))["images"]
    assert found == {**document["images"][0], "host": "one"}


OVERLAPS: dict[str, tuple[Lock, Lock]] = {
    "saved twice": (lock("a"), lock("b", "docker.io/library/a:latest")),
    "saved and skipped": (lock("a"), lock(skipped=(LockedSkip(parse_reference("a"), "", "why"),))),
    "saved and failed": (lock("a"), lock(failed=("docker.io/library/a:latest",))),
    "failed twice": (lock(failed=("docker.io/library/a:latest",)), lock(failed=("docker.io/library/a:latest",))),
}


@pytest.mark.parametrize(("first", "second"), OVERLAPS.values(), ids=OVERLAPS)
def test_an_image_in_two_of_them_is_refused(first: Lock, second: Lock) -> None:
    with pytest.raises(LockFileError) as caught:
        merged({"one": first, "two": second})
    assert str(caught.value) == (
        "docker.io/library/a:latest is in the archives of both one and two; run again on all hosts"
    )


def test_what_refers_to_images_may_be_with_both() -> None:
    """Two hosts have two tags of one image, and so both have its signature."""
    first, second = (
        replace(made, images=(*made.images, *(replace(one, refers_to=one.digest) for one in lock("a:sig").images)))
        for made in (lock("a:1"), lock("a:2"))
    )
    assert len(merged({"one": first, "two": second}).images) == 4


def test_two_tags_of_a_repository_are_two_images() -> None:
    assert len(merged({"one": lock("a:1"), "two": lock("a:2")}).images) == 2


def test_the_list_is_covered() -> None:
    lines = ["a", "docker.io/library/b:latest", "c", "d", "x:1", "y:1", "# comment", "", "reg.lan/z:1", "no reference"]
    merged({"one": ONE, "two": TWO}, *lines)


def test_a_gap_is_refused() -> None:
    with pytest.raises(LockFileError) as caught:
        merged({"one": ONE, "two": TWO}, "a", "gone", "reg.lan/z:2")
    assert str(caught.value) == (
        "2 images of the list not found in any host's archive: docker.io/library/gone:latest, reg.lan/z:2; "
        "run again on all hosts"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{}", "is not a lock file: "),
        (b"\xed\xa0\x80", "is not a lock file: "),
        (write_lock(TWO).replace(b'"version": 1', b'"version": 3'), "is a lock file of version 3"),
    ],
)
def test_what_is_no_lock_file_is_named(content: bytes, said: str) -> None:
    with pytest.raises(LockFileError, match=f"^two/images.tar.gz.lock.json {said}"):
        merge({**raw({"one": ONE}), "two/images.tar.gz.lock.json": content})


def test_no_lock_files_at_all() -> None:
    with pytest.raises(LockFileError, match="no lock file to merge was given"):
        merge({})


BAD_PATHS = ["one", "images.lock.json", "/images.lock.json", "one/images.json", "one/two/images.lock.json", ""]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_path_that_names_no_host_is_refused(path: str) -> None:
    with pytest.raises(LockFileError) as caught:
        merge({path: write_lock(ONE)})
    assert str(caught.value) == (
        f"{path} is not the path of a lock file below the directory of the set (HOST/NAME.lock.json)"
    )


def test_two_lock_files_of_one_host_are_refused() -> None:
    paths = ["one/a.tar.lock.json", "one/b.tar.lock.json"]
    with pytest.raises(LockFileError) as caught:
        merge({path: write_lock(lock()) for path in reversed(paths)})
    assert str(caught.value) == f"{paths[0]} and {paths[1]} are both of one; expected one lock file of each host"


def test_parts_are_named_as_they_lie() -> None:
    """``one/images/index.json``: the name of the directory is not in the lock file."""
    parts = (Part("index.json", 2, SHA), Part(f"share/sha256/{SHA}", 1, SHA))
    layout = lock("a", options={"compress": "dir"}, parts=parts)
    archive = lock("b", parts=(Part("images.tar.gz", 5, SHA),))
    found = merge({"one/images.lock.json": write_lock(layout), "two/images.tar.gz.lock.json": write_lock(archive)})
    assert [part["name"] for part in json.loads(found)["parts"]] == [
        "one/images/index.json",
        f"one/images/share/sha256/{SHA}",
        "two/images.tar.gz",
    ]


@pytest.mark.parametrize(
    "forged",
    [
        lock(parts=(Part("other.tar.gz", 5, SHA),)),
        lock(parts=(Part("images.tar.gz.part1", 5, SHA),)),
        lock(options={"compress": "dir"}, parts=(Part("index.json", 5, SHA),)),
    ],
)
def test_lock_files_that_name_other_files_are_refused(forged: Lock) -> None:
    with pytest.raises(LockFileError, match=r"^two/images\.tar\.gz\.lock\.json (lists|belongs to)"):
        merge(raw({"one": ONE, "two": forged}))


def test_lock_files_that_are_too_large_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    found = raw({"one": ONE, "two": TWO})
    monkeypatch.setattr(merged_lock, "LARGEST_RECORD", max(map(len, found.values())))
    merge(found)
    monkeypatch.setattr(merged_lock, "LARGEST_RECORD", min(map(len, found.values())))
    with pytest.raises(LockFileError, match="; lock files are read up to "):
        merge(found)
    monkeypatch.setattr(merged_lock, "MOST_VALUES", 3)
    with pytest.raises(LockFileError, match="it holds more than 3 values"):
        merge({"one/images.tar.gz.lock.json": b"{}" + b"," * 4})


def test_what_failed_is_shown_without_what_a_terminal_obeys() -> None:
    """Of all that a lock file names, this is not parsed."""
    forged = {host: lock(failed=("\x1b[2J\u202e" + "x" * 5000,)) for host in ("one", "two")}
    with pytest.raises(LockFileError) as caught:
        merge(raw(forged))
    assert "\\x1b[2J" in str(caught.value) and "\x1b" not in str(caught.value) and len(str(caught.value)) < 1000


def test_what_a_lock_file_covers() -> None:
    assert covered(ONE) == [
        "reg.lan/z:1",
        "docker.io/library/b:latest",
        "docker.io/library/d:latest",
        "docker.io/library/y:1",
    ]


@given(st.lists(st.sampled_from("abcdefgh"), unique=True), st.lists(st.sampled_from(["one", "two", "h3"]), min_size=8))
def test_every_image_is_in_it_once(names: list[str], owners: list[str]) -> None:
    share = {host: [name for name, owner in zip(names, owners) if owner == host] for host in sorted(set(owners))}
    document = json.loads(merge(raw({host: lock(*share[host]) for host in share}), names))
    assert [one["reference"] for one in document["images"]] == [
        f"docker.io/library/{one}:latest" for one in sorted(names)
    ]
    assert all(one["reference"][18:19] in share[one["host"]] for one in document["images"])


def test_the_order_of_the_hosts_does_not_matter() -> None:
    found = raw({"one": ONE, "two": TWO})
    assert merge(found) == merge(dict(reversed(found.items())))


def test_parity_files_are_named_below_their_hosts() -> None:
    parity = Part("images.tar.gz.parity", 5, SHA)
    found = merged({"two": replace(TWO, parity=(parity,)), "one": ONE})
    assert found.parity == (replace(parity, name="two/images.tar.gz.parity"),)
    assert "parity" not in json.loads(merge(raw({"two": TWO, "one": ONE})))
