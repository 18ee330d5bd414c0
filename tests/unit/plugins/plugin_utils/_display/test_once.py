# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure

from ansible_collections.airgap.images.plugins.plugin_utils._display.once import (
    ShownOnce,
    UnreachableOnce,
    shown_once,
    unreachable_once,
)

FAILED = {"failed": True, "changed": False, "msg": "host one refused", "missing": {"one": ["a:1"]}}


def test_a_failure_has_its_whole_result_and_no_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AnsibleActionFail, "omit_exception_key", False, raising=False)
    with pytest.raises(ShownOnce, match="host one refused") as raised:
        shown_once(FAILED)
    assert raised.value.omit_exception_key and {**raised.value.result, "msg": FAILED["msg"]} == FAILED


def test_where_ansible_shows_it_once_the_result_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner in AnsibleActionFail.__mro__:
        if "omit_exception_key" in vars(owner):
            monkeypatch.delattr(owner, "omit_exception_key")
    assert shown_once(FAILED) is FAILED


def test_success_is_returned() -> None:
    assert shown_once({"changed": True}) == {"changed": True}


def test_an_unreachable_host_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AnsibleConnectionFailure, "omit_exception_key", False, raising=False)
    with pytest.raises(UnreachableOnce, match=r"^connection refused$") as raised, unreachable_once():
        raise AnsibleConnectionFailure("connection refused")
    assert raised.value.omit_exception_key


def test_where_ansible_tells_it_once_it_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner in AnsibleConnectionFailure.__mro__:
        if "omit_exception_key" in vars(owner):
            monkeypatch.delattr(owner, "omit_exception_key")
    error = AnsibleConnectionFailure("connection refused")
    with pytest.raises(AnsibleConnectionFailure) as raised, unreachable_once():
        raise error
    assert raised.value is error
