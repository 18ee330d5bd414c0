# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the role image_load are the options of the module, wherever they are written down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.airgap.images.plugins.modules import image_load
from ansible_collections.airgap.images.plugins.modules.image_carry import ZSTANDARD
from ansible_collections.airgap.images.plugins.plugin_utils._carry.copies import Told
from ansible_collections.airgap.images.plugins.plugin_utils._carry.options import Options
from ansible_collections.airgap.images.tests.unit.roles.test_image_save_packages import OMIT, evaluate, trusted
from ansible_collections.airgap.images.tests.unit.roles.test_image_save_variables import (
    SET_FACT,
    flat,
    lenient,
    shape,
    takes_empty_text,
    without_default,
)

ROLE = Path(__file__).parents[3] / "roles" / "image_load"
PREFIX = "image_load_"

# What the module does not know, or, as list_files, takes from the host.
OWN: dict[str, dict[str, Any]] = {
    "controller_src": {"type": "list", "elements": "path", "default": []},
    "staging_dir": {"type": "path"},
    "keep_staged": {"type": "bool", "default": True},
    "remote_list_files": {"type": "list", "elements": "path", "default": []},
    "environment": {"type": "dict", "default": {}},
    "install": {"type": "bool", "default": True},
    "async": {"type": "int", "default": 0},
    "poll": {"type": "int", "default": 5},
    "distribute": {"type": "bool", "default": False},
    "fetch_dest": {"type": "path"},
}
# What the role decides by itself.
DECIDED = ("origins", "share", "share_among")
SIX = ["src", "registry", "username", "password", "controller_src", "staging_dir"]


def load(name: str) -> Any:
    return yaml.safe_load((ROLE / name).read_text("utf-8"))


def expected() -> dict[str, dict[str, Any]]:
    """All variables, as the module's options and those of the role's own define them."""
    options = {name: option for name, option in image_load.argument_spec().items() if name not in DECIDED}
    # Archives may all be on the controller.
    options["src"] = {**options["src"], "required": None, "default": []}
    return {PREFIX + name: shape(option) for name, option in {**options, **OWN}.items()}


EXPECTED = expected()
SPECIFIED: dict[str, dict[str, Any]] = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
README = (ROLE / "README.md").read_text("utf-8")
VARIABLES = {path.name: load(f"vars/{path.name}") for path in sorted((ROLE / "vars").glob("*.yml"))}
TASKS = {path.name: load(f"tasks/{path.name}") for path in sorted((ROLE / "tasks").glob("*.yml"))}


def test_specification_is_the_modules() -> None:
    assert {name: shape(option) for name, option in SPECIFIED.items()} == {
        name: lenient(option) for name, option in EXPECTED.items()
    }
    assert all(option["description"] for option in SPECIFIED.values())


def test_what_may_be_empty_is_of_its_type_all_the_same() -> None:
    types = {name: shape(option) for name, option in VARIABLES["main.yml"]["__image_load_types"].items()}
    typed = {name: option for name, option in EXPECTED.items() if not takes_empty_text(option)}
    assert types == {name: without_default(option) for name, option in typed.items()}


def test_the_variables_that_most_plays_need_come_first() -> None:
    """With an example in the description, and in the first of the tables."""
    assert list(SPECIFIED)[: len(SIX)] == [PREFIX + name for name in SIX]
    guide = load("meta/argument_specs.yml")["argument_specs"]["main"]["description"][1]
    assert set(re.findall(r"O\(image_load_(\w+)\)", guide)) == set(SIX)
    example = yaml.safe_load(re.findall(r"C\((.+)\)", guide)[0])
    assert example.keys() == {PREFIX + "src", PREFIX + "registry"}
    first = README.partition("\n### ")[2].partition("\n### ")[0]
    assert re.findall(r"^\| `image_load_(\w+)`", first, re.MULTILINE) == SIX


def test_defaults_are_the_modules() -> None:
    assert load("defaults/main.yml") == {
        name: option["default"] for name, option in EXPECTED.items() if "default" in option
    }


def test_the_readme_has_every_variable_in_the_order_of_the_specification() -> None:
    """With its type, its default and its meaning."""
    rows = re.findall(r"^\| `(image_load_\w+)` \| (.*?) \| (?:(.*?) )?\| (.+) \|$", README, re.MULTILINE)
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
    (task,) = TASKS["load.yml"]
    passed = dict(task["airgap.images.image_load"])
    special = {
        "src": "{{ __image_load_src }}",
        "images": "{{ __image_load_call.lines }}",
        "list_files": "{{ __image_load_option_remote_list_files }}",
        "origins": "{{ __image_load_call.origins }}",
        "share": "{{ inventory_hostname if __image_load_option_distribute else omit }}",
        "share_among": "{{ __image_load_call.share_among }}",
    }
    assert [name for name in passed if name not in DECIDED] == [
        name[len(PREFIX) :] for name in SPECIFIED if name[len(PREFIX) :] not in OWN
    ]
    assert {*passed} == {*image_load.argument_spec()}
    for name, value in passed.items():
        has_default = "default" in EXPECTED.get(PREFIX + name, {})
        usual = "{{ " + PREFIX + name + ("" if has_default else " | default(omit)") + " }}"
        assert value == special.get(name, usual), name


