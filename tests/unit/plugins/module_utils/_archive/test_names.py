# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of the files of an archive."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.airgap.images.plugins.module_utils._archive.names import (
    checksum_lines,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.tests.unit.fakes import make_options


def test_checksum_lines(tmp_path: Path) -> None:
    parts = [Part("a.part0", 1, "ab" * 32), Part("a.part1", 1, "cd" * 32)]
    plain = make_options(tmp_path).output
    assert checksum_lines(plain, parts) == f"{'ab' * 32}  a.part0\n{'cd' * 32}  a.part1\n".encode()
    tree = make_options(tmp_path, compress="dir").output
    assert checksum_lines(tree, parts[:1]) == f"{'ab' * 32}  images/a.part0\n".encode()
