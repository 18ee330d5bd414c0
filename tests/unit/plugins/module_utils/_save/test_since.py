# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of a bundle: read from files, and whether there is anything to carry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.bases import BaseArchive, Bases
from ansible_collections.airgap.images.plugins.module_utils._archive.lock import (
    Lock,
    LockedBase,
    LockedImage,
    Requirement,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.output import Output
from ansible_collections.airgap.images.plugins.module_utils._archive.receipt import Receipt
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import OCI_INDEX
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference
from ansible_collections.airgap.images.plugins.module_utils._save.options import Since
from ansible_collections.airgap.images.plugins.module_utils._save.resolved_list import ResolvedList
from ansible_collections.airgap.images.plugins.module_utils._save.since import read_bases
from ansible_collections.airgap.images.plugins.module_utils._save.since_bundle import is_needless, rests_on


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def lock_of(*images: tuple[str, int], base: Sequence[LockedBase] = ()) -> Lock:
    """Images by their names, with the number of their digests."""
    made = tuple(
        LockedImage(parse_reference(f"reg.lan/{name}:1"), digest(number), OCI_INDEX, (), ()) for name, number in images
    )
    return Lock({}, made, blobs={digest(number): number for _name, number in images}, base=tuple(base))


def bases(*locks: Lock, receipts: tuple[Receipt, ...] = ()) -> Bases:
    archives = [BaseArchive(f"{n}.tar", f"{n:064x}", lock, receipts) for n, lock in enumerate(locks)]
    return Bases(archives, lambda _digest: None)


FIRST = lock_of(("a", 1), ("b", 2))
SECOND = lock_of(("a", 1), ("b", 3), base=[LockedBase("0.tar", f"{0:064x}", False)])
PARTIAL = Receipt((("0.tar.lock.json", f"{0:064x}"),), "tags", "t", lacking=("reg.lan/b:1",))


@pytest.mark.parametrize(
    ("wanted", "known", "expected"),
    [
        (FIRST, bases(FIRST), True),
        (lock_of(("b", 2), ("a", 1)), bases(FIRST), True),
        (lock_of(("a", 1), ("b", 9)), bases(FIRST), False),
        (lock_of(("a", 1)), bases(FIRST), False),
        (lock_of(("a", 1), ("b", 2), ("c", 1)), bases(FIRST), False),
        (SECOND, bases(FIRST, SECOND), True),
        (FIRST, bases(FIRST, SECOND), False),
        (lock_of(("a", 1), ("c", 3)), bases(FIRST, lock_of(("c", 3))), True),
        (FIRST, bases(FIRST, receipts=(PARTIAL,)), False),
    ],
    ids=[
        "the same",
        "in another order",
        "a moved tag",
        "a shorter list",
        "a longer list",
        "the newest of a chain",
        "a tag that moved back",
        "a share of a set",
        "not all of it has arrived",
    ],
)
def test_when_there_is_nothing_to_carry(wanted: Lock, known: Bases, expected: bool) -> None:
    assert is_needless(ResolvedList([], (), (), wanted), known) is expected


def test_whether_a_bundle_still_leaves_out_what_it_should() -> None:
    known = bases(FIRST)
    needed = {digest(1): Requirement(1, (), "0.tar", ())}
    bundle = replace(lock_of(("c", 5)), base=known.recorded, requires=needed)
    assert rests_on(bundle, known, document_size=10)
    assert not rests_on(bundle, bases(FIRST, SECOND), document_size=10)
    assert not rests_on(replace(bundle, requires={digest(9): needed[digest(1)]}), known, document_size=10)
    assert not rests_on(replace(bundle, blobs={digest(2): 2}), known, document_size=1)
    assert not rests_on(FIRST, known, document_size=10)


class Files:
    """Lock files in a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.output = Output(str(root / "out.tar"), "none", None, None, None, None, False, False)

    def put(self, name: str, lock: Lock) -> str:
        path = self.root / f"{name}.lock.json"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(write_lock(lock))
        return str(path)

    def read(self, *paths: str, missing: str = "error", confirmed: tuple[str, ...] = ()) -> tuple[Bases | None, str]:
        return read_bases(Since(paths, missing, confirmed), self.output, Cache(str(self.root / "cache")))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_without_files_the_archive_is_full(files: Files) -> None:
    assert files.read() == (None, "")


def test_the_lock_file_of_a_set_stands_for_those_of_its_hosts(files: Files) -> None:
    files.put("north/one.tar", FIRST)
    files.put("south/two.tar", SECOND)
    record = files.root / "images.lock.json"
    record.write_text(json.dumps({"version": 1, "hosts": ["north", "south"]}))
    found, _why = files.read(str(record))
    assert found is not None and [one.name for one in found.archives] == ["one.tar", "two.tar"]
    record.write_text(json.dumps({"hosts": ["north", "west"]}))
    with pytest.raises(OptionError, match=r"^since: .*images.lock.json is the lock file of a set, .*west; copy"):
        files.read(str(record))
    record.write_text(json.dumps({"hosts": [".."]}))
    with pytest.raises(OptionError, match=r"^since: .*images.lock.json is not a lock file: '..' is not the name"):
        files.read(str(record))


def test_a_link_has_the_name_of_what_it_leads_to(files: Files) -> None:
    path = Path(files.put("october.tar", FIRST))
    link = path.with_name("latest.lock.json")
    link.symlink_to(path)
    found, _why = files.read(str(link))
    assert found is not None and found.archives[0].name == "october.tar"


def test_what_cannot_be_read_is_an_error_or_gives_a_full_archive(files: Files) -> None:
    gone = str(files.root / "gone.lock.json")
    with pytest.raises(OptionError, match=r"^since: cannot read .*: No such file.*\. since_missing=full saves a full"):
        files.read(gone)
    found, why = files.read(files.put("a.tar", FIRST), gone, missing="full")
    assert found is None and why.startswith("since: cannot read ")
    with pytest.raises(OptionError, match=r"^since: .* is the lock file of the archive at dest, .*/out-bundle.tar$"):
        files.read(files.put("out.tar", FIRST), missing="full")


@pytest.mark.parametrize("line", ["", "0123456789abcdef-0123456789abcdef"])
def test_a_line_that_confirms_nothing_is_refused_in_any_case(files: Files, line: str) -> None:
    with pytest.raises(OptionError, match=r"^since_confirmed: .* confirm"):
        files.read(files.put("a.tar", FIRST), missing="full", confirmed=(line,))
