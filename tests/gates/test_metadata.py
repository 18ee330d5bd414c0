"""Facts that the collection states in several places are the same in all of them."""

from __future__ import annotations

from typing import Any

import pytest
import tomllib
import yaml

from gates.versions import CHECKOUT


def load(name: str) -> Any:
    text = (CHECKOUT / name).read_text("utf-8")
    return tomllib.loads(text) if name.endswith(".toml") else yaml.safe_load(text)


def test_the_oldest_ansible_core_that_is_asked_for_is_tested() -> None:
    oldest = load("tests/versions.toml")["oldest"][0]["core"]
    assert load("meta/runtime.yml")["requires_ansible"] == f">={oldest}.0"


def test_the_oldest_target_is_tested() -> None:
    target = load("tests/versions.toml")["target"]["python"]
    assert load("tests/config.yml")["modules"]["python_requires"] == f">={target}"


def test_the_action_group_has_every_module_that_asks_registries() -> None:
    modules = [f"image_{direction}" for direction in ("load", "save")]
    assert all((CHECKOUT / "plugins/modules" / f"{module}.py").is_file() for module in modules)
    assert sorted(load("meta/runtime.yml")["action_groups"]["all"]) == modules


def test_the_version_has_its_place_in_the_changelog() -> None:
    assert load("galaxy.yml")["version"] in load("changelogs/changelog.yaml")["releases"]


def test_no_collection_has_to_be_installed_beside_this_one() -> None:
    assert load("galaxy.yml")["dependencies"] == {}


def test_no_sanity_test_is_ignored() -> None:
    assert list((CHECKOUT / "tests").glob("sanity/ignore*")) == []


@pytest.mark.parametrize("name", ["tests/unit/requirements.txt", "tests/integration/requirements.txt"])
def test_tests_run_with_the_libraries_of_the_module(name: str) -> None:
    def packages(file: str) -> set[str]:
        lines = (CHECKOUT / file).read_text("utf-8").splitlines()
        return {line for line in lines if line and not line.startswith("#")}

    assert packages("requirements.txt") <= packages(name)
