# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of what failed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, StorageError
from ansible_collections.airgap.images.plugins.module_utils._host.attributes import NoAttributes
from ansible_collections.airgap.images.plugins.module_utils._host.files import temporary_of
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import (
    ImageList,
    InvalidLine,
    Origin,
    decode_list,
    parse_lines,
    split_lines,
)
from ansible_collections.airgap.images.plugins.module_utils._publish.failed_list import (
    refuse_foreign,
    render,
    update,
)
from ansible_collections.airgap.images.tests.unit.fakes import failed_image, listed, mark


def lines(text: str) -> ImageList:
    return parse_lines((Origin("x", number), line) for number, line in enumerate(split_lines(text), start=1))


def test_reasons_are_comments() -> None:
    failed = [failed_image(listed("a"), "404\n\x1b[31m"), failed_image(listed("reg.lan/b:1"), "no connection")]
    invalid = [InvalidLine(Origin("/srv/list", 3), "docker pull x", "it contains whitespace")]
    assert render(failed, invalid).decode() == (
        "# airgap.images: what could not be saved, with the reasons\n"
        "# images, item 1: 404\\x0a\\x1b[31m\ndocker.io/library/a:latest\n"
        "# images, item 1: no connection\nreg.lan/b:1\n"
        "# /srv/list:3: it contains whitespace\ndocker pull x\n"
    )


def test_nothing_failed() -> None:
    assert render([], []) == b""


@given(st.lists(st.text(max_size=12) | st.sampled_from(["a", "b:1", "docker pull x", "A", "A" * 700])))
def test_it_is_a_list_of_the_same_failures(texts: list[str]) -> None:
    first = lines("\n".join(texts))
    failed = [failed_image(image, "404") for image in first.images]
    again = lines(decode_list(render(failed, first.invalid)))
    assert [image.reference for image in again.images] == [image.reference for image in first.images]
    assert len(again.invalid) == len(first.invalid)


def test_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "failed.txt"
    assert update(str(path), b"a\n", NoAttributes(), made="/srv", check=False) is True
    assert path.read_bytes() == b"a\n"
    assert os.listdir(tmp_path) == ["failed.txt"]


def test_it_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "failed.txt"
    path.write_bytes(b"old\n")
    assert update(str(path), b"new\n", NoAttributes(), made="/srv", check=False) is True
    assert path.read_bytes() == b"new\n"


def test_it_is_left_alone_when_it_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "failed.txt"
    path.write_bytes(b"a\n")
    before = mark(path)
    assert update(str(path), b"a\n", NoAttributes(), made="/srv", check=False) is False
    assert mark(path) == before


def test_it_is_removed_when_nothing_failed(tmp_path: Path) -> None:
    path = tmp_path / "failed.txt"
    path.write_bytes(b"a\n")
    assert update(str(path), b"", NoAttributes(), made="/srv", check=False) is True
    assert not path.exists()
    assert update(str(path), b"", NoAttributes(), made="/srv", check=False) is False


@pytest.mark.parametrize(("before", "content"), [(None, b"a\n"), (b"b\n", b"a\n"), (b"b\n", b"")])
def test_check_mode_only_tells(tmp_path: Path, before: bytes | None, content: bytes) -> None:
    path = tmp_path / "failed.txt"
    if before is not None:
        path.write_bytes(before)
    assert update(str(path), content, NoAttributes(), made="/srv", check=True) is True
    assert (path.read_bytes() if path.exists() else None) == before


def test_a_list_of_an_earlier_run_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "failed.txt"
    refuse_foreign(str(path), made="/srv")
    path.write_bytes(b"")
    refuse_foreign(str(path), made="/srv")
    path.write_bytes(render([failed_image(listed("a"), "404")], []))
    refuse_foreign(str(path), made="/srv")


def test_a_file_of_the_user_may_not(tmp_path: Path) -> None:
    path = tmp_path / "images.txt"
    path.write_text("nginx\n")
    with pytest.raises(OptionError, match=r"failed_list: .* is a file that this module did not write"):
        refuse_foreign(str(path), made="/srv")
    with pytest.raises(OptionError, match=r"failed_list: cannot read .*not a regular file"):
        refuse_foreign(str(tmp_path), made="/srv")


def test_a_directory_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="failed_list: cannot read"):
        update(str(tmp_path), b"a\n", NoAttributes(), made="/srv", check=False)


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"failed_list: cannot write .*No such file"):
        update(str(tmp_path / "missing" / "failed.txt"), b"a\n", NoAttributes(), made="/srv", check=False)


def test_a_directory_that_is_not_there_is_noticed_early(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"failed_list: .*missing is not a directory that this user can write to"):
        refuse_foreign(str(tmp_path / "missing" / "failed.txt"), made="/srv")


@pytest.mark.parametrize("place", ["failed.txt", os.path.basename(temporary_of("failed.txt"))])
def test_a_planted_link_is_not_followed(tmp_path: Path, place: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / place).symlink_to(victim)
    path = tmp_path / "failed.txt"
    if place == path.name:
        with pytest.raises(StorageError, match="failed_list: cannot read"):
            update(str(path), b"a\n", NoAttributes(), made="/srv", check=False)
    else:
        assert update(str(path), b"a\n", NoAttributes(), made="/srv", check=False)
        assert path.read_bytes() == b"a\n"
        assert sorted(each.name for each in tmp_path.iterdir()) == ["failed.txt", "victim"]
    assert victim.read_text() == "untouched"


def test_a_fifo_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "failed.txt"
    os.mkfifo(path)
    with pytest.raises(OptionError, match="is not a regular file"):
        refuse_foreign(str(path), made="/srv")
