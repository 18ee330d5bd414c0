# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.airgap.images.plugins.action.image_load import ActionModule
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker


class Recorder(Ticker):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__("host", is_silent=False)
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.mark.parametrize(
    ("transport", "returned", "lines"),
    [
        ("ssh", {"changed": True, "report": "/srv/a.html"}, ["the report, on the host: /srv/a.html"]),
        ("local", {"changed": True, "report": "/srv/a.html"}, ["the report: /srv/a.html"]),
        ("ssh", {"changed": False, "report": "/srv/a.html"}, []),
        ("ssh", {"changed": True, "report": ""}, []),
        ("ssh", {"changed": False, "confirmation": "6d2f-1b9c"}, ["to confirm by telephone: 6d2f-1b9c"]),
        ("ssh", {"changed": True, "confirmation": ""}, []),
    ],
)
def test_the_report_and_the_confirmation_are_shown(transport: str, returned: dict[str, Any], lines: list[str]) -> None:
    connection = SimpleNamespace(transport=transport, _shell=SimpleNamespace())
    task = SimpleNamespace(async_val=0)
    action = ActionModule(task, connection, SimpleNamespace(), DataLoader(), SimpleNamespace(), None)
    ticker = Recorder()
    action.say_more(returned, ticker, {})
    assert ticker.lines == lines
