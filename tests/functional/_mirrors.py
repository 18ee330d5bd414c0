# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations of registries, and the registry of a company that they lead to; test files import its fixtures."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from ansible_collections.airgap.images.tests.support.images import AMD64, ARM64, build_index
from ansible_collections.airgap.images.tests.support.module import Result
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import small

AWAY = "registry.corp.invalid"
"""A name that nobody has: what is asked for there is found by the configuration alone."""

INDEX = build_index([small(3, platform=each) for each in (AMD64, ARM64)])


def mirror(*locations: str, prefix: str = AWAY, more: str = "", last: str = "") -> str:
    """A registry with mirrors; ``more`` is said of itself, ``last`` of the last mirror."""
    mirrors = "".join(f'[[registry.mirror]]\nlocation = "{each}"\ninsecure = true\n' for each in locations)
    return f'[[registry]]\nprefix = "{prefix}"\nlocation = "{prefix}"\n{more}{mirrors}{last}'


def moved(location: str, prefix: str = AWAY) -> str:
    """A registry that is elsewhere."""
    return f'[[registry]]\nprefix = "{prefix}"\nlocation = "{location}"\ninsecure = true\n'


def reason(result: Result, reference: str) -> str:
    """Why an image failed; nothing may have come of it."""
    (failed,) = [each for each in result["failed_images"] if each["reference"] == reference]
    return str(failed["reason"])


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry of a company, with what it has of others below ``hub/``."""
    with Registry(tmp_path_factory.mktemp("hub")) as registry:
        push(registry, "hub/team/app", "1", INDEX)
        yield registry


@pytest.fixture
def site(hub: Registry) -> Registry:
    """The registry of the company, its record of requests empty."""
    hub.clear()
    return hub


def closed_port() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"127.0.0.1:{listening.getsockname()[1]}"
