# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of what arrived: what it says, what it does not, and what is not one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive.receipt import (
    DEPTHS,
    Receipt,
    confirmation_of,
    confirmed_by,
    parse,
    receipt_of,
    render,
    with_number,
)
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError, OptionError, StorageError
from ansible_collections.airgap.images.plugins.module_utils._load.receipt_file import read_receipt, update_receipt

LOCKS = [("images.lock.json", "a" * 64), ("images.lock.json", "b" * 64)]
NAMES = st.sets(st.text("abc/:1", min_size=1, max_size=5), max_size=5)


def made(loaded: Any = ("a:1", "b:1"), lacking: Any = (), checked: str = "tags") -> Any:
    return receipt_of(LOCKS, checked=checked, target="0123", loaded=loaded, lacking=lacking)


@given(loaded=NAMES, lacking=NAMES, checked=st.sampled_from(DEPTHS))
def test_what_was_written_is_read(loaded: set[str], lacking: set[str], checked: str) -> None:
    receipt = with_number(made(loaded, lacking - loaded, checked))
    assert parse(render(receipt)) == receipt
    assert receipt.is_complete is not (lacking - loaded)


def test_the_shorter_list_is_written() -> None:
    assert json.loads(render(made("abc", "d")))["lacking"] == ["d"]
    assert json.loads(render(made("a", "bcd")))["loaded"] == ["a"]
    assert {"loaded", "lacking"} & json.loads(render(made())).keys() == set()


def test_lock_files_of_one_name_are_told_apart() -> None:
    assert json.loads(render(made()))["locks"] == {"a" * 64: "images.lock.json", "b" * 64: "images.lock.json"}


def test_the_number_makes_no_difference() -> None:
    one, two = with_number(made()), with_number(made())
    assert one != two
    assert one.says_same(two)
    assert not one.says_same(with_number(made(checked="blobs")))


@pytest.mark.parametrize(
    "changed",
    [{"version": 2}, {"checked": "all"}, {"complete": False}, {"lacking": ["x"]}, {"locks": []}, {"number": 1}],
)
def test_what_contradicts_itself_is_no_receipt(changed: dict[str, Any]) -> None:
    document = {**json.loads(render(made())), **changed}
    with pytest.raises(LockFileError, match="it is not a receipt"):
        parse(json.dumps(document).encode())


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"version": 1}', b"\xff"])
def test_other_bytes_are_no_receipt(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    path.write_bytes(raw)
    with pytest.raises(OptionError, match="name another file"):
        read_receipt(str(path))


def is_new(path: str, receipt: Receipt, *, check: bool) -> bool:
    update = update_receipt(path, lambda _before: receipt, check=check)
    assert update is not None
    return update[0]


def test_a_file_is_only_written_to_say_something_else(tmp_path: Path) -> None:
    path = str(tmp_path / "receipt.json")
    assert read_receipt(path) is None
    assert is_new(path, made(), check=True)
    assert [*tmp_path.iterdir()] == []
    assert is_new(path, made(), check=False)
    first = Path(path).read_bytes()
    assert not is_new(path, made(), check=False)
    assert not is_new(path, made(), check=True)
    assert Path(path).read_bytes() == first
    assert is_new(path, made(lacking="x"), check=True)
    assert Path(path).read_bytes() == first
    assert is_new(path, made(lacking="x"), check=False)
    found = read_receipt(path)
    assert found is not None
    assert found.lacking == ("x",)
    assert found.number != parse(first).number


def test_a_receipt_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(render(made()))
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(StorageError, match="receipt: cannot read"):
        is_new(str(tmp_path / "link"), made(lacking="x"), check=False)
    assert parse((tmp_path / "real").read_bytes()).is_complete


@pytest.mark.parametrize("checked", DEPTHS)
def test_a_complete_receipt_is_confirmed_by_a_line(checked: str) -> None:
    receipt = with_number(made(checked=checked))
    line = confirmation_of(receipt)
    found = confirmed_by(f" {line[:4]} {line[4:].upper()}", reversed(LOCKS))
    assert found is not None
    assert (found.lock_sha256, found.checked, found.number) == (receipt.lock_sha256, checked, receipt.number)
    assert found.is_complete


def test_a_line_confirms_nothing_else() -> None:
    line = confirmation_of(with_number(made()))
    assert confirmed_by(line, LOCKS[:1]) is None
    assert confirmed_by(f"{'0' * 16}{line[16:]}", LOCKS) is None
    assert confirmation_of(with_number(made(lacking="x"))) == ""
    assert confirmation_of(made()) == ""
    with pytest.raises(LockFileError, match="is not a confirmation"):
        confirmed_by("0123", LOCKS)
