# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which packages the role image_save installs where."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.airgap.images.plugins.modules.image_stage import SKOPEO

try:
    from ansible.template import trust_as_template as trusted
except ImportError:  # before 2.19 all is trusted that is not marked

    def trusted(value: str) -> str:
        """Text as it stands in a role."""
        return value


ROLE = Path(__file__).parents[3] / "roles" / "image_save"
LIBRARIES = ("requests", "zstandard")
OMIT = "__omit_place_holder__"


@dataclass(frozen=True)
class Host:
    """The facts of a host, with the interpreter that Ansible has found or was given."""

    family: str
    distribution: str
    major: str
    python: str

    def facts(self) -> dict[str, Any]:
        major, minor = self.python.split(".")
        return {
            "ansible_os_family": self.family,
            "ansible_distribution": self.distribution,
            "ansible_distribution_major_version": self.major,
            "ansible_distribution_version": f"{self.major}.1",
            "ansible_effective_user_id": 0,
            "ansible_python": {
                "executable": f"/usr/bin/python{self.python}",
                "version": {"major": int(major), "minor": int(minor), "micro": 1},
            },
        }


def load(name: str) -> dict[str, Any]:
    """The variables of a file, as Ansible reads them for a role."""
    loader = DataLoader()
    more: dict[str, Any] = {}
    if "trusted_as_template" in inspect.signature(loader.load_from_file).parameters:
        more["trusted_as_template"] = True
    found: dict[str, Any] = loader.load_from_file(str(ROLE / "vars" / name), **more)
    return found


COMMON = load("main.yml")


def evaluate(template: str, variables: dict[str, Any]) -> Any:
    return Templar(DataLoader(), variables=variables).template(trusted(template))


def variables_of(host: Host) -> dict[str, Any]:
    """The variables that the role has before it knows the distribution's packages."""
    return {**COMMON, "role_path": str(ROLE), "__image_save_host": {"ansible_facts": host.facts()}}


def file_of(host: Host) -> str:
    """The file that tasks/install.yml reads, by its name."""
    # Without the prefix ansible.builtin, for which Ansible has to have set up its collections.
    path = evaluate("{{ lookup('first_found', __image_save_package_files) }}", variables_of(host))
    assert Path(path).parent == ROLE / "vars"
    return Path(path).name


def packages_of(host: Host) -> dict[str, str]:
    """The packages that the role then names; empty where there is none."""
    found: dict[str, str] = evaluate("{{ __image_save_packages }}", {**variables_of(host), **load(file_of(host))})
    return found


# Where nothing else is said, libraries are called python3-NAME.
USUAL = ("python3-requests", "python3-zstandard")

HOSTS: dict[str, tuple[Host, str, tuple[str, str]]] = {
    "Debian 12": (Host("Debian", "Debian", "12", "3.11"), "Debian.yml", USUAL),
    "Ubuntu 24.04": (Host("Debian", "Ubuntu", "24", "3.12"), "Debian.yml", USUAL),
    "Linux Mint": (Host("Debian", "Linux Mint", "22", "3.12"), "Debian.yml", USUAL),
    "RHEL 8": (Host("RedHat", "RedHat", "8", "3.6"), "RedHat.yml", USUAL),
    "RHEL 8 with 3.9": (Host("RedHat", "RedHat", "8", "3.9"), "RedHat.yml", ("python39-requests", "")),
    "RHEL 8 with 3.11": (Host("RedHat", "RedHat", "8", "3.11"), "RedHat.yml", ("python3.11-requests", "")),
    "RHEL 9": (Host("RedHat", "RedHat", "9", "3.9"), "RedHat.yml", USUAL),
    "RHEL 9 with 3.12": (Host("RedHat", "RedHat", "9", "3.12"), "RedHat.yml", ("python3.12-requests", "")),
    "Alma 9 with 3.11": (Host("RedHat", "AlmaLinux", "9", "3.11"), "RedHat.yml", ("python3.11-requests", "")),
    "Rocky 10": (Host("RedHat", "Rocky", "10", "3.12"), "RedHat.yml", USUAL),
    "Amazon Linux": (Host("RedHat", "Amazon", "2023", "3.9"), "RedHat.yml", USUAL),
    "Fedora": (Host("RedHat", "Fedora", "42", "3.13"), "Fedora.yml", USUAL),
    "SLES 15 with 3.11": (
        Host("Suse", "SLES", "15", "3.11"),
        "Suse.yml",
        ("python311-requests", "python311-zstandard"),
    ),
    "openSUSE Tumbleweed": (
        Host("Suse", "openSUSE Tumbleweed", "20261120", "3.13"),
        "Suse.yml",
        ("python313-requests", "python313-zstandard"),
    ),
    "Alpine": (Host("Alpine", "Alpine", "3", "3.12"), "unknown.yml", ("", "")),
    "Arch": (Host("Archlinux", "Archlinux", "NA", "3.13"), "unknown.yml", ("", "")),
    "nothing known": (Host("Linux", "OtherLinux", "NA", "3.12"), "unknown.yml", ("", "")),
}


@pytest.mark.parametrize(("host", "file", "libraries"), HOSTS.values(), ids=HOSTS)
def test_packages(host: Host, file: str, libraries: tuple[str, str]) -> None:
    assert file_of(host) == file
    skopeo = "" if file == "unknown.yml" else "skopeo"
    assert packages_of(host) == {"skopeo": skopeo, **dict(zip(LIBRARIES, libraries))}


def test_every_file_is_tried() -> None:
    files = {path.name for path in (ROLE / "vars").iterdir()} - {"main.yml"}
    assert {file for _host, file, _libraries in HOSTS.values()} == files


def test_everything_that_can_be_lacking_has_a_package() -> None:
    """The output of the probe is looked up by its name."""
    for compress, libraries in (("gzip", ["requests"]), ("zstd", ["requests", "zstandard"])):
        variables = {**COMMON, "omit": OMIT, "image_save_compress": compress}
        assert evaluate("{{ __image_save_libraries }}", variables) == libraries
        assert {*libraries, "skopeo"} <= set(load("unknown.yml")["__image_save_packages"])
    assert SKOPEO == "skopeo"
