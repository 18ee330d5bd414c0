# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tools of a run."""

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

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, StorageError
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._cache import workspace
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._host import private_place
from ansible_collections.airgap.images.plugins.module_utils._host.filesystem import Filesystem
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._host.private_place import PassingDirectory
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import digest_of
from ansible_collections.airgap.images.plugins.module_utils._save import tools as tools_module
from ansible_collections.airgap.images.plugins.module_utils._save.image_set import read_image_set
from ansible_collections.airgap.images.plugins.module_utils._save.tools import Tools, prepared
from ansible_collections.airgap.images.tests.unit.fakes import make_options, names_below


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority."""
    path = tmp_path_factory.mktemp("pem") / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


def tools(folder: Path, **options: Any) -> AbstractContextManager[Tools]:
    made = make_options(folder, **{"images": ["reg.lan/a:1"], **options})
    images = read_image_set(made.selection, made.access.source)
    return prepared(made, images, Cache(made.work.cache_dir), log=Log(debug=True), stop=Stop())


@pytest.mark.parametrize("check", [True, False])
def test_they_touch_nothing(tmp_path: Path, pem: Path, check: bool) -> None:
    before = names_below(tmp_path)
    with tools(tmp_path, check=check, ca_path=str(pem), username="user", password="s3cret") as made:
        made.skopeo.commands._trust.of("reg.lan")
        assert names_below(tmp_path) == before
    assert names_below(tmp_path) == before


def test_all_is_given_back_at_the_end(tmp_path: Path, pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    monkeypatch.setattr(tools_module.RegistryClient, "close", lambda _self: closed.append("registries"))
    with pytest.raises(KeyError), tools(tmp_path, ca_path=str(pem)) as made:
        bundle = str(made.skopeo.commands._trust.of("reg.lan").verify)
        assert os.path.exists(bundle)
        raise KeyError
    assert closed == ["registries"]
    assert not os.path.exists(bundle)


def test_skopeo_gets_a_login_file_that_nobody_else_can_read(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "cache"))
    with tools(tmp_path, username="user", password="s3cret") as made, cache.opened(0):
        made.log_in(cache)
        path = Path(cache.workspace.run_directory, "auth.json")
        assert made.skopeo.commands.authfile == str(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        auths = json.loads(path.read_bytes())["auths"]
        assert auths == {"reg.lan": {"auth": base64.b64encode(b"user:s3cret").decode()}}


def test_the_login_of_a_mirror_is_that_of_its_host(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "cache"))
    registries = [
        {"host": "reg.lan", "mirror": "mirror.lan:5000/hub"},
        {"host": "mirror.lan:5000", "username": "user", "password": "s3cret"},
    ]
    made_options = make_options(tmp_path, images=["reg.lan/a:1"], registries=registries)
    images = read_image_set(made_options.selection, None, made_options.access.mirrors)
    with prepared(made_options, images, cache, log=Log(debug=True), stop=Stop()) as made, cache.opened(0):
        made.log_in(cache)
        auths = json.loads(Path(cache.workspace.run_directory, "auth.json").read_bytes())["auths"]
        assert list(auths) == ["mirror.lan:5000"]
        assert made.skopeo.commands.private == cache.workspace.private_directory
        (image,) = images.images
        found = made.credentials.find(image.repository)
        assert found is not None and found.username == "user"


def test_a_mirror_that_skopeo_would_not_go_to_is_refused(tmp_path: Path, home: Path) -> None:
    folder = home / ".config" / "containers" / "registries.conf.d"
    folder.mkdir(parents=True)
    (folder / "a.conf").write_text('[[registry]]\nprefix = "reg.lan/a"\nlocation = "other.lan/a"\n')
    made = make_options(tmp_path, images=["reg.lan/a:1"], registries=[{"host": "reg.lan", "mirror": "mirror.lan"}])
    images = read_image_set(made.selection, None, made.access.mirrors)
    said = "^registries, reg.lan: skopeo would not take reg.lan/a from the mirror"
    cache = Cache(made.work.cache_dir)
    with pytest.raises(OptionError, match=said), prepared(made, images, cache, log=Log(debug=True), stop=Stop()):
        pass


def test_a_file_of_one_registry_that_cannot_be_used_is_named_with_it(tmp_path: Path) -> None:
    registries = [{"host": "other.lan:5000", "ca_path": str(tmp_path / "missing.pem")}]
    said = "^registries, other.lan:5000: cannot read the certificate file .*missing.pem"
    with pytest.raises(OptionError, match=said), tools(tmp_path, registries=registries):
        pass


def test_a_login_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The error of a write names no file, so this has to."""
    cache = Cache(str(tmp_path / "cache"))
    told = r"login file for skopeo, .*/auth\.json: File exists\. Remove what is in the way"
    with tools(tmp_path, username="user", password="s3cret") as made, cache.opened(0):
        Path(cache.workspace.run_directory, "auth.json").mkdir()
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
        assert made.skopeo.commands.authfile == authfile
        assert os.listdir(cache.workspace.run_directory) == []


