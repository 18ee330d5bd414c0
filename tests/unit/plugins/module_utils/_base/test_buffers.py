# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Memory that is used again."""

from __future__ import annotations

from ansible_collections.airgap.images.plugins.module_utils._base.buffers import Buffers


def test_what_is_given_back_is_taken_again() -> None:
    buffers = Buffers(10)
    first, second = buffers.take(), buffers.take()
    assert len(first) == len(second) == 10 and first.obj is not second.obj
    buffers.give(first[2:5])
    third = buffers.take()
    assert third.obj is first.obj and len(third) == 10
    fourth = buffers.take()
    assert fourth.obj is not first.obj and fourth.obj is not second.obj


def test_other_bytes_are_left_alone() -> None:
    buffers = Buffers(10)
    for other in (b"0123456789", memoryview(b"0123456789"), memoryview(bytearray(11))):
        buffers.give(other)
    assert buffers.take().tobytes() == bytes(10)
