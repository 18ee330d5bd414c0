# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the role image_verify are the options of the module, wherever they are written down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.airgap.images.plugins.module_utils._verify.result import ASKABLE
from ansible_collections.airgap.images.plugins.modules import image_verify
from ansible_collections.airgap.images.plugins.plugin_utils._carry.verification import Verification
from ansible_collections.airgap.images.tests.unit.roles.test_image_save_packages import OMIT, evaluate, trusted
from ansible_collections.airgap.images.tests.unit.roles.test_image_save_variables import (
    SET_FACT,
    flat,
    lenient,
    shape,
    takes_empty_text,
    without_default,
)

ROLE = Path(__file__).parents[3] / "roles" / "image_verify"
PREFIX = "image_verify_"

# What the module does not know.
OWN: dict[str, dict[str, Any]] = {
    "controller_src": {"type": "list", "elements": "path", "default": []},
    "async": {"type": "int", "default": 0},
    "poll": {"type": "int", "default": 5},
}
# What the role does on the controller, instead of the module.
DONE_HERE = ("request_file",)
FOUR = ["src", "controller_src", "repair", "request_file"]


def load(name: str) -> Any:
    return yaml.safe_load((ROLE / name).read_text("utf-8"))


def expected() -> dict[str, dict[str, Any]]:
    """All variables, as the module's options and those of the role's own define them."""
    options = dict(image_verify.argument_spec())
    # Archives may all be on the controller.
    options["src"] = {**options["src"], "required": None, "default": []}
    return {PREFIX + name: shape(option) for name, option in {**options, **OWN}.items()}


EXPECTED = expected()
SPECIFIED: dict[str, dict[str, Any]] = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
README = (ROLE / "README.md").read_text("utf-8")
VARIABLES = load("vars/main.yml")
TASKS = {path.name: load(f"tasks/{path.name}") for path in sorted((ROLE / "tasks").glob("*.yml"))}


def test_specification_is_the_modules() -> None:
    assert {name: shape(option) for name, option in SPECIFIED.items()} == {
        name: lenient(option) for name, option in EXPECTED.items()
    }
    assert all(option["description"] for option in SPECIFIED.values())


def test_what_may_be_empty_is_of_its_type_all_the_same() -> None:
    types = {name: shape(option) for name, option in VARIABLES["__image_verify_types"].items()}
    typed = {name: option for name, option in EXPECTED.items() if not takes_empty_text(option)}
    assert types == {name: without_default(option) for name, option in typed.items()}


def test_the_variables_that_most_plays_need_come_first() -> None:
    """With an example in the description, and in the first of the tables."""
    assert list(SPECIFIED)[: len(FOUR)] == [PREFIX + name for name in FOUR]
    guide = load("meta/argument_specs.yml")["argument_specs"]["main"]["description"][1]
    assert set(re.findall(r"O\(image_verify_(\w+)\)", guide)) == set(FOUR)
    example = yaml.safe_load(re.findall(r"C\((.+)\)", guide)[0])
    assert example.keys() == {PREFIX + "src", PREFIX + "repair"}
    first = README.partition("\n### ")[2].partition("\n### ")[0]
    assert re.findall(r"^\| `image_verify_(\w+)`", first, re.MULTILINE) == FOUR


def test_defaults_are_the_modules() -> None:
    assert load("defaults/main.yml") == {
        name: option["default"] for name, option in EXPECTED.items() if "default" in option
    }


def test_the_readme_has_every_variable_in_the_order_of_the_specification() -> None:
    """With its type, its default and its meaning."""
    rows = re.findall(r"^\| `(image_verify_\w+)` \| (.*?) \| (?:(.*?) )?\| (.+) \|$", README, re.MULTILINE)
    table = {
        name: (kind, default) for name, kind, default, _meaning in rows if kind != "Default" and "Step" not in kind
    }
    table = {name: cells for name, cells in table.items() if name in EXPECTED}
    assert list(table) == list(SPECIFIED)
    for name, option in EXPECTED.items():
        kind = option["type"] + (f" of {option['elements']}" if "elements" in option else "")
        assert table[name] == (kind, cell(option)), name


