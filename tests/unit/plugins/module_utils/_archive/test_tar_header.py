# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Headers, which have to be those of Python's library to the last byte."""

from __future__ import annotations

import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive.tar_header import header_of

GIB = 2**30
SHARE = "saved-image-cache/share/sha256/" + "ab" * 32


def by_library(name: str, kind: bytes, mode: int, size: int, target: str) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname, info.mtime = kind, mode, size, target, 315532800
    return info.tobuf(tarfile.GNU_FORMAT)


MEMBERS: dict[str, tuple[str, bytes, int, int, str]] = {
    "directory": ("saved-image-cache/", tarfile.DIRTYPE, 0o755, 0, ""),
    "blob": (SHARE, tarfile.REGTYPE, 0o644, 1234, ""),
    "link": ("saved-image-cache/x/blobs", tarfile.SYMTYPE, 0o777, 0, "../share"),
    "longest name": ("x" * 100, tarfile.REGTYPE, 0o644, 1, ""),
    "longer name": ("x" * 101, tarfile.REGTYPE, 0o644, 1, ""),
    "longest target": ("x", tarfile.SYMTYPE, 0o777, 0, "y" * 100),
    "longer target": ("x", tarfile.SYMTYPE, 0o777, 0, "y" * 101),
    "name of another script": ("ä" * 60, tarfile.REGTYPE, 0o644, 1, ""),
    "largest in octal": (SHARE, tarfile.REGTYPE, 0o644, 8 * GIB - 1, ""),
    "larger": (SHARE, tarfile.REGTYPE, 0o644, 8 * GIB, ""),
}


@pytest.mark.parametrize("member", MEMBERS.values(), ids=MEMBERS)
def test_a_header_is_the_one_of_the_library(member: tuple[str, bytes, int, int, str]) -> None:
    name, kind, mode, size, target = member
    assert header_of(name, kind, mode, size=size, target=target) == by_library(*member)


@given(
    name=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=120),
    kind=st.sampled_from([tarfile.REGTYPE, tarfile.SYMTYPE]),
    mode=st.sampled_from([0o644, 0o755, 0o777]),
    size=st.integers(0, 10**13),
)
def test_so_is_the_header_of_any_member(name: str, kind: bytes, mode: int, size: int) -> None:
    assert header_of(name, kind, mode, size=size) == by_library(name, kind, mode, size, "")
