# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the role: what is refused, and the paths that follow from them."""

from __future__ import annotations

import os
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.output import BESIDE, complete_dest
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.plugin_utils._stage.checks import Play, check_options, refuse_facts
from ansible_collections.airgap.images.plugins.plugin_utils._stage.options import Options, paths_of

USUAL: dict[str, Any] = {
    "images": ["a/b:1"],
    "list_files": [],
    "list_format": "plain",
    "manifest_files": [],
    "remote_list_files": [],
    "list_urls": [],
    "include": [],
    "exclude": [],
    "dest": "/srv/out/images",
    "staging_dir": "/srv/out/lists",
    "failed_list": "",
    "from_lock": "",
    "from_lock_file": "",
    "since": [],
    "since_missing": "error",
    "request": "",
    "compress": "gzip",
    "fetch": True,
    "fetch_dest": "/media",
    "distribute": False,
    "balance": "size",
    "take_over": [],
    "remove_orphans": False,
    "keep_remote_archive": True,
    "poll": 5,
}
PLAY = Play("one", ["one", "two"], ["one", "two"], ["one", "two"])


def options(**changed: Any) -> Options:
    return Options.of({**USUAL, **changed})


def checked(play: Play = PLAY, **changed: Any) -> None:
    files = {"there.txt": "/files/there.txt", "set.json": "/media/./images.lock.json"}
    check_options(options(**changed), play, files.get)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "text for a list": ({"images": "a/b:1"}, r"^image_save_images: expected a list, .*; write \[a/b:1\]$"),
    "a dictionary for a list": ({"exclude": {}}, "^image_save_exclude: expected a list"),
    "no URL": ({"list_urls": ["https://a/x", "me@host"]}, "^image_save_list_urls, item 2: expected a URL"),
    "no URL in a dictionary": ({"list_urls": [{"password": "s3cret"}]}, "^image_save_list_urls, item 1: (?!.*s3cret)"),
    "no list": ({"list_files": ["gone.txt"]}, "^image_save_list_files: file 'gone.txt' not found on the controller"),
    "no manifest": ({"manifest_files": ["gone.yml"]}, "^image_save_manifest_files: file 'gone.yml' not found"),
    "no base": ({"since": ["gone.json"]}, "^image_save_since: file 'gone.json' not found on the controller"),
    "a base that is replaced": (
        {"since": ["set.json"], "distribute": True},
        "^image_save_since: set.json is the lock file of the set in image_save_fetch_dest",
    ),
    "a base that is replaced, and may be missing": (
        {"since": ["gone.json", "set.json"], "since_missing": "full", "distribute": True},
        "^image_save_since: set.json is the lock file .*; copy that directory",
    ),
    "nothing": ({"images": []}, "^There is nothing to save: set image_save_images"),
    "no destination": ({"dest": ""}, "^image_save_dest: expected the absolute path .* but it is not set"),
    "a directory": ({"dest": "/srv/"}, "^image_save_dest: expected the absolute path .* ending in a name"),
    "a number": ({"dest": 5}, "^image_save_dest: expected the absolute path .* but it is 5"),
    "a number for a list": ({"list_files": [5]}, "^image_save_list_files: file '5' not found on the controller"),
    "a relative path": ({"dest": "out/a"}, "^image_save_dest: expected the absolute path"),
    "nowhere to fetch to": (
        {"fetch_dest": ""},
        "^image_save_fetch_dest: .* not set, with a directory",
    ),
    "a relative place": ({"fetch_dest": "media"}, "^image_save_fetch_dest: expected the absolute path"),
    "a dollar": ({"dest": "/srv/$HOME/a"}, r"^image_save_dest: .*'\$'"),
    "a quotation mark": ({"dest": "/srv/it's"}, "^image_save_dest: .* quotation mark"),
    "a quotation mark in another": ({"failed_list": '/srv/"a"'}, "^image_save_failed_list: .* quotation mark"),
    "two lines": ({"fetch_dest": "/media/a\nb"}, "^image_save_fetch_dest: .* control character"),
    "a directory like a file": ({"dest": "/srv/a.tgz", "compress": "dir"}, "^image_save_dest: .* archive in one file"),
    "nothing left": ({"fetch": False, "keep_remote_archive": False}, "^image_save_keep_remote_archive: false removes"),
    "no pause": ({"poll": 0}, "^image_save_poll: .*, but it is 0"),
    "two lock files": ({"from_lock": "/a", "from_lock_file": "there.txt"}, r"^image_save_from_lock \(a lock .* one or"),
    "no lock file": ({"from_lock_file": "gone.json"}, "^image_save_from_lock_file: file 'gone.json' not found"),
    "a text for hosts": ({"take_over": "south"}, r"^image_save_take_over: expected a list, .*; write \[south\]$"),
    "a lock file for all": ({"from_lock": "/a", "distribute": True}, "^image_save_distribute: .* serial or"),
}


