# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names come out of their form and digest as they went in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.digest_names import DigestNames

DIGEST = "0123456789abcdef" * 4


@given(st.lists(st.text() | st.tuples(st.text(), st.text()).map(lambda around: DIGEST.join(around))))
def test_names_come_out_as_they_went_in(texts: list[str]) -> None:
    names = DigestNames()
    assert [names.join(*names.split(name)) for name in texts] == texts


def test_equal_forms_are_kept_once() -> None:
    names = DigestNames()
    split = [names.split(f"share/{digit * 64}") for digit in "abc"]
    assert split == [(0, bytes.fromhex(digit * 64)) for digit in "abc"]


@pytest.mark.parametrize(
    "name", ["index.json", "a" * 63, "a" * 65, f"share/{'A' * 64}", f"share/{'a' * 64}0"], ids=lambda name: name[:20]
)
def test_what_has_no_digest_is_kept_as_it_is(name: str) -> None:
    assert DigestNames().split(name)[1] == b""
