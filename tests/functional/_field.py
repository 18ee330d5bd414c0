# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of tests with a registry that answers in manners of its own; a test file imports those that it uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._hostile import Site
from ansible_collections.airgap.images.tests.support.field_registry import FieldRegistry


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A folder to save to."""
    return Site(tmp_path / "site")


@pytest.fixture
def registry() -> Iterator[FieldRegistry]:
    """The registry that is saved from."""
    with FieldRegistry() as registry:
        yield registry


@pytest.fixture
def store() -> Iterator[FieldRegistry]:
    """Another host, behind redirects."""
    with FieldRegistry() as store:
        yield store
