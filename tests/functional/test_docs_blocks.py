# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every block that a page has a reader take over is run by a test, or a reason says why not; and its form is right."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.airgap.images.plugins.module_utils._base.size import parse_size
from ansible_collections.airgap.images.plugins.module_utils._host.progress import Progress
from ansible_collections.airgap.images.plugins.module_utils._report.table import COLUMNS
from ansible_collections.airgap.images.plugins.modules import image_load, image_save, image_verify
from ansible_collections.airgap.images.tests.functional._pages import (
    FOLLOWED,
    NOT_RUN,
    RANCHER,
    commands,
    file_name,
    first_line,
    pages,
)
from ansible_collections.airgap.images.tests.support.markdown import Block
from ansible_collections.airgap.images.tests.support.module import COLLECTION
from ansible_collections.airgap.images.tests.support.playbook import run_playbook

FAT32 = 2**32 - 1
"""The size of the largest file in bytes."""

# https://docs.rke2.io/install/private_registry and https://docs.k3s.io/installation/private-registry
MIRROR = {"endpoint", "rewrite"}
CONFIG = {"auth": {"username", "password", "token", "auth"}, "tls": {"ca_file", "cert_file", "key_file"}}


def each_block(*languages: str) -> Iterator[tuple[str, Block]]:
    """The blocks in these languages, each with its page and line."""
    for page, blocks in pages().items():
        for block in blocks:
            if block.language in languages:
                yield f"{page}:{block.line}", block


