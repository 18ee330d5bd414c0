"""The gate of imports finds what it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest

from gates.packages import MODULE_UTILS, PLUGIN_UTILS, complaints

FULL = "ansible_collections.airgap.images.plugins"


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A house with a module in each package, none of which imports anything."""
    for kind, table in (("module_utils", MODULE_UTILS), ("plugin_utils", PLUGIN_UTILS)):
        for package in table:
            (tmp_path / kind / package).mkdir(parents=True)
            (tmp_path / kind / package / "room.py").write_text("")
    return tmp_path


def write(plugins: Path, place: str, text: str) -> None:
    (plugins / place).write_text(text, "utf-8")


def test_what_keeps_to_the_table_passes(plugins: Path) -> None:
    write(plugins, "module_utils/_save/room.py", "from .._base.room import thing\nfrom .other import more\n")
    write(plugins, "module_utils/_save/other.py", "import os\n")
    write(plugins, "plugin_utils/_watch/room.py", f"from {FULL}.module_utils._save.room import thing\n")
    assert complaints(plugins) == []


@pytest.mark.parametrize(
    "text",
    [
        "from .._save.room import thing\n",
        "from .._save import room\n",
        f"import {FULL}.module_utils._save.room\n",
        f"from {FULL}.module_utils._save.room import thing\n",
        "def late() -> None:\n    from .._save.room import thing\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .._save.room import thing\n",
    ],
)
def test_an_arrow_that_points_up(plugins: Path, text: str) -> None:
    write(plugins, "module_utils/_oci/room.py", text)
    (said,) = complaints(plugins)
    assert said.startswith("plugins/module_utils/_oci/room.py:")
    assert said.endswith(": _oci must not import module_utils._save.room")


def test_the_engine_knows_nothing_of_the_controller(plugins: Path) -> None:
    write(plugins, "module_utils/_save/room.py", f"from {FULL}.plugin_utils._watch.room import thing\n")
    (said,) = complaints(plugins)
    assert "must not import plugin_utils._watch.room" in said


def test_neighbours_that_the_table_keeps_apart(plugins: Path) -> None:
    write(plugins, "plugin_utils/_lists/room.py", f"from {FULL}.plugin_utils._fetch.room import thing\n")
    assert len(complaints(plugins)) == 1


def test_modules_of_one_package_in_a_circle(plugins: Path) -> None:
    write(plugins, "module_utils/_oci/room.py", "from .second import thing\n")
    write(plugins, "module_utils/_oci/second.py", "def late() -> None:\n    from .third import thing\n")
    write(plugins, "module_utils/_oci/third.py", "from .room import thing\n")
    (said,) = complaints(plugins)
    assert said == (
        "modules import each other in a circle: module_utils._oci.room -> module_utils._oci.second -> "
        "module_utils._oci.third -> module_utils._oci.room"
    )


def test_files_outside_of_the_packages(plugins: Path) -> None:
    write(plugins, "module_utils/_drawer.py", "")
    (plugins / "plugin_utils" / "_other").mkdir()
    write(plugins, "plugin_utils/_other/room.py", "")
    assert complaints(plugins) == [
        "plugins/module_utils/_drawer.py is not a package of tests/gates/packages.py",
        "plugins/plugin_utils/_other is not a package of tests/gates/packages.py",
    ]


def test_a_package_that_is_gone(plugins: Path) -> None:
    (plugins / "module_utils" / "_oci" / "room.py").unlink()
    assert complaints(plugins) == ["plugins/module_utils/_oci is in tests/gates/packages.py only"]


def test_contributing_names_the_packages_in_the_order_of_the_table() -> None:
    text = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text("utf-8")
    for kind, table in (("module_utils", MODULE_UTILS), ("plugin_utils", PLUGIN_UTILS)):
        below = text.partition(f"`plugins/{kind}`")[2]
        named = (line.split("`")[1] for line in below.splitlines() if line.startswith("| `_"))
        assert [name for name in named if name in table][: len(table)] == list(table), kind
