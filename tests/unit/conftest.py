# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of all unit tests."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from ansible_collections.airgap.images.plugins.module_utils._registry import credentials
from ansible_collections.airgap.images.plugins.module_utils._registry.login_file import default_login_files
from ansible_collections.airgap.images.tests.support.extent import (  # noqa: F401  # hooks of pytest
    BRIEF,
    MARKERS,
    VARIABLE,
    pytest_collection_modifyitems,
    pytest_itemcollected,
    pytest_report_collectionfinish,
    repetitions,
)

# The same examples at every run, and no time limit: a loaded machine is no defect.
settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    max_examples=repetitions(10, 30),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("brief", settings.get_profile("repeatable"), max_examples=5)
settings.load_profile("repeatable")


if os.environ.get(VARIABLE) == BRIEF:
    settings.load_profile("brief")


def pytest_configure(config: pytest.Config) -> None:
    """Have ansible-test run the tests as pytest does: that it forks a process for each is half of what it costs.

    That no test needs a process of its own is shown by the gate `unit`, which knows none. That gate tries all examples
    and cases too; for another ansible-core and another Python, which ask for it by a variable, a few will do.
    """
    # pyproject.toml says the same, which ansible-test does not read.
    for marker in ("field(kind, given, happens)", *MARKERS):
        config.addinivalue_line("markers", marker)
    forked = config.pluginmanager.get_plugin("ansible_forked")
    if forked is not None:
        config.pluginmanager.unregister(forked)
        settings.load_profile("brief")


OF_THE_MACHINE = ("/run/containers/", "/run/user/")
"""Where logins of this machine's user are, whoever asks."""

_FROM_OUTSIDE = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "REGISTRY_AUTH_FILE",
    "DOCKER_CONFIG",
    "CONTAINERS_REGISTRIES_CONF",
    "REGISTRIES_CONFIG_PATH",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "SOURCE_REGISTRY",
    "SOURCE_USERNAME",
    "SOURCE_PASSWORD",
    "NETRC",
)


@pytest.fixture(scope="session")
def nobodys_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with nothing in it, for all tests that read one."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def nothing_from_outside(nobodys_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxies, certificates and credentials of the user or the machine."""
    monkeypatch.setenv("HOME", str(nobodys_home))

    def login_files(environ: Mapping[str, str]) -> list[str]:
        return [path for path in default_login_files(environ) if not path.startswith(OF_THE_MACHINE)]

    # Without a variable, it is a folder below /run that the tests cannot move.
    monkeypatch.setattr(credentials, "default_login_files", login_files)
    for name in _FROM_OUTSIDE:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def home(tmp_path: Path, nothing_from_outside: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, to put something in."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder
