# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit tests read no login and no setting of the user who runs them, nor of the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.secrets import Secrets
from ansible_collections.airgap.images.plugins.module_utils._registry import credentials
from ansible_collections.airgap.images.tests.support.extent import BRIEF, VARIABLE
from ansible_collections.airgap.images.tests.unit.fakes import make_options

ROOT = Path(__file__).resolve().parents[5]
BROKEN = "{this is not JSON"
READERS = (
    "_http/test_proxy.py",
    "_http/test_trust_store.py",
    "_registry/test_credentials.py",
    "_skopeo/test_registries_conf.py",
)
"""Tests of what reads logins, certificates, proxies and settings."""


def test_a_login_file_of_the_machine_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither where there is no variable at all, nor with those of the tests."""
    read: list[str] = []

    def note(path: str, *, required: bool) -> None:
        assert not required
        read.append(path)

    monkeypatch.setattr(credentials, "read_login_file", note)
    for environ in ({}, {"HOME": "/home/u"}, {"XDG_RUNTIME_DIR": "/run/user/0"}, os.environ):
        credentials.gather_credentials(make_options().access, ["reg.lan"], environ, Secrets())
    assert read and not [path for path in read if path.startswith("/run/")]


def test_nothing_of_the_user_is_read(tmp_path: Path) -> None:
    """Logins, proxies, certificates and settings that would break what reads them."""
    for name in (".docker/config.json", ".config/containers/auth.json", ".config/containers/registries.conf", "run"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(BROKEN, "utf-8")
    (tmp_path / ".config/containers/certs.d/reg.lan").mkdir(parents=True)
    (tmp_path / ".config/containers/certs.d/reg.lan/ca.crt").write_text(BROKEN, "utf-8")
    proxies = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    files = ("REGISTRY_AUTH_FILE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "NETRC")
    settings = ("CONTAINERS_REGISTRIES_CONF", "REGISTRIES_CONFIG_PATH")
    folders = {"XDG_RUNTIME_DIR": ".config", "XDG_CONFIG_HOME": ".config", "DOCKER_CONFIG": ".docker", "HOME": "."}
    outside = {
        **dict.fromkeys(proxies, "http://127.0.0.1:9"),
        **dict.fromkeys((*files, *settings), str(tmp_path / "run")),
        **{name: str(tmp_path / folder) for name, folder in folders.items()},
    }
    tests = [Path(__file__).with_name("plugins") / "module_utils" / name for name in READERS]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, tests)],
        cwd=ROOT / "ansible_collections" / "airgap" / "images",
        env={**os.environ, **outside, "PYTHONPATH": str(ROOT), VARIABLE: BRIEF},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
