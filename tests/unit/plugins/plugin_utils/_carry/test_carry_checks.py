# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the role image_load, and the lists that it reads on the controller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.plugin_utils._carry.checks import check_options
from ansible_collections.airgap.images.plugins.plugin_utils._carry.lists import listed_on_controller
from ansible_collections.airgap.images.plugins.plugin_utils._carry.options import Options
from ansible_collections.airgap.images.plugins.plugin_utils._stage.checks import Play

USUAL: dict[str, Any] = {
    "registry": "registry.lan:5000",
    "to": "registry",
    "dest": "",
    "src": ["/media/usb"],
    "controller_src": [],
    "staging_dir": "",
    "images": [],
    "list_files": [],
    "list_format": "plain",
    "remote_list_files": [],
    "distribute": False,
    "poll": "5",
}
PLAY = Play("one", ["one", "two"], ["one", "two"], ["one", "two"])


def find(path: str) -> str | None:
    return path if Path(path).is_file() else None


def check(play: Play = PLAY, **changed: Any) -> None:
    check_options(Options.of({**USUAL, **changed}), play, find)


def test_what_most_plays_need_is_enough() -> None:
    check()
    check(distribute=True)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"registry": ""}, "image_load_registry: expected"),
        ({"to": "containerd_images", "registry": ""}, "image_load_dest: expected"),
        ({"src": []}, "There is nothing to load: set image_load_src"),
        ({"src": "/media/usb"}, "image_load_src: expected a list"),
        ({"images": "a/b:1"}, "image_load_images: expected a list"),
        ({"list_files": ["/no/list.txt"]}, "image_load_list_files: file '/no/list.txt' not found"),
        ({"poll": 0}, "image_load_poll"),
        (
            {"controller_src": ["/no/such/stick"], "staging_dir": "/srv/in"},
            "/no/such/stick not found on the controller",
        ),
        ({"controller_src": ["tmp"], "staging_dir": "/srv/in"}, "expected the absolute path"),
        ({"controller_src": ["/"]}, "image_load_staging_dir: expected the absolute path of a directory on the host"),
        ({"controller_src": ["/"], "staging_dir": "in"}, "but it is in."),
        ({"controller_src": ["/"], "staging_dir": "/srv/$in"}, "contains '$'"),
    ],
)
def test_what_cannot_work_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError) as caught:
        check(**changed)
    assert words in str(caught.value)


def test_shares_need_all_hosts_at_once() -> None:
    with pytest.raises(OptionError, match="cannot be combined with serial"):
        check(Play("one", ["one", "two"], ["one"], ["one", "two"]), distribute=True)


def test_lists_on_the_controller_name_the_places_of_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# c\na/b:1\r\n\nc/d:2 c/d\n", "utf-8")
    options = Options.of({**USUAL, "images": ["x/y:3"], "list_files": [str(path)], "list_format": "sources"})
    chosen = listed_on_controller(options, find)
    assert chosen.lines == ["x/y:3", "a/b:1", "c/d:2"]
    assert chosen.origins == ["image_load_images, item 1", f"{path}:2", f"{path}:4"]


def test_a_list_without_images_does_not_load_everything(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# nothing yet\n", "utf-8")
    options = Options.of({**USUAL, "list_files": [str(path)]})
    with pytest.raises(OptionError, match="There is nothing to load"):
        listed_on_controller(options, find)
    assert listed_on_controller(Options.of({**USUAL, "images": []}), find).lines == []