def cell(option: dict[str, Any]) -> str:
    """How the table shows a default."""
    if option.get("required"):
        return "**required**"
    if "default" not in option:
        return ""
    default = option["default"]
    return f"`{str(default).lower()}`" if isinstance(default, bool) else f"`{default}`"


def test_every_option_is_passed_on() -> None:
    """To both tasks alike."""
    there, here = TASKS["verify.yml"]
    passed = dict(there["airgap.images.image_verify"])
    assert passed == here["airgap.images.image_verify"]
    assert {*passed, *DONE_HERE} == {*image_verify.argument_spec()}
    for name, value in passed.items():
        has_default = "default" in EXPECTED[PREFIX + name]
        usual = "{{ " + PREFIX + name + ("" if has_default else " | default(omit)") + " }}"
        assert value == ("{{ __image_verify_call.src }}" if name == "src" else usual), name


# --- what the role itself uses


def used(node: object) -> Iterator[str]:
    """The role's variables in what is evaluated or shown. Tags are named in the same way, and are no variables."""
    if isinstance(node, str):
        yield from re.findall(r"(?<![\w.])(?:__)?image_verify_\w+", node)
    elif isinstance(node, list):
        for value in node:
            yield from used(value)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key not in ("tags", "register", "loop_var"):
                yield from used(value)


def defined(node: object) -> Iterator[str]:
    """The names that tasks register, set or loop over."""
    if isinstance(node, list):
        for value in node:
            yield from defined(value)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("register", "loop_var"):
                yield value
            elif key in SET_FACT:
                yield from value
            yield from defined(value)


EVERYWHERE = {*SPECIFIED, *VARIABLES, *defined(list(TASKS.values()))}


def test_what_is_used_is_defined_and_the_other_way_round() -> None:
    in_use = {*used(list(TASKS.values())), *used(VARIABLES)}
    assert in_use | {PREFIX + name for name in DONE_HERE} == EVERYWHERE


def test_nothing_of_an_earlier_call_is_left() -> None:
    """A task that a tag or an error leaves out would hand on what it has said before."""
    begin, validate = TASKS["validate.yml"]
    tasks = [task for tasks in TASKS.values() for task in flat(tasks)]
    facts = {name for task in tasks for key in SET_FACT for name in task.get(key, {})}
    registered = {task["register"] for task in tasks if "register" in task}
    assert {*begin["ansible.builtin.set_fact"], validate["register"]} == facts | registered


def test_check_mode_is_that_of_the_task() -> None:
    """``ansible_check_mode`` is that of the command line."""
    files = [file for folder in ("tasks", "vars", "defaults") for file in sorted((ROLE / folder).iterdir())]
    assert files and [file.name for file in files if "ansible_check_mode" in file.read_text("utf-8")] == []


COMMON = {
    name: trusted(value) if isinstance(value, str) else value
    for name, value in {**load("defaults/main.yml"), **VARIABLES}.items()
}
CHOSEN = [name for name in VARIABLES if name.startswith("__image_verify_option_")]


@pytest.mark.parametrize("value", ["", None, OMIT], ids=["empty", "null", "omitted"])
@pytest.mark.parametrize("name", CHOSEN)
def test_the_role_takes_no_value_for_the_default(name: str, value: object) -> None:
    variable = PREFIX + name.removeprefix("__image_verify_option_")
    common = {**COMMON, "omit": OMIT}
    default = evaluate(f"{{{{ {name} }}}}", common)
    assert evaluate(f"{{{{ {name} }}}}", {**common, variable: value}) == default
    assert str(default) == str(load("defaults/main.yml").get(variable, ""))


def test_the_end_of_the_message_is_that_of_the_module() -> None:
    assert VARIABLES["__image_verify_askable"] == ASKABLE


def test_the_step_before_gets_what_it_needs() -> None:
    assert {*VARIABLES["__image_verify_options"]} == {field.name for field in fields(Verification)}
