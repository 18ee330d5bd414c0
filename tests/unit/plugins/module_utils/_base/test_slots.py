# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dataclasses with slots are what they are without."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field, fields, replace

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.slots import slotted


@slotted
@dataclass(frozen=True, order=True)
class Sample:
    """A sample."""

    name: str
    size: int = 3
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def twice(self) -> int:
        """Twice the size."""
        return 2 * self.size


def test_it_has_slots_and_no_dict() -> None:
    assert not hasattr(Sample("a"), "__dict__")
    assert [one.name for one in fields(Sample)] == ["name", "size", "notes"]


def test_defaults_properties_and_comparisons_stay() -> None:
    one = Sample("a")
    assert (one.size, one.notes, one.twice) == (3, (), 6)
    assert one == Sample("a", 3, ("other",))
    assert hash(one) == hash(Sample("a"))
    assert one < Sample("b")
    assert replace(one, size=4) == Sample("a", 4)
    assert repr(one) == "Sample(name='a', size=3, notes=())"
    assert Sample.__doc__ == "A sample."
    assert Sample.__qualname__ == "Sample"


def test_it_stays_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Sample("a").size = 4  # type: ignore[misc]
