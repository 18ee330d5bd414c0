# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What counts as arrived of earlier archives, and where it can be found."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.base_files import (
    GivenFile,
    archives_of,
    with_confirmations,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.bases import BaseArchive, Bases
from ansible_collections.airgap.images.plugins.module_utils._archive.lock import (
    Lock,
    LockedBase,
    LockedImage,
    LockedPlatform,
    Requirement,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.offsets import Offset
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._archive.receipt import (
    Receipt,
    confirmation_of,
    render,
    with_number,
)
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError
from ansible_collections.airgap.images.plugins.module_utils._oci.manifest import Manifest, parse_manifest
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import OCI_MANIFEST
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def image(name: str, number: int) -> LockedImage:
    platform = LockedPlatform(digest(number), digest(number), OCI_MANIFEST, 7, None)
    return LockedImage(
        parse_reference(f"reg.lan/{name}:1"), digest(number), OCI_MANIFEST, (platform,), (), digest(number)
    )


def manifest(config: int, *layers: int) -> bytes:
    def descriptor(number: int) -> dict[str, object]:
        return {"mediaType": "application/octet-stream", "digest": digest(number), "size": number}

    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(config)}
    return json.dumps({**document, "layers": [descriptor(layer) for layer in layers]}).encode()


# Two images that share the layer 100.
DOCUMENTS: Mapping[str, bytes] = {digest(1): manifest(10, 100, 101), digest(2): manifest(20, 100, 102)}
SIZES = {digest(number): number for number in (1, 2, 10, 20, 100, 101, 102)}
PARTS = tuple(Part(f"a.tar.part{number}", 100, "ab" * 32) for number in range(3))
FULL = Lock({"compress": "none"}, (image("one", 1), image("two", 2)), blobs=SIZES, parts=PARTS)


def given(name: str, lock: Lock) -> GivenFile:
    return GivenFile(f"/x/{name}.lock.json", write_lock(lock))


def receipt_of(*files: GivenFile, target: str = "t", lacking: tuple[str, ...] = ()) -> GivenFile:
    names = tuple((file.path.rpartition("/")[2], file.sha256) for file in files)
    return GivenFile("/x/receipt.json", render(with_number(Receipt(names, "tags", target, lacking=lacking))))


def bases(*files: GivenFile, documents: Mapping[str, bytes] = DOCUMENTS) -> Bases:
    return Bases(archives_of(files), documents.get)


def test_an_archive_without_a_receipt_is_assumed() -> None:
    found = bases(given("a.tar", FULL))
    assert found.sizes == SIZES
    (recorded,) = found.recorded
    assert (recorded.name, recorded.has_receipt) == ("a.tar", False)


@pytest.mark.parametrize("documents", [DOCUMENTS, {}])
def test_of_an_incomplete_receipt_only_what_its_images_name(documents: Mapping[str, bytes]) -> None:
    """If a manifest is not known any more, neither are its layers."""
    lock = given("a.tar", FULL)
    found = bases(lock, receipt_of(lock, lacking=("reg.lan/two:1",)), documents=documents)
    assert found.recorded[0].has_receipt
    assert found.sizes.keys() == ({digest(n) for n in (1, 10, 100, 101)} if documents else {digest(1)})


@pytest.mark.parametrize(
    ("targets", "arrived"),
    [(("t", "t"), {"one", "two"}), (("t", "u"), set()), (("t", ""), {"one", "two"})],
)
def test_receipts_of_one_registry_complete_each_other(targets: tuple[str, str], arrived: set[str]) -> None:
    """Of two, what both have counts."""
    lock = given("a.tar", FULL)
    lacking = ("reg.lan/two:1", "reg.lan/one:1")
    receipts = [receipt_of(lock, target=each, lacking=(name,)) for each, name in zip(targets, lacking)]
    (archive,) = archives_of([lock, *receipts])
    assert {one.reference.repository for one in archive.arrived()} == arrived


