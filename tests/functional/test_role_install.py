# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role where the module cannot run yet."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ansible_collections.airgap.images.tests.functional._role import (
    NAME,
    Site,
    assert_not_failed,
    changed,
    failure,
    play,
)
from ansible_collections.airgap.images.tests.support.workbench import Source


def apt_without_sources(folder: Path) -> dict[str, str]:
    """Variables with which apt knows what is installed, and does not take a minute to ask what else there is."""
    lists = folder / "lists"
    lists.mkdir(parents=True)
    settings = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": lists,
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
    }
    config = folder / "apt.conf"
    config.write_text("".join(f'{name} "{text}";\n' for name, text in settings.items()), encoding="utf-8")
    return {"APT_CONFIG": str(config)}


def test_the_interpreter_of_the_module_is_the_one_that_counts(source: Source, site: Site) -> None:
    """The distribution's package is there, but not for the Python that the inventory names: that is said, and how to
    mend it, before anything is saved."""
    environment = site.on_host("venv", "python")
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", str(environment)], check=True)
    interpreter = str(environment / "bin" / "python")
    inventory = site.inventory("looks", "venv", ansible_python_interpreter=interpreter)
    variables = site.variables(
        images=[source["docker/single:1"].reference],
        environment=apt_without_sources(site.on_host("venv", "apt")),
        install=True,
    )

    result = site.run(inventory, variables, plays=[play(hosts="looks", check_mode=True), play(hosts="venv")])

    # The user who logs in may not install anything without sudo, which the role uses by itself.
    said = failure(result, "venv")
    for words in ("venv lacks requests", interpreter, "-m pip install", "ansible_python_interpreter"):
        assert words in said
    assert not site.on_host("venv", "out").exists()

    assert_not_failed(result, "looks")
    assert "looks" not in {host for host, _task in changed(result)}, "the package is there; it would not be installed"
    assert "once the host has requests" in result.stderr
    assert not site.on_host("looks", f"out/{NAME}").exists()
