# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Empty text and null mean what no option means, for each option of the module."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from ansible.module_utils.basic import FILE_COMMON_ARGUMENTS

from ansible_collections.airgap.images.plugins.module_utils._base.empty import without_empty
from ansible_collections.airgap.images.plugins.modules import image_save
from ansible_collections.airgap.images.tests.unit.fakes import module_arguments

SPEC: dict[str, Mapping[str, Any]] = {**FILE_COMMON_ARGUMENTS, **image_save.argument_spec()}
REQUIRED = {"dest": "/srv/a"}
NAMES = [name for key, option in SPEC.items() for name in (key, *option.get("aliases", ()))]
FALLBACKS: dict[str, str] = {
    name: option["fallback"][1][0]  # type: ignore[index]
    for name, option in image_save.argument_spec().items()
    if "fallback" in option
}
LOGIN = {"host": "registry.lan", "username": "user", "password": "s3cret"}


def read(monkeypatch: pytest.MonkeyPatch, **given: Any) -> dict[str, Any]:
    """The parameters as the module has them."""
    with module_arguments(monkeypatch, **given):
        params: dict[str, Any] = image_save.make_module().params
    return params


def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **given: Any) -> str:
    """Why the module does not accept these parameters."""
    with pytest.raises(SystemExit):
        read(monkeypatch, **given)
    return str(json.loads(capsys.readouterr().out)["msg"])


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have set variables of their own."""
    for variable in FALLBACKS.values():
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize("value", ["", None], ids=["empty", "null"])
@pytest.mark.parametrize("name", [name for name in NAMES if name not in REQUIRED])
def test_every_option(monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> None:
    assert read(monkeypatch, **REQUIRED, **{name: value}) == read(monkeypatch, **REQUIRED)


@pytest.mark.parametrize("value", ["", None], ids=["empty", "null"])
def test_all_at_once(monkeypatch: pytest.MonkeyPatch, value: object) -> None:
    given: dict[str, Any] = {name: value for name in NAMES if name not in REQUIRED}
    assert read(monkeypatch, **REQUIRED, **given) == read(monkeypatch, **REQUIRED)


@pytest.mark.parametrize("value", ["", None], ids=["empty", "null"])
def test_what_is_required(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: object) -> None:
    assert {name for name, option in SPEC.items() if option.get("required")} == set(REQUIRED)
    expected = refusal(monkeypatch, capsys)
    assert expected == "missing required arguments: dest"
    assert refusal(monkeypatch, capsys, dest=value) == expected


@pytest.mark.parametrize("value", ["", None], ids=["empty", "null"])
@pytest.mark.parametrize("name", FALLBACKS)
def test_environment_variables_count(monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> None:
    """Also for what has to be given together with another one."""
    for each, variable in FALLBACKS.items():
        monkeypatch.setenv(variable, f"{each}-of-the-environment")
    assert read(monkeypatch, **REQUIRED, **{name: value})[name] == f"{name}-of-the-environment"


@pytest.mark.parametrize("value", ["", None], ids=["empty", "null"])
@pytest.mark.parametrize("name", [name for name in SPEC["registries"]["options"] if name != "host"])
def test_every_suboption(monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> None:
    left_out = {key: given for key, given in LOGIN.items() if key != name}
    expected = read(monkeypatch, **REQUIRED, registries=[left_out])
    assert read(monkeypatch, **REQUIRED, registries=[{**LOGIN, name: value}]) == expected


@pytest.mark.parametrize("value", ["", None], ids=["empty", "null"])
def test_the_suboption_that_is_required(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: object
) -> None:
    said = refusal(monkeypatch, capsys, **REQUIRED, registries=[LOGIN, {**LOGIN, "host": value}])
    assert said == "missing required arguments: host found in registries"


def test_zero_and_false_and_no_items_are_values(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {"jobs": 0, "retry_delay": 0, "keep_cache": False, "arch": [], "compress_level": 0}
    params = read(monkeypatch, **REQUIRED, **given)
    assert {name: params[name] for name in given} == given


def test_what_is_not_in_the_specification_is_not_looked_at() -> None:
    spec: dict[str, dict[str, Any]] = {"a": {"aliases": ["b"]}, "d": {"options": {"e": {}}}}
    given = {"a": "", "b": None, "c": "", "d": {"e": "", "f": ""}, "_ansible_tmpdir": None}
    assert without_empty(given, spec) == {"c": "", "d": {"f": ""}, "_ansible_tmpdir": None}