def test_where_a_layer_is() -> None:
    """In the repositories that name it; where that is not known, in all that may."""
    lock = given("a.tar", FULL)
    needed = bases(lock).requirements([digest(100), digest(101)])
    assert needed[digest(101)] == Requirement(101, ("reg.lan/one",), "a.tar", tuple(part.name for part in PARTS))
    assert needed[digest(100)].repositories == ("reg.lan/one", "reg.lan/two")
    half = bases(lock, documents={digest(2): DOCUMENTS[digest(2)]}).requirements([digest(101)])
    assert half[digest(101)].repositories == ("reg.lan/one",)
    none = bases(lock, documents={}).requirements([digest(101)])
    assert none[digest(101)].repositories == ("reg.lan/one", "reg.lan/two")


def test_a_manifest_that_is_known_is_not_read_again() -> None:
    """What a bundle resolves, its base mostly has."""
    read: list[str] = []
    found = Bases(archives_of([given("a.tar", FULL)]), lambda name: read.append(name))
    for name, raw in DOCUMENTS.items():
        content = parse_manifest(raw)
        assert isinstance(content, Manifest)
        found.know(name, content)
    assert found.requirements(SIZES) == bases(given("a.tar", FULL)).requirements(SIZES)
    assert read == []


@pytest.mark.parametrize(
    ("position", "following", "parts"),
    [
        (0, 100, "0"),
        (0, 101, "01"),
        (99, 100, "0"),
        (100, 200, "1"),
        (100, 299, "12"),
        (250, None, "2"),
        (0, None, "012"),
    ],
)
def test_the_parts_that_a_layer_may_be_in(position: int, following: int | None, parts: str) -> None:
    """From where a reader starts to where the next one can."""
    offsets = {digest(101): Offset(position, 5)}
    if following is not None:
        offsets[digest(102)] = Offset(following, 0)
    lock = Lock(FULL.options, FULL.images, blobs=SIZES, parts=PARTS, offsets=offsets)
    needed = bases(given("a.tar", lock)).requirements([digest(101)])[digest(101)]
    assert needed.parts == tuple(f"a.tar.part{number}" for number in parts)


def test_of_many_parts_without_offsets_none_is_named() -> None:
    many = tuple(Part(f"a.tar.part{number:02d}", 1, "ab" * 32) for number in range(21))
    lock = Lock(FULL.options, FULL.images, blobs=SIZES, parts=many)
    assert bases(given("a.tar", lock)).requirements([digest(101)])[digest(101)].parts == ()


def test_a_directory_has_a_file_for_each() -> None:
    names = [f"share/sha256/{number:064x}" for number in (100, 101)]
    parts = tuple(Part(name, 1, "ab" * 32) for name in names)
    lock = Lock({"compress": "dir"}, FULL.images, blobs=SIZES, parts=parts)
    assert bases(given("a", lock)).requirements([digest(101)])[digest(101)].parts == (names[1],)


def test_what_a_bundle_needs_is_there_too() -> None:
    """With the archive that carried it first, even if that is not given."""
    needed = Requirement(100, ("reg.lan/old",), "old.tar", ("old.tar",))
    bundle = Lock(
        FULL.options,
        FULL.images,
        blobs={name: size for name, size in SIZES.items() if size != 100},
        parts=PARTS,
        base=(LockedBase("old.tar", "cd" * 32, False),),
        requires={digest(100): needed},
    )
    found = bases(given("b.tar", bundle))
    assert found.sizes == SIZES
    where = found.requirements([digest(100)])[digest(100)]
    assert (where.archive, where.parts) == ("old.tar", ("old.tar",))
    assert where.repositories == ("reg.lan/old", "reg.lan/one", "reg.lan/two")


def chain() -> tuple[GivenFile, GivenFile]:
    first = given("a.tar", FULL)
    base = (LockedBase("a.tar", first.sha256, False),)
    return first, given("b.tar", Lock(FULL.options, FULL.images, blobs={}, parts=PARTS, base=base))


