# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From parameters to options."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._host.paths import refuse_strange_path
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import SourceRegistry
from ansible_collections.airgap.images.plugins.module_utils._registry.access import Login
from ansible_collections.airgap.images.plugins.module_utils._save.params import read_options
from ansible_collections.airgap.images.tests.unit.fakes import make_params

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "size": ({"part_size": "0"}, "part_size: '0' must be at least 1 byte"),
    "size with dir": ({"part_size": "1G", "compress": "dir"}, "part_size: has no effect with compress=dir"),
    "level": ({"compress_level": 10}, "compress_level: 10 is not a level of gzip"),
    "level with none": ({"compress_level": 1, "compress": "none"}, "compress_level: has no effect"),
    "no digit": ({"part_digits": 0}, "part_digits: 0 is out of range; accepted are 1 to 9"),
    "many digits": ({"part_digits": 10}, "part_digits: 10 is out of range"),
    "no job": ({"jobs": 0}, "jobs: 0 is out of range; accepted are 1 to 20"),
    "many jobs": ({"jobs": 21}, "jobs: 21 is out of range"),
    "retries": ({"retries": -1}, "retries: -1 is out of range"),
    "delay": ({"retry_delay": -0.5}, "retry_delay: -0.5 is out of range"),
    "timeout": ({"timeout": 0}, "timeout: 0 is out of range"),
    "stall": ({"stall_timeout": 0}, "stall_timeout: 0 is out of range"),
    "lock": ({"lock_timeout": -1}, "lock_timeout: -1 is out of range"),
    "arch": ({"arch": ["?"]}, "arch: '?' is not a valid architecture"),
    "no arch": ({"arch": []}, "arch and os must each name at least one value"),
    "os": ({"os": ["lin ux"]}, "os: 'lin ux' is not a valid operating system"),
    "source": ({"source_registry": "https://x"}, "source_registry: 'https://x' begins with a scheme"),
    "dest": ({"dest": "/srv/"}, "dest: '/srv/' must end in a file name"),
    "dest with a zero": ({"dest": "/srv/a\0b"}, "dest: '/srv/a\\x00b' is not a valid path"),
    "dest of two lines": ({"dest": "/srv/a\nb"}, "dest: '/srv/a\\x0ab' must be text in one line"),
    "dest that is no UTF-8": ({"dest": "/srv/\udcff"}, "dest: '/srv/\\xdcff' must be text in one line"),
    "cache_dir that is not a path": ({"cache_dir": "/srv/\ud800"}, "cache_dir: '/srv/\\xd800' is not a valid path"),
    "list with a zero": ({"list_files": ["/a", "/b\0"]}, "list_files: '/b\\x00' is not a valid path"),
}


def test_defaults() -> None:
    options = read_options(make_params(), check=True)
    assert options.check is True
    assert options.selection.images == ("nginx",)
    assert str(options.selection.platforms) == "amd64, arm64 on linux, windows"
    assert options.output.dest == "/srv/a.tar.gz"
    assert options.output.part_size is None
    assert options.access.login is None
    assert options.access.source is None
    assert options.work.cache_dir == "/srv/saved-image-cache"


@pytest.mark.parametrize(("changed", "said"), REFUSED.values(), ids=REFUSED)
def test_errors_name_the_option(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_options(make_params(**changed), check=False)
    assert str(caught.value).startswith(said)


def test_values_are_taken_over() -> None:
    options = read_options(
        make_params(
            part_size="4.7GB",
            part_digits=1,
            compress="zstd",
            compress_level=19,
            source_registry="mirror.lan:5000/hub",
            username="user",
            password="pass",
            registries=[{"host": "https://index.docker.io/v1/", "username": "u", "password": "p"}],
            cache_dir="cache",
            failed_list="/srv/failed.txt",
            force=True,
        ),
        check=False,
    )
    assert options.output.part_size == 4_700_000_000
    assert options.output.part_digits == 1
    assert options.output.compress_level == 19
    assert options.output.force is True
    assert options.access.source == SourceRegistry("mirror.lan:5000", "hub")
    assert options.access.login == ("user", "pass")
    assert options.access.logins == (Login("docker.io", "u", "p"),)
    assert options.work.cache_dir == os.path.join(os.getcwd(), "cache")
    assert options.output.failed_list == "/srv/failed.txt"


CONTRADICTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "a list and a lock file": ({"from_lock": "/x"}, "from_lock: replaces images and list_files"),
    "list files and a lock file": (
        {"from_lock": "/x", "images": [], "list_files": ["/y"]},
        "from_lock: replaces images and list_files",
    ),
    "parity of a directory": ({"parity": True, "compress": "dir"}, "parity: has no effect with compress=dir"),
    "parity without parts": ({"parity": True}, "parity: a lost part is made again from the other ones, so part_size"),
    "two policies": (
        {"signature_policy": "/p", "insecure_policy": True},
        "signature_policy: has no effect with insecure_policy=true",
    ),
    "a cache with a colon": ({"cache_dir": "/srv/a:b"}, "cache_dir: /srv/a:b must not contain ':'"),
    "the cache in the archive": ({"compress": "dir", "cache_dir": "/srv/a/cache"}, "cache_dir: with compress=dir"),
    "the archive in the cache": (
        {"compress": "dir", "cache_dir": "/srv", "dest": "/srv/a"},
        "cache_dir: with compress=dir",
    ),
    "the archive is the cache": (
        {"compress": "dir", "dest": "/srv/saved-image-cache"},
        "cache_dir: with compress=dir",
    ),
}


@pytest.mark.parametrize(("changed", "said"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_contradictions_are_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_options(make_params(**changed), check=False)
    assert str(caught.value).startswith(said)


def test_empty_values_are_no_contradiction() -> None:
    options = read_options(make_params(from_lock="/x", images=[], list_files=[], signature_policy=""), check=False)
    assert options.selection.from_lock == "/x"


@pytest.mark.parametrize(
    ("changed", "expected"), [({}, False), ({"mode": "0640"}, True), ({"owner": "a"}, True), ({"group": "b"}, True)]
)
def test_whether_files_get_a_mode_of_their_own(changed: dict[str, Any], expected: bool) -> None:
    assert read_options(make_params(**changed), check=False).output.has_attributes is expected


def test_an_empty_source_registry_is_none() -> None:
    assert read_options(make_params(source_registry=""), check=False).access.source is None


def test_secrets_are_not_shown() -> None:
    options = read_options(
        make_params(
            username="user", password="s3cret", registries=[{"host": "r", "username": "u", "password": "s3cret"}]
        ),
        check=False,
    )
    assert "s3cret" not in repr(options)


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-1"])
def test_letters_of_which_the_locale_makes_another_name(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: encoding)
    refuse_strange_path("dest", "/srv/plain")
    refuse_strange_path("dest", None)
    with pytest.raises(
        OptionError, match=f"dest: '/srv/Bücher' contains non-ASCII characters, .* as {encoding}, .* Set LC_ALL=C.UTF"
    ):
        refuse_strange_path("dest", "/srv/Bücher")
    monkeypatch.undo()
    refuse_strange_path("dest", "/srv/Bücher")
