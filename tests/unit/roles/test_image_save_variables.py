# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the role image_save are the options of the module, wherever they are written down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.basic import FILE_COMMON_ARGUMENTS

from ansible_collections.airgap.images.plugins.modules import image_save, image_sizes
from ansible_collections.airgap.images.plugins.plugin_utils._stage.options import Options
from ansible_collections.airgap.images.tests.unit.roles.test_image_save_packages import COMMON, OMIT, evaluate
from ansible_collections.airgap.images.tests.unit.roles.test_image_save_packages import load as load_for_ansible

ROLE = Path(__file__).parents[3] / "roles" / "image_save"
PREFIX = "image_save_"

# What the module does not know.
OWN: dict[str, dict[str, Any]] = {
    "manifest_files": {"type": "list", "elements": "path", "default": []},
    "remote_list_files": {"type": "list", "elements": "path", "default": []},
    "list_urls": {"type": "list", "elements": "raw", "default": []},
    "include": {"type": "list", "elements": "str", "default": []},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "staging_dir": {"type": "path"},
    "environment": {"type": "dict", "default": {}},
    "install": {"type": "bool", "default": True},
    "async": {"type": "int", "default": 0},
    "poll": {"type": "int", "default": 5},
    "fetch": {"type": "bool", "default": True},
    "fetch_dest": {"type": "path"},
    "from_lock_file": {"type": "path"},
    "distribute": {"type": "bool", "default": False},
    "balance": {"type": "str", "choices": ["size", "count"], "default": "size"},
    "take_over": {"type": "list", "elements": "str", "default": []},
    "remove_orphans": {"type": "bool", "default": False},
    "keep_remote_archive": {"type": "bool", "default": True},
}
# A default that follows from another variable is in defaults/main.yml only.
DERIVED = {"staging_dir": "`<directory of dest>/lists`"}
COMPARED = ("type", "elements", "choices", "default", "required")


def shape(option: dict[str, Any]) -> dict[str, Any]:
    """The properties of an option, with its suboptions, that have to be the same."""
    found: dict[str, Any] = {"type": option.get("type", "str")}
    found.update({key: option[key] for key in COMPARED if option.get(key) is not None})
    if "options" in option:
        found["options"] = {name: shape(suboption) for name, suboption in option["options"].items()}
    return found


def expected() -> dict[str, dict[str, Any]]:
    """All variables, as the module's options and those of the role's own define them."""
    options = {**image_save.argument_spec(), **FILE_COMMON_ARGUMENTS, **OWN}
    del options["origins"]  # the role stages lists of its own, and says where their lines come from
    return {PREFIX + name: shape(option) for name, option in options.items()}


def takes_empty_text(option: dict[str, Any]) -> bool:
    """Return True if Ansible itself accepts an empty value with the type and the default of an option."""
    lists = (None, "str", "path", "raw")
    default = option.get("default")
    is_text = option["type"] in ("str", "path", "raw") and default is None and "choices" not in option
    return is_text or (option["type"] == "list" and option["elements"] in lists and not default)


def lenient(option: dict[str, Any]) -> dict[str, Any]:
    """An option as meta/argument_specs.yml has it, so that it may be empty."""
    if takes_empty_text(option):
        return without_default(option)
    return {**{key: value for key, value in option.items() if key not in ("elements", "choices")}, "type": "raw"}


@cache
def specified() -> dict[str, dict[str, Any]]:
    """The options of meta/argument_specs.yml."""
    options: dict[str, dict[str, Any]] = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    return options


def load(name: str) -> Any:
    return yaml.safe_load((ROLE / name).read_text("utf-8"))


def table() -> dict[str, tuple[str, str, str]]:
    """Type, default and meaning by variable, of the README's table."""
    rows = re.findall(
        r"^\| `(image_save_\w+)` \| (.*?) \| (?:(.*?) )?\| (.*) \|$",
        (ROLE / "README.md").read_text("utf-8"),
        re.MULTILINE,
    )
    assert len(rows) == len({row[0] for row in rows})
    return {name: (kind, default, meaning) for name, kind, default, meaning in rows if kind != "Default"}


def test_specification_is_the_modules() -> None:
    found = {name: shape(option) for name, option in specified().items()}
    assert found == {name: lenient(option) for name, option in expected().items()}