# --- what the role itself uses


def used(node: object) -> Iterator[str]:
    """The role's variables in what is evaluated or shown. Tags are named in the same way, and are no variables."""
    if isinstance(node, str):
        yield from re.findall(r"(?<![\w.])(?:__)?image_load_\w+", node)
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


DISTRIBUTIONS = {name: set(values) for name, values in VARIABLES.items() if name != "main.yml"}
EVERYWHERE = {
    *SPECIFIED,
    *VARIABLES["main.yml"],
    *set.intersection(*DISTRIBUTIONS.values()),
    *defined(list(TASKS.values())),
}


def test_what_is_used_is_defined_and_the_other_way_round() -> None:
    in_use = {*used(list(TASKS.values())), *used(VARIABLES["main.yml"])}
    assert in_use - EVERYWHERE == set()
    for name, own in DISTRIBUTIONS.items():
        in_use |= {*used(VARIABLES[name])}
        assert set(used(VARIABLES[name])) - EVERYWHERE - own == set(), name
    assert {*EVERYWHERE, *set.union(*DISTRIBUTIONS.values())} - in_use == set()


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
    for name, value in {**load("defaults/main.yml"), **VARIABLES["main.yml"]}.items()
}
CHOSEN = [name for name in VARIABLES["main.yml"] if name.startswith("__image_load_option_")]


@pytest.mark.parametrize("value", ["", None, OMIT], ids=["empty", "null", "omitted"])
@pytest.mark.parametrize("name", CHOSEN)
def test_the_role_takes_no_value_for_the_default(name: str, value: object) -> None:
    variable = PREFIX + name.removeprefix("__image_load_option_")
    common = {**COMMON, "omit": OMIT}
    default = evaluate(f"{{{{ {name} }}}}", common)
    assert evaluate(f"{{{{ {name} }}}}", {**common, variable: value}) == default
    assert str(default) == str(load("defaults/main.yml").get(variable, ""))


def test_the_steps_before_loading_get_what_they_need() -> None:
    assert {*VARIABLES["main.yml"]["__image_load_options"]} == {field.name for field in fields(Options)}


def test_everything_that_can_be_lacking_has_a_package() -> None:
    needed = {*VARIABLES["main.yml"]["__image_load_libraries"], ZSTANDARD}
    for name in DISTRIBUTIONS:
        assert {*VARIABLES[name]["__image_load_packages"]} == needed, name


@pytest.mark.parametrize("name", sorted(DISTRIBUTIONS))
def test_packages_are_those_of_the_other_role(name: str) -> None:
    """They are tested there for each distribution."""
    other = (ROLE.parent / "image_save" / "vars" / name).read_text("utf-8").replace("image_save", "image_load")
    values = yaml.safe_load(other)
    values["__image_load_packages"].pop("skopeo")
    assert VARIABLES[name] == values


def test_the_step_after_loading_gets_what_it_needs() -> None:
    assert {*VARIABLES["main.yml"]["__image_load_told"]} == {field.name for field in fields(Told)}


def test_the_password_that_is_hidden_is_known_from_the_environment_too() -> None:
    common = {**COMMON, "omit": OMIT, "image_load_environment": {"DEST_PASSWORD": "p1"}}
    password = trusted(VARIABLES["main.yml"]["__image_load_told"]["password"])
    assert evaluate(password, common) == "p1"
    assert evaluate(password, {**common, "image_load_password": "p2"}) == "p2"
    assert evaluate(password, {**common, "image_load_environment": ""}) == ""


def test_requests_are_fetched_though_nothing_was_begun() -> None:
    """With image_load_verify=first, a damaged part ends the run before it has a result."""
    failed = {"failed": True, "msg": "a.part1 is damaged", "request_files": ["/srv/out/a.request.json"]}
    common = {**COMMON, "omit": OMIT, "__image_load_loaded": failed}
    assert evaluate("{{ __image_load_returned }}", common)["request_files"] == failed["request_files"]
    assert evaluate("{{ __image_load_returned }}", {**common, "__image_load_loaded": {}})["request_files"] == []
