# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries that nobody answers for."""

from __future__ import annotations

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import ConnectionRefused, TransferError
from ansible_collections.airgap.images.plugins.module_utils._registry.outage import Outages

HOST, OTHER = "reg.lan", "other.lan"


def refused(name: str = "") -> ConnectionRefused:
    return ConnectionRefused(f"refused {name}", heals=False, is_final=True)


def end(outages: Outages, *names: str, registry: str = HOST) -> list[str]:
    return [str(outages.ended(registry, name, refused(name))) for name in names]


def test_five_images_in_a_row_are_enough() -> None:
    outages = Outages()
    assert end(outages, *"abcd") == [f"refused {name}" for name in "abcd"]
    outages.check(HOST)
    assert end(outages, "e") == ["refused e"]
    with pytest.raises(TransferError, match=r"reg\.lan was given up: the last 5 images") as caught:
        outages.check(HOST)
    assert (caught.value.heals, caught.value.is_final) == (False, True)
    assert end(outages, "f") == [str(caught.value)], "it was under way meanwhile"
    outages.check(OTHER)


def test_an_image_counts_once_however_many_of_its_transfers_fail() -> None:
    outages = Outages()
    assert end(outages, *"aaaaaabbbb") == ["refused a"] * 6 + ["refused b"] * 4
    outages.check(HOST)


def test_an_answer_ends_the_row() -> None:
    outages = Outages()
    end(outages, *"abcd")
    outages.answered(HOST)
    end(outages, *"efgh")
    outages.check(HOST)
    end(outages, "i")
    with pytest.raises(TransferError):
        outages.check(HOST)


def test_other_ends_neither_count_nor_end_the_row() -> None:
    outages = Outages()
    end(outages, *"abcd")
    other = TransferError("a timeout", heals=False, is_final=True)
    for name in "uvwxyz":
        assert outages.ended(HOST, name, other) is other
    outages.check(HOST)
    end(outages, "e")
    with pytest.raises(TransferError):
        outages.check(HOST)


def test_each_registry_has_a_row_of_its_own() -> None:
    outages = Outages()
    for name in "abcd":
        end(outages, name)
        end(outages, name, registry=OTHER)
    outages.check(HOST)
    outages.check(OTHER)