def test_what_may_be_empty_is_of_its_type_all_the_same() -> None:
    types = {name: shape(option) for name, option in VARIABLES["main.yml"]["__image_save_types"].items()}
    typed = {name: option for name, option in expected().items() if not takes_empty_text(option)}
    assert types == {name: without_default(option) for name, option in typed.items()}


def without_default(option: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in option.items() if key != "default"}


def test_everything_is_described() -> None:
    assert [name for name, option in specified().items() if not option["description"]] == []


def test_the_variables_that_most_plays_need_come_first() -> None:
    """With an example in the description, and in the first of the tables."""
    seven = ["images", "list_files", "arch", "os", "dest", "fetch_dest", "part_size"]
    assert list(specified())[: len(seven)] == [PREFIX + name for name in seven]
    guide = load("meta/argument_specs.yml")["argument_specs"]["main"]["description"][1]
    assert set(re.findall(r"O\(image_save_(\w+)\)", guide)) == set(seven)
    example = yaml.safe_load(re.findall(r"C\((.+)\)", guide)[0])
    assert {PREFIX + "dest", PREFIX + "fetch_dest"} < example.keys() < {*specified()}
    first = (ROLE / "README.md").read_text("utf-8").partition("\n### ")[2].partition("\n### ")[0]
    assert re.findall(r"^\| `image_save_(\w+)`", first, re.MULTILINE) == seven


def test_defaults_are_the_modules() -> None:
    defaults = load("defaults/main.yml")
    derived = {PREFIX + name: defaults.pop(PREFIX + name) for name in DERIVED}
    assert defaults == {name: option["default"] for name, option in expected().items() if "default" in option}
    assert all("image_save_dest" in default for default in derived.values())


def test_defaults_have_the_types_of_the_specification() -> None:
    types = {"list": list, "dict": dict, "bool": bool, "int": int, "float": float, "str": str, "path": str}
    for name, default in load("defaults/main.yml").items():
        assert default.__class__ is types[expected()[name]["type"]], name


def test_table_has_every_variable_in_the_order_of_the_specification() -> None:
    assert list(table()) == list(specified())


def test_table_has_types_and_defaults() -> None:
    for name, option in expected().items():
        kind, default, meaning = table()[name]
        assert kind == option["type"] + (f" of {option['elements']}" if "elements" in option else ""), name
        assert default == cell(name, option), name
        assert meaning, name


def cell(name: str, option: dict[str, Any]) -> str:
    """How the table shows a default."""
    if option.get("required"):
        return "**required**"
    if "default" not in option:
        return DERIVED.get(name[len(PREFIX) :], "")
    default = option["default"]
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`[{', '.join(default)}]`" if isinstance(default, list) else f"`{default}`"


def test_every_option_is_passed_on() -> None:
    (block,) = load("tasks/save.yml")
    passed = block["block"][0]["airgap.images.image_save"]
    assert passed.pop("origins") == "{{ __image_save_staged.origins | default([]) }}"
    assert list(passed) == [name[len(PREFIX) :] for name in specified() if name[len(PREFIX) :] not in OWN]
    special = {
        "images": "{{ __image_save_staged.share | default([]) if __image_save_call.is_check else [] }}",
        "list_files": "{{ __image_save_list_files }}",
        "list_format": "plain",
        "from_lock": "{{ __image_save_from_lock }}",
        "request": "{{ __image_save_staged.request | default(omit, true) }}",
        "since": "{{ __image_save_staged.since | default([]) }}",
        "since_confirmed": "{{ image_save_since_confirmed if __image_save_staged.since | default([]) else [] }}",
        "dest": "{{ __image_save_call.archive }}",
        "mode": "{{ __image_save_option_mode }}",
    }
    for name, value in passed.items():
        needs_default = "default" not in expected()[PREFIX + name] and name != "dest"
        usual = "{{ " + PREFIX + name + (" | default(omit)" if needs_default else "") + " }}"
        assert value == special.get(name, usual), name


# --- what the role itself uses


DEFINING = ("register", "loop_var", "index_var")
SET_FACT = ("set_fact", "ansible.builtin.set_fact")


