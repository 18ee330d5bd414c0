# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for the tests that need real programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._restore import KINDS, PAIR_KINDS, SAVED, save_kind
from ansible_collections.airgap.images.tests.functional._role import Site
from ansible_collections.airgap.images.tests.support.extent import (  # noqa: F401  # hooks of pytest
    pytest_collection_modifyitems,
    pytest_generate_tests,
    pytest_report_collectionfinish,
)
from ansible_collections.airgap.images.tests.support.module import SKOPEO_COPY
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import push_samples
from ansible_collections.airgap.images.tests.support.ssh_hosts import SshHosts
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench


@pytest.fixture(scope="session")
def seeded_source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    """A registry with every sample, started once for all tests of a worker."""
    with Registry(tmp_path_factory.mktemp("source")) as registry:
        yield Source(registry, push_samples(registry))


@pytest.fixture(scope="session")
def restorable(seeded_source: Source, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """An archive of each kind with its restore script, made once for all tests. They must not be written to."""
    with Workbench(tmp_path_factory.mktemp("restore")) as bench:
        images = [seeded_source[name] for name in SAVED]
        yield {
            kind: save_kind(bench, images, bench.directory / kind.replace(" ", "-") / "images", kind) for kind in KINDS
        }


@pytest.fixture(scope="session")
def restorable_pairs(seeded_source: Source, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Archives of two images, one of them by digest, of each kind of ``PAIR_KINDS``. They must not be written to."""
    with Workbench(tmp_path_factory.mktemp("pairs")) as bench:
        by_digest = f"{seeded_source.registry.host}/oci/plain@{seeded_source['oci/plain:1'].digest}"
        images = [seeded_source["oci/index:1"], by_digest]
        yield {
            kind: save_kind(bench, images, bench.directory / kind.replace(" ", "-") / "a.b", kind)
            for kind in PAIR_KINDS
        }


@pytest.fixture(scope="module")
def skopeo_copy(request: pytest.FixtureRequest) -> Iterator[str]:
    """The option of that name, for all saves from here on that do not give it; see ``both_ways`` in ``extent.py``."""
    way = str(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SKOPEO_COPY, way)
        yield way


@pytest.fixture
def source(seeded_source: Source) -> Source:
    """The registry with every sample, its record of requests empty. Tests must not write to it."""
    seeded_source.registry.clear()
    return seeded_source


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, so that no credentials of the user's are found."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def scratch(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where programs put their temporary files."""
    folder = workdir / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def bench(workdir: Path) -> Iterator[Workbench]:
    """Makes registries, proxies and runs of the module that end with the test."""
    with Workbench(workdir) as workbench:
        yield workbench


@pytest.fixture
def registry(bench: Workbench) -> Registry:
    """An empty registry of the test's own, which anybody may read and write."""
    return bench.registry()


@pytest.fixture(scope="session")
def ssh_hosts() -> Iterator[SshHosts]:
    """An sshd that is any number of hosts, started once for all tests of a worker."""
    with SshHosts() as hosts:
        yield hosts


@pytest.fixture
def site(ssh_hosts: SshHosts, workdir: Path) -> Iterator[Site]:
    """Hosts without any file, and a folder of the controller."""
    made = Site(ssh_hosts, workdir)
    try:
        yield made
    finally:
        made.close()
