# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for the tests that open a report in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from ansible_collections.airgap.images.tests.support.chromium import browser
from ansible_collections.airgap.images.tests.support.extent import (  # noqa: F401  # hooks of pytest
    pytest_collection_modifyitems,
    pytest_report_collectionfinish,
)

DESKTOP = {"width": 1280, "height": 800}


@dataclass
class Seen:
    """Everything that a page did beside showing itself.

    :ivar said: messages of its console, errors and dialogs.
    :ivar asked: addresses of its requests.
    """

    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", lambda message: self.said.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self.asked.append(request.url))


@dataclass(frozen=True)
class Opened:
    """A report in a window of its own."""

    page: Page
    seen: Seen
    address: str


Opener = Callable[..., Opened]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests; each has a profile of its own."""
    with browser() as started:
        yield started


@pytest.fixture
def open_report(chromium: Browser, tmp_path: Path) -> Iterator[Opener]:
    """Opens the bytes of a page. At the end, no page may have said anything or have asked for anything but itself."""
    opened: list[Opened] = []
    with ExitStack() as stack:

        def open_one(raw: bytes, **settings: Any) -> Opened:
            path = tmp_path / f"{len(opened)}.report.html"
            path.write_bytes(raw)
            context = stack.enter_context(
                chromium.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", **settings})
            )
            context.set_default_timeout(60_000)
            page = context.new_page()
            one = Opened(page, Seen(), path.as_uri())
            one.seen.watch(page)
            page.goto(one.address)
            opened.append(one)
            return one

        yield open_one
        for one in opened:
            assert one.seen.said == []
            assert {address for address in one.seen.asked if not address.startswith("data:")} == {one.address}