def test_the_newest_are_those_that_no_other_rests_on() -> None:
    assert [one.name for one in bases(*chain()).newest] == ["b.tar"]
    assert [one.name for one in bases(given("a.tar", FULL), given("b.tar", FULL)).newest] == ["a.tar"]  # one lock


def test_another_archive_of_the_name_of_a_base_is_refused() -> None:
    first, second = chain()
    other = given("a.tar", Lock(FULL.options, FULL.images[:1], blobs=SIZES, parts=PARTS))
    with pytest.raises(LockFileError, match=rf"^b\.tar rests on a\.tar .*{first.sha256}.* has {other.sha256}"):
        archives_of([other, second])
    assert len(archives_of([other, second, first])) == 3


def test_the_archives_of_a_set_may_have_one_name() -> None:
    """Of which not all need to be given."""
    north = given("a.tar", FULL)
    base = (LockedBase("a.tar", north.sha256, False), LockedBase("a.tar", 64 * "d", False))
    second = given("b.tar", Lock(FULL.options, FULL.images, blobs={}, parts=PARTS, base=base))
    assert len(archives_of([north, second])) == 2


def test_a_lock_file_under_two_names_counts_once_in_any_order() -> None:
    """Same base, same bytes."""
    raw = write_lock(Lock(options={}, images=(image("a", 1),), blobs={digest(1): 7}))
    one, two = (GivenFile(f"/records/{name}.lock.json", raw) for name in ("one.tar.gz", "two.tar.gz"))
    for given in ([one, two], [two, one], [two, one, two]):
        (archive,) = archives_of(given)
        assert archive.name == "one.tar.gz"


def test_a_receipt_of_something_else_is_refused() -> None:
    with pytest.raises(LockFileError, match=r"is the receipt of 'b.tar.lock.json' .* was not given; add its path$"):
        archives_of([given("a.tar", FULL), receipt_of(chain()[1])])


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (GivenFile("/x/a.tar.lock.json", b"{}"), "^/x/a.tar.lock.json is not a lock file"),
        (GivenFile("/x/a.tar.lock.json", b'{"version": 3}'), "^/x/a.tar.lock.json is a lock file of version 3"),
        (GivenFile("/x/a.tar.lock.json", b"nothing"), "^/x/a.tar.lock.json is not a lock file"),
        (GivenFile("/x/a.json", write_lock(FULL)), r"^/x/a.json must be called NAME.lock.json"),
        (GivenFile("/x/.lock.json", write_lock(FULL)), r"must be called NAME"),
        (GivenFile("/x/a.lock.json", write_lock(Lock({}, ()))), r"^/x/a.lock.json names no image$"),
        (GivenFile("/x/r.json", b'{"locks": 1}'), r"^/x/r.json: it is not a receipt"),
    ],
)
def test_files_that_are_neither(file: GivenFile, said: str) -> None:
    with pytest.raises(LockFileError, match=said):
        archives_of([file])


@pytest.mark.parametrize("count", [1, 2])
def test_a_line_confirms_what_was_loaded_together(count: int) -> None:
    """Of one archive, or of several, in whatever order they were given."""
    files = chain()
    names = sorted((file.path.rpartition("/")[2], file.sha256) for file in files[:count])
    line = confirmation_of(with_number(Receipt(tuple(names), "manifests", "elsewhere")))
    confirmed = with_confirmations(archives_of(files[::-1]), [f" {line.upper()} "])
    assert {one.name for one in confirmed if one.receipts} == {"a.tar", "b.tar"} if count == 2 else {"a.tar"}
    with pytest.raises(LockFileError, match=r"confirms none of the lock files that were given; have it read out"):
        with_confirmations(archives_of([given("c.tar", Lock(FULL.options, FULL.images[:1]))]), [line])


def test_archives_are_sorted() -> None:
    archives = [BaseArchive(name, sha256, FULL) for name, sha256 in (("b", "1"), ("a", "2"), ("a", "1"))]
    assert [one.key for one in Bases(archives, DOCUMENTS.get).archives] == [("a", "1"), ("a", "2"), ("b", "1")]
