# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of tests with a registry that answers in manners of its own; a test file imports those that it uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import check, snapshot
from ansible_collections.airgap.images.tests.functional._hostile import Site
from ansible_collections.airgap.images.tests.support.archive import Archive
from ansible_collections.airgap.images.tests.support.field_registry import FieldRegistry
from ansible_collections.airgap.images.tests.support.module import Result


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


@dataclass
class Batch:
    """Repositories that behave in manners of their own, saved in one run; tests look at one repository each.

    :ivar results: What each run returned.
    :ivar snapshots: The archive and what is beside it, after each run.
    """

    site: Site
    registry: FieldRegistry
    results: list[Result] = field(default_factory=list)
    snapshots: list[dict[str, tuple[object, ...]]] = field(default_factory=list)

    def save(self, *references: str, **params: Any) -> None:
        """Runs the module, and looks at what there is afterwards."""
        self.__dict__.pop("archive", None)
        self.results.append(self.site.save(references, **params))
        self.snapshots.append(snapshot(self.site.dest.parent))

    @cached_property
    def archive(self) -> Archive:
        """The archive of the last run, which is sound."""
        return check(self.site.dest)


@contextmanager
def served(folder: Path) -> Iterator[Batch]:
    """A registry, and a folder to save to."""
    with FieldRegistry() as registry:
        yield Batch(Site(folder / "site"), registry)