def used(node: object) -> Iterator[str]:
    """The role's variables in what is evaluated or shown. Tags are named in the same way, and are no variables."""
    if isinstance(node, str):
        yield from re.findall(r"(?<![\w.])(?:__)?image_save_\w+", node)
    elif isinstance(node, list):
        for value in node:
            yield from used(value)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key not in ("tags", *DEFINING):
                yield from used(value)


def defined(node: object) -> Iterator[str]:
    """The names that tasks register, set, loop over, or have as variables of their own."""
    if isinstance(node, list):
        for value in node:
            yield from defined(value)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in DEFINING:
                yield value
            elif key in (*SET_FACT, "vars"):
                yield from value
            yield from defined(value)


TASKS = {path.name: load(f"tasks/{path.name}") for path in sorted((ROLE / "tasks").glob("*.yml"))}
VARIABLES = {path.name: load(f"vars/{path.name}") for path in sorted((ROLE / "vars").glob("*.yml"))}
# Read for one distribution each; what all of them define can be used everywhere.
DISTRIBUTIONS = {name: set(values) for name, values in VARIABLES.items() if name != "main.yml"}
EVERYWHERE = {
    *specified(),
    *load("defaults/main.yml"),
    *VARIABLES["main.yml"],
    *set.intersection(*DISTRIBUTIONS.values()),
    *defined(list(TASKS.values())),
}


@pytest.mark.parametrize("name", TASKS)
def test_what_tasks_use_is_defined(name: str) -> None:
    assert set(used(TASKS[name])) - EVERYWHERE == set()


@pytest.mark.parametrize("name", VARIABLES)
def test_what_variables_use_is_defined(name: str) -> None:
    assert set(used(VARIABLES[name])) - EVERYWHERE - DISTRIBUTIONS.get(name, set()) == set()


def test_what_is_defined_is_used() -> None:
    everything = {*EVERYWHERE, *set.union(*DISTRIBUTIONS.values())}
    names = {name for name in everything if re.match(r"(__)?image_save_", name)}
    in_use = {*used(list(TASKS.values())), *used(list(VARIABLES.values())), *used(load("defaults/main.yml"))}
    assert names - in_use == set()


def test_uses_and_definitions_are_found() -> None:
    tasks = [
        {
            "block": [
                {"airgap.images.image_save": {"dest": "{{ image_save_dest }}"}, "register": "__image_save_saved"},
                {
                    "ansible.builtin.set_fact": {
                        "image_save_result": "{{ hostvars | map('extract', '__image_save_x') }}"
                    }
                },
            ],
            "when": ["not image_save_a | bool", "__image_save_b.stat.image_save_member"],
            "vars": {"__image_save_own": 1},
            "loop_control": {"loop_var": "__image_save_item"},
            "tags": ["image_save_save"],
        }
    ]
    assert set(used(tasks)) == {"image_save_dest", "image_save_a", "__image_save_b", "__image_save_x"}
    assert set(defined(tasks)) == {
        "__image_save_saved",
        "image_save_result",
        "__image_save_own",
        "__image_save_item",
    }


# --- calls, and values that are none


def registered(node: object) -> Iterator[str]:
    """The names that tasks register."""
    if isinstance(node, list):
        for value in node:
            yield from registered(value)
    elif isinstance(node, dict):
        if isinstance(node.get("register"), str):
            yield node["register"]
        for value in node.values():
            yield from registered(value)


def facts(node: object) -> Iterator[str]:
    """The names that tasks set."""
    if isinstance(node, list):
        for value in node:
            yield from facts(value)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in SET_FACT:
                yield from value
            yield from facts(value)


def test_nothing_of_an_earlier_call_is_left() -> None:
    """A task that a tag or an error leaves out would hand on what it has said before."""
    begin, validate = TASKS["validate.yml"]
    assert list(registered(validate)) == ["__image_save_call"]
    everything = {*registered(list(TASKS.values())), *facts(list(TASKS.values()))}
    assert {*facts(begin), *registered(validate)} == everything


def test_check_mode_is_that_of_the_task() -> None:
    """``ansible_check_mode`` is that of the command line."""
    files = [file for folder in ("tasks", "vars", "defaults") for file in sorted((ROLE / folder).iterdir())]
    assert files and [file.name for file in files if "ansible_check_mode" in code(file)] == []


