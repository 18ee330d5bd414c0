# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's parameters, typed and checked."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.tests.unit.load_scene import load_options


def test_defaults() -> None:
    options = load_options(src=["/srv/a", "/srv/b"], registry="reg.lan:5000/mirror/deep")
    assert options.src == ("/srv/a", "/srv/b")
    assert (options.naming.registry.registry, options.naming.registry.prefix) == ("reg.lan:5000", "mirror/deep")
    assert options.choice.is_all
    assert (options.rules.on_conflict, options.rules.check_target, options.rules.verify) == ("replace", "tags", "while")
    assert (options.receipt, options.failed_list, options.check, options.access.login) == (None, None, False, None)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"src": []}, "src: names no archive"),
        ({"registry": ""}, "registry: "),
        ({"registry": "reg.lan/UPPER"}, "registry: "),
        ({"registry": "https://reg.lan"}, "registry: "),
        ({"registry": "reg.lan/a:1"}, "registry: "),
        ({"jobs": 0}, "jobs"),
        ({"jobs": 21}, "jobs"),
        ({"retries": -1}, "retries"),
        ({"retry_delay": 4000.0}, "retry_delay"),
        ({"timeout": 0}, "timeout"),
        ({"stall_timeout": 0}, "stall_timeout"),
        ({"receipt": "a\0b"}, "receipt"),
        ({"rewrites": [{"from": "x", "to": "y"}]}, "rewrites: from"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        load_options(**changed)


def test_the_key_of_a_target_follows_its_names_only() -> None:
    rules = [{"from": "docker.io/a", "to": "x"}, {"from": "docker.io/b", "to": "y"}]
    usual = load_options(rewrites=rules)
    assert load_options(rewrites=rules[::-1], jobs=9, src=["/elsewhere"]).target_key == usual.target_key
    others = [
        load_options(),
        load_options(rewrites=rules, keep_registry=True),
        load_options(rewrites=rules[:1]),
        load_options(rewrites=rules, registry="other.lan"),
        load_options(rewrites=rules, registry="registry.lan:5000/prefix"),
    ]
    assert len({usual.target_key, *(one.target_key for one in others)}) == 6
    assert len(usual.target_key) == 16
    assert "registry" not in usual.target_key


def test_a_password_is_shown_nowhere() -> None:
    options = load_options(username="loader", password="s3cret")
    assert options.access.login == ("loader", "s3cret")
    assert "s3cret" not in repr(options)
