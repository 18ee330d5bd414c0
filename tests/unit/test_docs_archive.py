# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statements of docs/archive.md about files that are too large for an archive of a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.tar import TarWriter
from ansible_collections.airgap.images.plugins.module_utils._base.errors import DamagedBlobError
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor

_LIMIT = 8 * 1024**3


class _Pieces:
    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes, *, stored: bool) -> None:
        self.pieces.append(data)

    def end_blob(self) -> None:
        pass

    def end_image(self) -> None:
        pass

    def finish(self) -> None:
        pass


@pytest.mark.parametrize(
    ("size", "field"),
    [
        (_LIMIT - 1, b"77777777777\0"),
        (_LIMIT, b"\x80" + _LIMIT.to_bytes(11, "big")),
        (2**50, b"\x80" + (2**50).to_bytes(11, "big")),
    ],
)
def test_sizes_from_8_gib_on_are_written_as_gnu_does(tmp_path: Path, size: int, field: bytes) -> None:
    """The header comes before the file is read, and so before it is found to be shorter."""
    path = tmp_path / "blob"
    path.write_bytes(b"")
    encoder = _Pieces()
    with pytest.raises(DamagedBlobError):
        TarWriter(encoder).blob("name", str(path), Descriptor("", f"sha256:{64 * '0'}", size))
    assert encoder.pieces[0][124:136] == field
