# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter that makes shares of equal size: what a playbook gives and gets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible.release import __version__ as core_version
from ansible.utils.unsafe_proxy import AnsibleUnsafe

from ansible_collections.airgap.images.plugins.filter.balance_images import FilterModule, balance_images
from ansible_collections.airgap.images.tests.unit.plugins.plugin_utils._stage.test_stage_lock_file import RAW

CORE = tuple(int(number) for number in core_version.split(".")[:2])
LINES = ["a/one:1", "a/two:1", "a/two:2", "a/three:1"]


def test_it_is_offered() -> None:
    assert FilterModule().filters() == {"balance_images": balance_images}


def test_sizes_by_image_and_by_layer() -> None:
    sizes = {"a/one:1": 10, "docker.io/a/two:1": {"sha256:x": 5, "sha256:y": 1}, "a/two:2": {"sha256:x": 5}}
    assert balance_images(LINES, ["two", "one"], {**sizes, "a/three:1": 5}) == {
        "two": ["a/two:1", "a/two:2", "a/three:1"],
        "one": ["a/one:1"],
    }


def test_without_sizes_the_numbers_are_equal() -> None:
    shares = balance_images(LINES, ["one", "two"])
    assert shares == {"one": ["a/two:1", "a/two:2"], "two": ["a/one:1", "a/three:1"]}


def test_sizes_of_a_lock_file() -> None:
    document: dict[str, Any] = json.loads(RAW)
    names = [image["reference"] for image in document["images"]]
    for image, size in zip(document["images"], (1000, 100)):
        image["platforms"] = [{**image["platforms"][0], "size": size, "digest": f"sha256:{size:064}"}]
    more = [f"a.lan/more-{number}:1" for number in range(3)]
    sizes = dict.fromkeys(more, 100)
    shares = balance_images([*names, *more], ["one", "two"], sizes, json.dumps(document))
    assert [share for share in shares.values() if names[0] in share] == [[names[0]]]


def test_what_is_placed_stays_and_a_new_host_gets_its_share() -> None:
    before = {"one": LINES[:3], "two": LINES[3:]}
    assert balance_images([*LINES, "a/four:1"], ["one", "two"], placed=before) == {
        "one": LINES[:3],
        "two": [*LINES[3:], "a/four:1"],
    }
    after = balance_images(LINES, ["one", "two", "three"], placed=before)
    assert after == {"one": ["a/two:1", "a/two:2"], "two": ["a/three:1"], "three": ["a/one:1"]}
    assert balance_images(LINES, ["one", "two", "three"], placed={**before, "three": []})["three"] == []


def test_nothing_in_a_list_is_taken_for_a_template() -> None:
    line = "{{ lookup('pipe', 'id') }}"
    [found] = balance_images([line], ["one"])["one"]
    assert found == line
    assert CORE >= (2, 19) or isinstance(found, AnsibleUnsafe), "later ones evaluate only what is marked as trusted"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((["a"], []), "no host was given"),
        ((["a"], ["one"], {"a": "1 GB"}), "sizes: expected bytes, or bytes by digest, but 'a' has something else"),
        ((["a"], ["one"], {"a": {"sha256:x": -1}}), "sizes: expected bytes"),
        ((["a"], ["one"], {}, "no lock file"), "lock is not a lock file"),
    ],
)
def test_errors_name_the_filter(arguments: tuple[Any, ...], said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"balance_images: {said}"):
        balance_images(*arguments)
