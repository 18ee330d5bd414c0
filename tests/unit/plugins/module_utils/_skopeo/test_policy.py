# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The policy that decides which images may be saved is known by its content."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import digest_of
from ansible_collections.airgap.images.plugins.module_utils._skopeo.policy import configuration_now, policy_name
from ansible_collections.airgap.images.tests.unit.fakes import make_options


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """With all that skopeo reads."""
    own = tmp_path / ".config" / "containers"
    signed: dict[str, Any] = {
        "default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": str(tmp_path / "key.gpg")}],
        "transports": {
            "docker": {
                "reg.lan": [
                    {
                        "type": "sigstoreSigned",
                        "keyPaths": [str(tmp_path / "one.pub"), str(tmp_path / "two.pub")],
                        "fulcio": {"caPath": str(tmp_path / "ca.pem"), "oidcIssuer": "https://id.lan"},
                    }
                ]
            }
        },
    }
    put(own / "policy.json", json.dumps(signed))
    put(own / "registries.conf", "")
    put(own / "registries.conf.d" / "mirror.conf", "")
    put(own / "registries.d" / "lookaside.yaml", "docker: {}")
    for name in ("key.gpg", "one.pub", "two.pub", "ca.pem", "other"):
        put(tmp_path / name, name)
    return tmp_path


def now(home: Path, **options: Any) -> str:
    return configuration_now(make_options(**options).work, {"HOME": str(home)})


OWN = ".config/containers"
COUNTS = [
    f"{OWN}/policy.json",
    f"{OWN}/registries.conf",
    f"{OWN}/registries.conf.d/mirror.conf",
    f"{OWN}/registries.d/lookaside.yaml",
    "key.gpg",
    "one.pub",
    "two.pub",
    "ca.pem",
]


def change(path: Path) -> None:
    path.write_text(path.read_text() + " ")


def replace_by_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("what", [change, os.unlink, replace_by_fifo])
def test_a_change_of_anything_that_decides_is_noticed(home: Path, name: str, what: Callable[[Path], None]) -> None:
    before = now(home)
    what(home / name)
    assert now(home) != before


def test_nothing_else_is(home: Path) -> None:
    before = now(home)
    change(home / "other")
    put(home / OWN / "auth.json", "{}")
    put(home / OWN / "registries.conf.d" / "mirror.conf.old", "x")
    put(home / OWN / "registries.d" / "lookaside.yaml.old", "x")
    for name in COUNTS:
        os.utime(home / name, (1, 1))
    assert now(home) == before
    assert len(before) == 64


def test_more_files_are_noticed(home: Path) -> None:
    seen = {now(home)}
    for name in ("registries.conf.d/zz.conf", "registries.d/zz.yaml"):
        put(home / OWN / name, "")
        seen.add(now(home))
    assert len(seen) == 3


def test_a_policy_that_is_given_takes_the_place_of_the_systems(home: Path) -> None:
    given = put(home / "given.json", json.dumps({"default": [{"type": "signedBy", "keyPath": str(home / "other")}]}))
    before = now(home, signature_policy=str(given))
    change(home / OWN / "policy.json")
    change(home / "key.gpg")
    assert now(home, signature_policy=str(given)) == before
    assert now(home, signature_policy=str(put(home / "moved.json", given.read_text()))) == before, "its content counts"
    change(home / "other")
    assert now(home, signature_policy=str(given)) != before


def test_without_policy_only_what_blocks_registries_counts(home: Path) -> None:
    before = now(home, insecure_policy=True)
    assert before != now(home)
    change(home / OWN / "policy.json")
    change(home / OWN / "registries.d" / "lookaside.yaml")
    assert now(home, insecure_policy=True) == before
    change(home / OWN / "registries.conf")
    assert now(home, insecure_policy=True) != before


@pytest.mark.parametrize("raw", ["", "[]", "{", '{"default": [{"keyPath": 1, "caPath": "a\\u0000b"}]}'])
def test_a_policy_that_is_none_has_a_content_too(home: Path, raw: str) -> None:
    before = now(home)
    put(home / OWN / "policy.json", raw)
    assert now(home) != before


def test_policies_have_names(tmp_path: Path) -> None:
    policy = tmp_path / "policy.json"
    policy.write_bytes(b"{}")
    assert policy_name(make_options().work) == "system"
    assert policy_name(make_options(insecure_policy=True).work) == "insecure"
    assert policy_name(make_options(signature_policy=str(policy)).work) == digest_of(b"{}")
    policy.unlink()
    with pytest.raises(OptionError, match=r"signature_policy: cannot read .*No such file"):
        policy_name(make_options(signature_policy=str(policy)).work)