def each_value(value: Any) -> Iterator[dict[str, Any]]:
    """All dictionaries in a document."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from each_value(each)


def plays(block: Block) -> list[dict[str, Any]]:
    """The plays that a block of YAML is, if it is a playbook."""
    document = yaml.safe_load(block.text)
    return document if isinstance(document, list) and all("hosts" in each for each in document) else []


def test_every_block_is_run_or_has_a_reason() -> None:
    """One that is new has to be in a page that a test follows, or in the list of reasons."""
    followed = {page for test in FOLLOWED.values() for page in test}
    loose = []
    for page, blocks in pages().items():
        for block in blocks:
            in_rancher = page == RANCHER and file_name(page, block).endswith(".yml")
            if first_line(block) not in NOT_RUN.get(page, {}) and page not in followed and not in_rancher:
                loose.append(f"{page}:{block.line}: {first_line(block)}")
    assert not loose, "\n".join(["no test runs these, and _pages.py says nowhere why:", *loose])


def test_no_reason_is_for_a_block_that_is_gone() -> None:
    """Nor for one that has another first line now."""
    there = {(page, first_line(block)) for page, blocks in pages().items() for block in blocks}
    gone = [(page, line) for page, lines in NOT_RUN.items() for line in lines if (page, line) not in there]
    assert not gone


def test_what_is_typed_is_a_shell_s() -> None:
    """Also what is not run here."""
    for place, block in each_block("console"):
        assert block.text.startswith("$ "), f"{place} shows output without a command"
        for command, _shown in commands(block):
            done = subprocess.run(["sh", "-n", "-c", command], capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{place}: {command}: {done.stderr}"


def test_scripts_are_sound(tmp_path: Path) -> None:
    """For every shell."""
    found = list(each_block("sh"))
    for place, block in found:
        script = tmp_path / "script.sh"
        script.write_text(block.text, "utf-8")
        done = subprocess.run(["shellcheck", "--shell=sh", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{place}: {done.stdout}{done.stderr}"
    assert found


def test_options_and_variables_are_known() -> None:
    """Those of all modules and roles, with values of the right kind."""
    modules = {
        f"airgap.images.{name}": ArgumentSpecValidator({**spec, required: {"type": "raw"}})
        for name, spec, required in (
            ("image_save", image_save.argument_spec(), "dest"),
            ("image_load", image_load.argument_spec(), "src"),
            ("image_verify", image_verify.argument_spec(), "src"),
        )
    }
    roles = {f"{name}_": validator_of_role(name) for name in ("image_save", "image_load", "image_verify")}
    seen = Counter[str]()
    for place, block in each_block("yaml"):
        for each in each_value(yaml.safe_load(block.text)):
            given = [(name, validator, each.get(name)) for name, validator in modules.items()]
            for prefix, validator in roles.items():
                variables = {name: value for name, value in each.items() if str(name).startswith(prefix)}
                given.append((prefix, validator, variables))
            for name, validator, values in given:
                if values:
                    result = validator.validate(values)
                    assert not result.error_messages, f"{place}: {result.error_messages}"
                    seen[name] += 1
    assert set(seen) == {*modules, *roles}


def validator_of_role(name: str) -> ArgumentSpecValidator:
    """A validator of some of the variables of a role."""
    specs = yaml.safe_load((COLLECTION / "roles" / name / "meta/argument_specs.yml").read_text("utf-8"))
    options = specs["argument_specs"]["main"]["options"]
    return ArgumentSpecValidator({option: {**each, "required": False} for option, each in options.items()})


def test_parts_fit_a_stick() -> None:
    """The pages save in parts for USB sticks, which are FAT32 as they are sold."""
    for place, block in each_block("yaml"):
        for each in each_value(yaml.safe_load(block.text)):
            for name in ("part_size", "image_save_part_size"):
                size = parse_size(str(each.get(name, "1")), option=name)
                assert size <= FAT32, f"{place}: {name}: {each[name]} is {size - FAT32} bytes too large for FAT32"


def test_registries_yaml_has_the_keys_that_nodes_know() -> None:
    """A key that they do not know would be passed over without a word."""
    found = [(place, yaml.safe_load(block.text)) for place, block in each_block("yaml") if "mirrors:" in block.text]
    found = [(place, document) for place, document in found if isinstance(document, dict)]
    for place, document in found:
        assert set(document) <= {"mirrors", "configs"}, place
        endpoints = set()
        for mirror in document["mirrors"].values():
            assert set(mirror) <= MIRROR and mirror["endpoint"], place
            endpoints.update(each.partition("://")[2] for each in mirror["endpoint"])
        for host, config in document.get("configs", {}).items():
            assert host in endpoints, f"{place}: configs has {host}, which no mirror asks"
            for part, keys in config.items():
                assert set(keys) <= CONFIG[part] | ({"insecure_skip_verify"} if part == "tls" else set()), place
    assert len(found) >= 2


def first_column(page: str, heading: str) -> list[str]:
    """The names in the first column of the table below a heading."""
    below = (COLLECTION / page).read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", below, re.MULTILINE)


def test_tables_have_every_name_in_its_order() -> None:
    """Of the progress file, whose readers have nothing else; and of the report's table."""
    assert first_column("docs/progress.md", "The progress file") == list(Progress().as_json())
    assert first_column("docs/report.md", "The table") == list(COLUMNS)


def test_every_stage_is_named() -> None:
    """Those that the flow enters."""
    modules = (COLLECTION / "plugins" / "module_utils").rglob("*.py")
    stages = {
        stage for module in modules for stage in re.findall(r'stages\.stage\("(\w+)"\)', module.read_text("utf-8"))
    }
    page = (COLLECTION / "docs" / "progress.md").read_text("utf-8")
    assert stages and not [stage for stage in stages if f"`{stage}`" not in page]


def test_playbooks_that_are_not_run_are_ansible_s(tmp_path: Path) -> None:
    """Their syntax, and that the role in them is found. All in one run; Ansible names the file that is wrong."""
    found = []
    for page, lines in NOT_RUN.items():
        for block in pages()[page]:
            if first_line(block) in lines and block.language == "yaml" and plays(block):
                found.append(tmp_path / f"{page.replace('/', '-')}-{block.line}.yml")
                found[-1].write_text(block.text, "utf-8")
    assert found
    result = run_playbook(found[0], options=["--syntax-check", *map(str, found[1:])], fresh=True)
    assert result.rc == 0, result.stderr
    assert result.stdout.count("playbook: ") == len(found)
