# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.action.image_save import is_fetched_next


@dataclass
class FakeRole:
    name: str = "airgap.images.image_save"

    def get_name(self) -> str:
        return self.name


@dataclass
class FakeTask:
    _role: FakeRole | None


@pytest.mark.parametrize(
    ("role", "variables", "is_next"),
    [
        (FakeRole(), {}, True),
        (FakeRole(), {"ansible_run_tags": ["image_save_save", "image_save_fetch"]}, True),
        (FakeRole(), {"ansible_run_tags": ["image_save_save"]}, False),
        (FakeRole(), {"ansible_run_tags": ["all"], "ansible_skip_tags": ["image_save_fetch"]}, False),
        (FakeRole(), {"__image_save_call": {"fetch": False}}, False),
        (FakeRole(), {"__image_save_call": "nonsense"}, False),
        (FakeRole("mine"), {}, False),
        (None, {}, False),
    ],
)
def test_the_role_shows_the_paths_that_it_fetches_to(
    role: FakeRole | None, variables: dict[str, Any], is_next: bool
) -> None:
    found = {"__image_save_call": {"fetch": True}, **variables}
    assert is_fetched_next(FakeTask(role), found) is is_next  # type: ignore[arg-type]
