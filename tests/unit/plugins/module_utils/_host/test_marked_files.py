# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of files comes out as it went in."""

from __future__ import annotations

from ansible_collections.airgap.images.plugins.module_utils._host.marked_files import MarkedFiles

ONE, TWO = "1" * 64, "2" * 64
MARK = b"1:2:3:4:5"
PATHS = {f"/archive/share/sha256/{ONE}": ONE, f"/archive/{ONE}/index.json": TWO, "/archive.part0": ONE}


def filled() -> MarkedFiles:
    files = MarkedFiles()
    for path, sha256 in PATHS.items():
        files.put(path, MARK, sha256)
    return files


def test_what_is_known_comes_out() -> None:
    files = filled()
    assert [*files] == [(path, MARK, sha256) for path, sha256 in PATHS.items()]
    assert {path: files.get(path) for path in PATHS} == {path: (MARK, sha256) for path, sha256 in PATHS.items()}


def test_another_path_is_not_known() -> None:
    files = filled()
    assert files.get(f"/archive/share/sha256/{TWO}") is None
    assert files.get(f"/archive/{ONE}/oci-layout") is None
    assert files.get("/archive.part1") is None


def test_a_file_can_change_and_be_dropped() -> None:
    files = filled()
    path = f"/archive/share/sha256/{ONE}"
    files.put(path, MARK, TWO)
    assert files.get(path) == (MARK, TWO)
    files.drop(path)
    files.drop("/never/there")
    assert files.get(path) is None