@pytest.mark.parametrize(("changed", "said"), REFUSED.values(), ids=REFUSED)
def test_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        checked(**changed)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"images": [], "from_lock": "/srv/a.lock.json"},
        {"images": [], "list_files": ["there.txt"]},
        {"list_urls": ["http://a/x", {"url": "ftp://a/x", "headers": {}}]},
        {"dest": "~/out/a b"},
        {"fetch": False, "fetch_dest": "", "dest": "/srv/it's $HOME"},
        {"compress": "dir", "dest": "/srv/v1.2"},
        {"distribute": True},
        {"images": [], "from_lock_file": "there.txt", "distribute": True},
        {"poll": "1"},
        {"since": ["set.json"]},
        {"since": ["set.json"], "distribute": True, "fetch_dest": "/other"},
        {"since": ["set.json"], "distribute": True, "fetch": False},
        {"images": [1.0], "remote_list_files": [7], "include": [7], "exclude": [1.5]},
    ],
)
def test_accepted(changed: dict[str, Any]) -> None:
    checked(**changed)


@pytest.mark.parametrize("host", ["..", "a/b"])
def test_a_host_that_is_no_name_of_a_directory(host: str) -> None:
    with pytest.raises(OptionError, match="with a directory"):
        checked(Play(host, [host], [host], [host]))
    checked(Play(host, [host], [host], [host]), fetch=False)
    with pytest.raises(OptionError, match=r"^image_save_distribute: the name of each host becomes part of file names"):
        checked(Play(host, [host], [host], [host]), fetch=False, distribute=True)


def test_a_host_whose_name_cannot_be_transferred() -> None:
    with pytest.raises(OptionError, match=r"^image_save_dest, with the name of the host: .* quotation mark"):
        checked(Play('a"b', ['a"b'], ['a"b'], ['a"b']), distribute=True)


@pytest.mark.parametrize(
    "play", [Play("one", ["one", "two"], ["one"], ["one", "two"]), Play("one", ["one"], ["one", "two"], ["one"])]
)
def test_a_set_cannot_be_saved_in_batches(play: Play) -> None:
    with pytest.raises(OptionError, match="serial"):
        checked(play, distribute=True)
    checked(play)


def test_a_host_that_has_failed_is_no_reason() -> None:
    checked(Play("one", ["one"], ["one", "two"], ["one", "two"]), distribute=True)


def test_facts_of_our_names() -> None:
    refuse_facts(["ansible_python", "my_image_save_x"], "one")
    with pytest.raises(OptionError, match=r"^one has facts .* \(__image_save_call, image_save_dest\), which"):
        refuse_facts(["image_save_dest", "__image_save_call", "x"], "one")


@pytest.mark.parametrize("compress", ["gzip", "zstd", "none", "dir"])
@pytest.mark.parametrize("name", ["a", "a.tar", "a.tar.gz", ".tar", "a.tgz", "a.tar.zst", ".tar.gz", "v1.2"])
def test_the_archive_is_where_the_module_writes_it(name: str, compress: str) -> None:
    paths = paths_of(options(dest=f"/srv/out/{name}", compress=compress), "one")
    assert paths.archive == complete_dest(f"/srv/out/{name}", compress)
    assert paths.files == [paths.archive, *(f"{paths.archive}{suffix}" for suffix in BESIDE.values())]


def test_paths() -> None:
    paths = paths_of(options(dest="~/out/a"), "one")
    assert (paths.archive, paths.directory) == ("~/out/a.tar.gz", "~/out"), "the host's home is not the controller's"
    assert paths.list_file == "/srv/out/lists/a.txt"
    assert (paths.local_dir, paths.merged_lock) == ("/media/one", "/media/images.lock.json")
    home = paths_of(options(fetch_dest="~/x/"), "one")
    assert home.local_dir == os.path.expanduser("~/x/one")
    assert (paths.formerly, paths.set_files) == ("", [])
    nothing = paths_of(options(fetch=False, fetch_dest=""), "one")
    assert (nothing.local_dir, nothing.merged_lock) == ("", "")


def test_paths_when_the_work_is_shared() -> None:
    paths = paths_of(options(distribute=True), "one")
    assert (paths.archive, paths.formerly) == ("/srv/out/images-one.tar.gz", "/srv/out/images.tar.gz")
    assert paths.files == [paths.archive, *(f"{paths.archive}{suffix}" for suffix in BESIDE.values())]
    assert paths.set_files[0] == paths.merged_lock == "/media/images.lock.json", "it goes first"
    assert "/media/images.report.html" in paths.set_files and "/media/images.set.json" not in paths.set_files
    assert paths.list_file == "/srv/out/lists/images.txt"
    assert paths_of(options(from_lock_file="x"), "one").list_file == "/srv/out/lists/images.lock.json"
