# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run works with."""

from __future__ import annotations

import base64
import json
import os
import stat
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import trustme

from ansible_collections.airgap.images.plugins.module_utils import _tools
from ansible_collections.airgap.images.plugins.module_utils._cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._errors import OptionError, StorageError
from ansible_collections.airgap.images.plugins.module_utils._log import Log
from ansible_collections.airgap.images.plugins.module_utils._stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._tools import Tools, prepared
from ansible_collections.airgap.images.plugins.module_utils._wanted import read_wanted
from ansible_collections.airgap.images.tests.unit.fakes import make_options, names_below


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority."""
    path = tmp_path_factory.mktemp("pem") / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


def tools(folder: Path, **options: Any) -> AbstractContextManager[Tools]:
    made = make_options(folder, **{"images": ["reg.lan/a:1"], **options})
    return prepared(made, read_wanted(made.selection), Cache(made.work.cache_dir), log=Log(debug=True), stop=Stop())


@pytest.mark.parametrize("check", [True, False])
def test_they_touch_nothing(tmp_path: Path, pem: Path, check: bool) -> None:
    before = names_below(tmp_path)
    with tools(tmp_path, check=check, ca_path=str(pem), username="user", password="s3cret") as made:
        made.skopeo._trust.of("reg.lan")
        assert names_below(tmp_path) == before
    assert names_below(tmp_path) == before


def test_all_is_given_back_at_the_end(tmp_path: Path, pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    monkeypatch.setattr(_tools.Registries, "close", lambda _self: closed.append("registries"))
    with pytest.raises(KeyError), tools(tmp_path, ca_path=str(pem)) as made:
        bundle = str(made.skopeo._trust.of("reg.lan").verify)
        assert os.path.exists(bundle)
        raise KeyError
    assert closed == ["registries"]
    assert not os.path.exists(bundle)


def test_skopeo_gets_a_login_file_that_nobody_else_can_read(tmp_path: Path) -> None:
    with tools(tmp_path, username="user", password="s3cret") as made:
        made.log_in(str(tmp_path))
        path = tmp_path / "auth.json"
        assert made.skopeo.authfile == str(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        auths = json.loads(path.read_bytes())["auths"]
        assert auths == {"reg.lan": {"auth": base64.b64encode(b"user:s3cret").decode()}}


def test_a_login_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The error of a write names no file, so this has to."""
    (tmp_path / "auth.json").mkdir()
    told = r"login file for skopeo, .*/auth\.json: File exists\. Remove what is in the way"
    with tools(tmp_path, username="user", password="s3cret") as made, pytest.raises(StorageError, match=told):
        made.log_in(str(tmp_path))


@pytest.mark.parametrize("authfile", [None, "auth.json"])
def test_without_logins_it_finds_them_itself(tmp_path: Path, authfile: str | None) -> None:
    private = tmp_path / "private"
    private.mkdir()
    if authfile is not None:
        (tmp_path / authfile).write_text("{}")
        authfile = str(tmp_path / authfile)
    with tools(tmp_path, authfile=authfile) as made:
        made.log_in(str(private))
        assert made.skopeo.authfile == authfile
        assert os.listdir(private) == []


def test_nothing_private_is_left(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "cache"))
    with tools(tmp_path, username="user", password="s3cret") as made, cache.opened(0):
        made.log_in(cache.run_directory)
        assert os.listdir(cache.run_directory) == ["auth.json"]
    assert not [name for name in names_below(tmp_path) if "run-" in name or "auth" in name]


def test_username_needs_one_registry(tmp_path: Path) -> None:
    options: dict[str, Any] = {"images": ["reg.lan/a", "other.lan/b"], "username": "u", "password": "p"}
    with pytest.raises(OptionError, match="name the registry"), tools(tmp_path, **options):
        pass
    with tools(tmp_path, **options, source_registry="mirror.lan"):
        pass


def test_certificates_are_checked_first(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="client_key"), tools(tmp_path, client_key="/k"):
        pass
    assert os.listdir(tmp_path) == []
