# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Places in an archive that can be read without what precedes them."""

from __future__ import annotations

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.offsets import Offset, Starts


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        (0, Offset(10, 0)),
        (99, Offset(10, 99)),
        (100, Offset(50, 0)),
        (250, Offset(50, 150)),
        (300, Offset(90, 0)),
        (10**12, Offset(90, 10**12 - 300)),
    ],
)
def test_the_last_start_before_a_place_counts(plain: int, expected: Offset) -> None:
    starts = Starts()
    starts.add(plain=0, position=10)
    starts.add(plain=100, position=50)
    starts.add(plain=300, position=80)
    starts.add(plain=300, position=90)  # what was between them is empty
    assert starts.offset_of(plain) == expected
    assert starts.length_since(450) == 150