def code(path: Path) -> Iterator[str]:
    """The words of a file, but for comments."""
    for line in path.read_text("utf-8").splitlines():
        if not line.lstrip().startswith("#"):
            yield from re.findall(r"\w+", line)


OPTIONS = [name for name in VARIABLES["main.yml"] if name.startswith("__image_save_option_")]
EMPTY = {"empty": "", "null": None, "omitted": OMIT}


@pytest.mark.parametrize("value", EMPTY.values(), ids=EMPTY)
@pytest.mark.parametrize("name", OPTIONS)
def test_the_role_takes_no_value_for_the_default(name: str, value: object) -> None:
    variable = PREFIX + name.removeprefix("__image_save_option_")
    defaults = load_for_ansible("../defaults/main.yml")
    common = {**COMMON, **defaults, "image_save_dest": "/srv/a", "omit": OMIT}
    common.update({"__image_save_staged": {}})
    if variable == "image_save_dest":
        del common[variable]
    expected_value = evaluate(f"{{{{ {name} }}}}", common)
    assert evaluate(f"{{{{ {name} }}}}", {**common, variable: value}) == expected_value
    if variable in defaults and variable[len(PREFIX) :] not in DERIVED:
        assert str(expected_value) == str(defaults[variable])  # numbers are text before 2.19


def test_the_first_step_gets_what_it_needs() -> None:
    """The options that decide what is staged are named as the action reads them."""
    needed = {field.name for field in fields(Options)}
    assert {*VARIABLES["main.yml"]["__image_save_options"]} == needed
    values = evaluate(
        "{{ __image_save_options }}", {**COMMON, **load_for_ansible("../defaults/main.yml"), "omit": OMIT}
    )
    assert Options.of(values).list_format == "plain"


def test_sizes_are_asked_for_with_the_options_of_a_save() -> None:
    access = VARIABLES["main.yml"]["__image_save_access"]
    asked = image_sizes.argument_spec()
    assert {*access} == {*asked} - {"images", "debug"}
    for name, option in asked.items():
        save = image_save.argument_spec()[name]
        assert {**option, "required": None, "default": None} == {
            **{key: value for key, value in save.items() if key != "aliases"},
            "required": None,
            "default": None,
        }, name
        if name not in ("images", "cache_dir"):
            assert option.get("default") == save.get("default"), name
    for name in {*access} - {"cache_dir"}:
        usual = "" if "default" in expected()[PREFIX + name] else " | default('')"
        assert access[name] == f"{{{{ {PREFIX}{name}{usual} }}}}", name


@pytest.mark.parametrize("name", TASKS)
def test_loops_do_not_take_the_variables_of_the_play(name: str) -> None:
    """Such as ``item``, which may be that of a loop around the role."""
    for task in flat(TASKS[name]):
        if "loop" in task:
            assert str(task.get("loop_control", {}).get("loop_var")).startswith("__image_save_")


def flat(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Tasks, and those within blocks."""
    for task in tasks:
        yield task
        for part in ("block", "rescue", "always"):
            yield from flat(task.get(part, []))


HANDING_ON = ("save.yml", "fetch.yml", "requested.yml", "failed.yml")
"""The files of tasks that hand options to modules as they are."""


def test_the_role_looks_at_options_in_one_place() -> None:
    """Elsewhere, a value that is none would be taken for false, or for a list."""
    handed_on = {f"image_save_{name}" for name in load("tasks/save.yml")[0]["block"][0]["airgap.images.image_save"]}
    for name, tasks in TASKS.items():
        found = {variable for variable in used(tasks) if variable in specified()} - shown(tasks)
        assert found <= (handed_on if name in HANDING_ON else set()), name
    handed_on_later = {*OPTIONS, "__image_save_access"}
    in_vars = {name: value for name, value in VARIABLES["main.yml"].items() if name not in handed_on_later}
    mentioned = {"image_save_install"}
    assert {variable for variable in used(in_vars) if variable in specified()} <= mentioned


def shown(node: object) -> set[str]:
    """The variables that tasks name for people."""
    if isinstance(node, list):
        return set().union(*map(shown, node))
    if not isinstance(node, dict):
        return set()
    names = {word for key, text in node.items() if key in ("fail_msg", "msg", "name") for word in used(text)}
    return names.union(*map(shown, node.values()))