def test_nothing_private_is_left(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "cache"))
    with tools(tmp_path, username="user", password="s3cret") as made, cache.opened(0):
        made.log_in(cache)
        assert os.listdir(cache.workspace.run_directory) == ["auth.json"]
    assert not [name for name in names_below(tmp_path) if "run-" in name or "auth" in name]


@pytest.fixture
def stick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of a cache that is on a filesystem without modes."""
    real = workspace.filesystem_of

    def without_modes(path: str) -> Filesystem:
        return Filesystem(has_modes=False) if path.startswith(str(tmp_path / "stick")) else real(path)

    monkeypatch.setattr(workspace, "filesystem_of", without_modes)
    monkeypatch.setattr(tools_module, "filesystem_of", without_modes)
    return str(tmp_path / "stick")


def test_of_a_cache_without_modes_all_that_is_private_is_elsewhere(tmp_path: Path, stick: str, pem: Path) -> None:
    cache = Cache(stick)
    options = {"username": "user", "password": "s3cret", "ca_path": str(pem)}
    with tools(tmp_path, **options) as made, cache.opened(0):
        made.log_in(cache)
        private = Path(cache.workspace.private_directory)
        assert made.skopeo.commands.authfile == str(private / "auth.json")
        assert made.skopeo.commands.private == str(private)
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert os.listdir(cache.workspace.run_directory) == []
    assert not private.exists()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place for what is private."""
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.setattr(private_place.PrivatePlace, "places", lambda _self: iter([str(folder)]))
    return folder


def mirrored(home: Path) -> None:
    folder = home / ".config" / "containers"
    folder.mkdir(parents=True)
    (folder / "registries.conf").write_text('[[registry]]\nlocation = "reg.lan"\nblocked = true\n')


def programmed(folder: Path, script: str) -> str:
    program = folder / "skopeo"
    program.write_text(f"#!/bin/sh\ncase $* in --version) echo 'skopeo version 1.9.3'; exit;; esac\n{script}\n")
    program.chmod(0o700)
    return str(program)


def test_a_question_has_a_login_file_of_its_own(tmp_path: Path, home: Path, place: Path, pem: Path) -> None:
    """No cache is open then; what is private is gone when all is done, and copies get another one."""
    mirrored(home)
    program = programmed(tmp_path, f'echo "$@" >> {tmp_path}/asked; cat "$4"; printf {{}}')
    options: dict[str, Any] = {"username": "user", "password": "s3cret", "ca_path": str(pem), "skopeo_path": program}
    cache = Cache(str(tmp_path / "cache"))
    made_options = make_options(tmp_path, images=["reg.lan/a:1", "reg.lan/b:1"], **options)
    wanted = read_image_set(made_options.selection, None)
    with prepared(made_options, wanted, cache, log=Log(debug=True), stop=Stop()) as made:
        made.resolver.look_up(wanted.images)
        (private,) = place.iterdir()
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert stat.S_IMODE((private / "auth.json").stat().st_mode) == 0o600
        first = (tmp_path / "asked").read_text().splitlines()[0].split()
        assert first[:6] == ["inspect", "--raw", "--authfile", f"{private}/auth.json", "--cert-dir", *first[5:6]]
        assert os.listdir(first[5]) == ["option.crt"] and first[5].startswith(str(private))
        assert made.registries.count.get == 2 and made.registries.count.head == 0
        assert names_below(tmp_path / "cache") == []
        with cache.opened(0):
            made.log_in(cache)
            assert made.skopeo.commands.authfile == os.path.join(cache.workspace.run_directory, "auth.json")
            assert private.exists()
    assert list(place.iterdir()) == []


