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

from ansible_collections.airgap.images.plugins.module_utils import _cache, _private, _tools
from ansible_collections.airgap.images.plugins.module_utils._cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._errors import OptionError, StorageError
from ansible_collections.airgap.images.plugins.module_utils._filesystem import Filesystem
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
    cache = Cache(str(tmp_path / "cache"))
    with tools(tmp_path, username="user", password="s3cret") as made, cache.opened(0):
        made.log_in(cache)
        path = Path(cache.run_directory, "auth.json")
        assert made.skopeo.authfile == str(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        auths = json.loads(path.read_bytes())["auths"]
        assert auths == {"reg.lan": {"auth": base64.b64encode(b"user:s3cret").decode()}}


def test_a_login_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The error of a write names no file, so this has to."""
    cache = Cache(str(tmp_path / "cache"))
    told = r"login file for skopeo, .*/auth\.json: File exists\. Remove what is in the way"
    with tools(tmp_path, username="user", password="s3cret") as made, cache.opened(0):
        Path(cache.run_directory, "auth.json").mkdir()
        with pytest.raises(StorageError, match=told):
            made.log_in(cache)


@pytest.mark.parametrize("authfile", [None, "auth.json"])
def test_without_logins_it_finds_them_itself(tmp_path: Path, authfile: str | None) -> None:
    cache = Cache(str(tmp_path / "cache"))
    if authfile is not None:
        (tmp_path / authfile).write_text("{}")
        authfile = str(tmp_path / authfile)
    with tools(tmp_path, authfile=authfile) as made, cache.opened(0):
        made.log_in(cache)
        assert made.skopeo.authfile == authfile
        assert os.listdir(cache.run_directory) == []


def test_nothing_private_is_left(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "cache"))
    with tools(tmp_path, username="user", password="s3cret") as made, cache.opened(0):
        made.log_in(cache)
        assert os.listdir(cache.run_directory) == ["auth.json"]
    assert not [name for name in names_below(tmp_path) if "run-" in name or "auth" in name]


@pytest.fixture
def stick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of a cache that is on a filesystem without modes."""
    real = _cache.filesystem_of

    def without_modes(path: str) -> Filesystem:
        return Filesystem(has_modes=False) if path.startswith(str(tmp_path / "stick")) else real(path)

    monkeypatch.setattr(_cache, "filesystem_of", without_modes)
    monkeypatch.setattr(_tools, "filesystem_of", without_modes)
    return str(tmp_path / "stick")


def test_of_a_cache_without_modes_all_that_is_private_is_elsewhere(tmp_path: Path, stick: str, pem: Path) -> None:
    cache = Cache(stick)
    options = {"username": "user", "password": "s3cret", "ca_path": str(pem)}
    with tools(tmp_path, **options) as made, cache.opened(0):
        made.log_in(cache)
        private = Path(cache.private_directory)
        assert made.skopeo.authfile == str(private / "auth.json")
        assert made.skopeo.private == str(private)
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert os.listdir(cache.run_directory) == []
    assert not private.exists()


def test_what_a_killed_run_has_left_elsewhere_is_removed_by_the_next(stick: str) -> None:
    cache = Cache(stick)
    with cache.opened(0):
        left = Path(cache.private_directory)
    left.mkdir()
    (left / "auth.json").touch()
    with cache.opened(0):
        assert not left.exists()


def test_of_another_cache_nothing_is_removed(stick: str) -> None:
    with Cache(stick).opened(0), Cache(f"{stick}2").opened(0):
        pass
    cache = Cache(stick)
    with cache.opened(0):
        private = Path(cache.private_directory)
        with Cache(f"{stick}2").opened(0):
            assert private.exists()


def test_without_a_place_for_what_is_private_the_run_is_refused(
    tmp_path: Path, stick: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_private, "filesystem_of", lambda _path: Filesystem(has_modes=False))
    cache = Cache(stick)
    with tools(tmp_path, username="user", password="s3cret") as made, cache.opened(0):
        with pytest.raises(StorageError, match=r"no filesystem keeps files so in any of .*/dev/shm.*set TMPDIR"):
            made.log_in(cache)
        assert os.listdir(cache.run_directory) == []


def test_skopeo_has_its_own_temporary_files_where_there_are_modes(
    tmp_path: Path, stick: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(stick)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with tools(tmp_path) as made, cache.opened(0):
        made.log_in(cache)
        assert made.skopeo.temporary == ""
        monkeypatch.setenv("TMPDIR", stick)
        made.log_in(cache)
        assert made.skopeo.temporary == cache.private_directory


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
