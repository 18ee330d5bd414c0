# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings with which skopeo goes ways of its own to a registry."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.plugins.module_utils._skopeo import registries_conf
from ansible_collections.airgap.images.plugins.module_utils._skopeo.registries_conf import (
    RegistriesConf,
    names_in,
)

REGISTRY = "reg.lan:5000"


@pytest.fixture(autouse=True)
def no_system_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the machine itself do not count."""
    real = registries_conf.registries_files

    def below(environ: dict[str, str]) -> list[str]:
        return [path for path in real(environ) if path.startswith(str(tmp_path))]

    monkeypatch.setattr(registries_conf, "registries_files", below)


def concerned(tmp_path: Path, text: str, registry: str = REGISTRY) -> bool:
    """Return True if a configuration with this text concerns a registry."""
    path = tmp_path / "given.conf"
    path.write_text(text)
    return RegistriesConf({"HOME": str(tmp_path), "CONTAINERS_REGISTRIES_CONF": str(path)}).concerns(registry)


MENTIONED: dict[str, str] = {
    "a prefix": '[[registry]]\nprefix = "reg.lan:5000/team"\nlocation = "mirror.lan/team"\n',
    "a location": "[[registry]]\nlocation = 'reg.lan:5000'\n",
    "a mirror": '[[registry]]\nlocation="docker.io"\n[[registry.mirror]]\nlocation="reg.lan:5000"\n',
    "blocked": '[[registry]]\nlocation = "reg.lan:5000"\nblocked = true\n',
    "its host alone": '[[registry]]\nprefix = "reg.lan"\n',
    "in capital letters": '[[registry]]\nprefix = "Reg.LAN:5000"\n',
    "all below a domain": '[[registry]]\nprefix = "*.lan"\n',
    "indented": '  [[registry]]\n  location = "reg.lan:5000"\n',
    "blanks in the brackets": '[[ registry ]]\nlocation = "reg.lan:5000"\n',
    "a quoted table": '[["registry"]]\nlocation = "reg.lan:5000"\n',
    "inline": 'registry = [{location = "reg.lan:5000", blocked = true}]\n',
    "a quoted key": '"registry" = [{location = "reg.lan:5000", blocked = true}]\n',
    "in a key of parts": 'registries.block.registries = ["reg.lan:5000"]\n',
    "in an inline table": 'registries = {insecure = {registries = ["reg.lan:5000"]}}\n',
    "a table in capital letters": '[[Registry]]\nLocation = "reg.lan:5000"\n',
    "behind a byte order mark": '\ufeff[[registry]]\nlocation = "reg.lan:5000"\n',
    "version 1": "[registries.insecure]\nregistries = ['reg.lan:5000']\n",
    "below a list of searched ones": 'unqualified-search-registries = ["docker.io"]\n[[registry]]\n'
    'location = "reg.lan:5000"\n',
    "a comment behind it": '[[registry]] # ours\nlocation = "reg.lan:5000" # ours\n',
}

NOT_MENTIONED: dict[str, str] = {
    "nothing": "",
    "a comment": '# [[registry]]\n# location = "reg.lan:5000"\n',
    "a list of searched ones": 'unqualified-search-registries = ["reg.lan:5000", "docker.io"]\n',
    "over several lines": 'unqualified-search-registries = [\n  "reg.lan:5000",\n  "docker.io",\n]\n',
    "an image of that name": '[aliases]\n  "registry" = "reg.lan:5000/library/registry"\n',
    "short names": 'short-name-mode = "enforcing"\n[aliases]\n"app" = "reg.lan:5000/team/app"\n',
    "another registry": '[[registry]]\nlocation = "other.lan:5000"\n',
    "a longer name": '[[registry]]\nlocation = "my-reg.lan:5000"\n',
    "another port": '[[registry]]\nlocation = "reg.lan:6000"\n',
    "another domain": '[[registry]]\nprefix = "*.org"\n',
    "searched ones above another registry": 'unqualified-search-registries = ["reg.lan:5000"]\n[[registry]]\n'
    'location = "other.lan"\n',
    "the usual helper": 'credential-helpers = ["containers-auth.json"]\n',
    "no helper": "credential-helpers = []\n",
}

UNCLEAR: dict[str, str] = {
    "an escape": '[[registry]]\nlocation = "\\u0072eg.lan:5000"\n',
    "a string over several lines": '[[registry]]\nlocation = """\\\nreg.lan:5000"""\n',
    "a literal over several lines": "[[registry]]\nlocation = '''reg.lan:5000'''\n",
    "a helper": 'credential-helpers = ["secretservice"]\n',
    "a helper beside the usual one": 'credential-helpers = ["containers-auth.json", "pass"]\n',
    "a helper in capital letters": 'Credential-Helpers = ["pass"]\n',
    "a table with an escape": '[["r\\u0065gistry"]]\nlocation = "other.lan"\n',
    "a list of searched ones in a string": 'a = """\nunqualified-search-registries = ["""\n'
    '[[registry]]\nlocation = "reg.lan:5000"\n',
    "a quoted helper": '"credential-helpers" = ["pass"]\n',
}


@pytest.mark.parametrize("text", MENTIONED.values(), ids=MENTIONED)
def test_what_is_mentioned_is_skopeos(tmp_path: Path, text: str) -> None:
    assert concerned(tmp_path, text) is True
    assert concerned(tmp_path, text, "quay.io") is False


@pytest.mark.parametrize("text", NOT_MENTIONED.values(), ids=NOT_MENTIONED)
def test_what_is_not_is_ours(tmp_path: Path, text: str) -> None:
    assert concerned(tmp_path, text) is False


@pytest.mark.parametrize("text", UNCLEAR.values(), ids=UNCLEAR)
def test_what_is_unclear_is_skopeos(tmp_path: Path, text: str) -> None:
    assert concerned(tmp_path, text) is True
    assert concerned(tmp_path, text, "quay.io") is True


def test_addresses_count_with_and_without_a_port(tmp_path: Path) -> None:
    text = '[[registry]]\nprefix = "[::1]"\n'
    assert concerned(tmp_path, text, "[::1]:5000") is True
    assert concerned(tmp_path, text, "[::1]") is True
    assert concerned(tmp_path, text, "[::2]:5000") is False


WILD: dict[str, bool] = {
    "a.corp.example": True,
    "a.b.corp.example": True,
    "a.corp.example:5000": True,
    "A.Corp.Example:5000": True,
    "corp.example": False,
    "acorp.example": False,
    "a.corp.example.org": False,
    "a.corp.example.org:5000": False,
}


@pytest.mark.parametrize("prefix", ["*.corp.example", "*.corp.example/team", "*.Corp.Example"])
@pytest.mark.parametrize(("registry", "expected"), WILD.items(), ids=WILD)
def test_all_below_a_domain(tmp_path: Path, prefix: str, registry: str, expected: bool) -> None:
    assert concerned(tmp_path, f'[[registry]]\nprefix = "{prefix}"\nblocked = true\n', registry) is expected


def test_all_below_a_domain_at_one_port(tmp_path: Path) -> None:
    text = '[[registry]]\nprefix = "*.corp.example:5000"\n'
    assert concerned(tmp_path, text, "a.corp.example:5000") is True
    assert concerned(tmp_path, text, "a.corp.example:6000") is False


def test_whom_skopeo_may_ask_instead(tmp_path: Path) -> None:
    path = tmp_path / "given.conf"
    path.write_text(
        '[[registry]]\nprefix = "reg.lan:5000/team"\nlocation = "cache:5000/hub"\n'
        '[[registry.mirror]]\nlocation = "mirror.lan/a/b"\npull-from-mirror = "digest-only"\n'
        '[[registry.mirror]]\nlocation = "[::1]:5000"\n[[registry]]\nprefix = "*.org"\n'
        '[[registry]]\nprefix = "../../etc"\nlocation = "localhost"\n'
    )
    conf = RegistriesConf({"HOME": str(tmp_path), "CONTAINERS_REGISTRIES_CONF": str(path)})
    hosts = {"reg.lan:5000", "cache:5000", "mirror.lan", "[::1]:5000", "localhost"}
    assert conf.others(["quay.io", "reg.lan:5000"]) == hosts
    assert conf.others(["quay.io"]) == frozenset()


@pytest.mark.parametrize("piece", ["\n", " ", "[", "a\n", '"', "unqualified-search-registries = [\n"], ids=repr)
def test_a_configuration_of_any_length_comes_to_an_end(piece: str) -> None:
    begin = time.thread_time()
    names_in(piece * (200_000 // len(piece)) + "x")
    assert time.thread_time() - begin < 5.0


TEXT = '[[registry]]\nlocation = "reg.lan:5000"\n'
PLACES: dict[str, tuple[dict[str, str], str]] = {
    "the user's": ({}, ".config/containers/registries.conf"),
    "a drop-in of the user's": ({}, ".config/containers/registries.conf.d/10-ours.conf"),
    "by XDG": ({"XDG_CONFIG_HOME": "xdg"}, "xdg/containers/registries.conf"),
    "a drop-in by XDG": ({"XDG_CONFIG_HOME": "xdg"}, "xdg/containers/registries.conf.d/a.conf"),
    "the user's beside XDG's": ({"XDG_CONFIG_HOME": "xdg"}, ".config/containers/registries.conf"),
    "a variable": ({"CONTAINERS_REGISTRIES_CONF": "x.conf"}, "x.conf"),
    "the older variable": ({"REGISTRIES_CONFIG_PATH": "y.conf"}, "y.conf"),
    "drop-ins count beside a variable": (
        {"CONTAINERS_REGISTRIES_CONF": "x.conf"},
        ".config/containers/registries.conf.d/a.conf",
    ),
}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(("variables", "name"), PLACES.values(), ids=PLACES)
def test_where_it_is_read_from(tmp_path: Path, variables: dict[str, str], name: str) -> None:
    environ = {"HOME": str(tmp_path), **{key: str(tmp_path / value) for key, value in variables.items()}}
    write(tmp_path / "x.conf", "")
    write(tmp_path / "y.conf", "")
    assert RegistriesConf(environ).concerns(REGISTRY) is False
    write(tmp_path / name, TEXT)
    assert RegistriesConf(environ).concerns(REGISTRY) is True


@pytest.mark.parametrize("variable", ["CONTAINERS_REGISTRIES_CONF", "REGISTRIES_CONFIG_PATH"])
def test_a_named_file_that_is_missing_is_for_skopeo_to_complain_about(tmp_path: Path, variable: str) -> None:
    assert RegistriesConf({"HOME": str(tmp_path), variable: str(tmp_path / "x.conf")}).concerns("quay.io") is True
    assert RegistriesConf({"HOME": str(tmp_path), variable: ""}).concerns("quay.io") is False


@pytest.mark.parametrize(("text", "expected"), [("", False), (TEXT, True)])
def test_a_mirror_of_the_options_wins_over_it(tmp_path: Path, text: str, expected: bool) -> None:
    write(tmp_path / ".config/containers/registries.conf", text)
    configuration = RegistriesConf({"HOME": str(tmp_path)})
    assert configuration.applies_to(Repository(REGISTRY, "hub/app")) is expected
    assert configuration.applies_to(Repository(REGISTRY, "hub/app", "docker.io/team/app")) is False
    assert configuration.applies_to(Repository("mirror.lan", "hub/app", f"{REGISTRY}/app")) is False


@pytest.mark.parametrize(
    ("name", "expected"), [("registries.conf", False), ("registries.conf.d/a.conf", True)], ids=["file", "drop-in"]
)
def test_a_drop_in_that_names_a_repository_in_full(tmp_path: Path, name: str, expected: bool) -> None:
    write(tmp_path / ".config/containers" / name, f'[[registry]]\nprefix = "{REGISTRY}/team/app"\nblocked = true\n')
    configuration = RegistriesConf({"HOME": str(tmp_path)})
    assert configuration.outranks_mirror_of(f"{REGISTRY}/team/app") is expected
    assert configuration.outranks_mirror_of(f"{REGISTRY}/team/app2") is False
    assert configuration.outranks_mirror_of(f"{REGISTRY}/team") is False


def test_only_drop_ins_with_the_right_ending_count(tmp_path: Path) -> None:
    write(tmp_path / ".config/containers/registries.conf.d/a.conf.bak", TEXT)
    assert RegistriesConf({"HOME": str(tmp_path)}).concerns(REGISTRY) is False


def test_without_a_variable_the_home_is_found_all_the_same(home: Path, tmp_path: Path) -> None:
    write(home / ".config/containers/registries.conf", TEXT)
    assert RegistriesConf({}).concerns(REGISTRY) is True


def test_the_files_of_the_system_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(registries_conf.os.path, "isdir", lambda _path: False)
    assert list(registries_conf.registries_files({"HOME": "/h"})) == [
        "/h/.config/containers/registries.conf",
        "/etc/containers/registries.conf",
        "/usr/share/containers/registries.conf",
    ]


@pytest.mark.parametrize("kind", ["folder", "bytes"])
def test_what_cannot_be_read_may_say_anything(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ".config/containers/registries.conf"
    if kind == "folder":
        path.mkdir(parents=True)
    else:
        write(path, "")
        path.write_bytes(b"\xff\xfe")
    assert RegistriesConf({"HOME": str(tmp_path)}).concerns("quay.io") is True