def test_a_question_without_logins_needs_no_directory(tmp_path: Path, home: Path, place: Path) -> None:
    mirrored(home)
    program = programmed(tmp_path, "printf {}")
    options = make_options(tmp_path, images=["reg.lan/a:1"], skopeo_path=program)
    wanted = read_image_set(options.selection, None)
    cache = Cache(options.work.cache_dir)
    with prepared(options, wanted, cache, log=Log(debug=True), stop=Stop()) as made:
        (asked,) = made.resolver.look_up(wanted.images)
        assert asked.digest == digest_of(b"{}")
        assert list(place.iterdir()) == []


def test_without_skopeo_such_a_registry_cannot_be_asked(tmp_path: Path, home: Path) -> None:
    mirrored(home)
    options = make_options(tmp_path, images=["reg.lan/a:1"], skopeo_path="/no/skopeo")
    wanted = read_image_set(options.selection, None)
    cache = Cache(options.work.cache_dir)
    told = "skopeo_path: '/no/skopeo' was not found on the target"
    with (
        prepared(options, wanted, cache, log=Log(debug=True), stop=Stop()) as made,
        pytest.raises(OptionError, match=told),
    ):
        made.resolver.look_up(wanted.images)


def test_a_passing_directory_leaves_those_of_others_alone(place: Path) -> None:
    """The rest of a killed run is removed, that of a run under way is not."""
    ours, theirs = PassingDirectory(os.environ), PassingDirectory(os.environ)
    theirs.path()
    left = place / ".airgap-images-asks-x"
    left.mkdir()
    (left / "auth.json").touch()
    other = place / "other"
    other.mkdir()
    assert ours.path() == ours.path() != theirs.path()
    assert {str(path) for path in place.iterdir()} == {ours.path(), theirs.path(), str(other)}
    ours.close()
    ours.close()
    assert {str(path) for path in place.iterdir()} == {theirs.path(), str(other)}
    theirs.close()


def test_a_passing_directory_needs_a_place(place: Path) -> None:
    place.rmdir()
    with pytest.raises(StorageError, match="logins and keys must be kept where only this user can read them"):
        PassingDirectory(os.environ).path()


def test_a_directory_that_another_run_took_for_left_is_not_used(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks between the making and the lock."""
    real = private_place._make_private

    def gone(where: str, prefix: str) -> str | None:
        path = real(where, prefix)
        os.rmdir(str(path))
        return path

    monkeypatch.setattr(private_place, "_make_private", gone)
    with pytest.raises(StorageError, match="logins and keys"):
        PassingDirectory(os.environ).path()


def test_what_a_killed_run_has_left_elsewhere_is_removed_by_the_next(stick: str) -> None:
    cache = Cache(stick)
    with cache.opened(0):
        left = Path(cache.workspace.private_directory)
    left.mkdir()
    (left / "auth.json").touch()
    with cache.opened(0):
        assert not left.exists()


def test_of_another_cache_nothing_is_removed(stick: str) -> None:
    with Cache(stick).opened(0), Cache(f"{stick}2").opened(0):
        pass
    cache = Cache(stick)
    with cache.opened(0):
        private = Path(cache.workspace.private_directory)
        with Cache(f"{stick}2").opened(0):
            assert private.exists()


def test_without_a_place_for_what_is_private_the_run_is_refused(
    tmp_path: Path, stick: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_place, "filesystem_of", lambda _path: Filesystem(has_modes=False))
    cache = Cache(stick)
    with tools(tmp_path, username="user", password="s3cret") as made, cache.opened(0):
        with pytest.raises(StorageError, match=r"no filesystem does that in any of .*/dev/shm.*set TMPDIR"):
            made.log_in(cache)
        assert os.listdir(cache.workspace.run_directory) == []


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
        assert made.skopeo.temporary == cache.workspace.private_directory


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
