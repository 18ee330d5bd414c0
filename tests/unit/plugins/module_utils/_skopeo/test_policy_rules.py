# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signature policies that accept anything from a repository, and others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.plugins.module_utils._skopeo.policy_rules import PolicyRules
from ansible_collections.airgap.images.tests.unit.fakes import make_options

ANYTHING = [{"type": "insecureAcceptAnything"}]
REJECT = [{"type": "reject"}]
SIGNED = [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k"}]
DIGEST = "sha256:" + "0" * 64


def permits(tmp_path: Path, policy: Any) -> bool:
    path = tmp_path / "policy.json"
    path.write_text(policy if isinstance(policy, str) else json.dumps(policy), encoding="utf-8")
    work = make_options(signature_policy=str(path)).work
    return PolicyRules(work, {}).accept_anything(Repository("reg.lan:5000", "team/app"), DIGEST)


def docker(scopes: dict[str, Any], default: Any = REJECT) -> dict[str, Any]:
    return {"default": default, "transports": {"docker": scopes}}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"default": ANYTHING}, True),
        ({"default": REJECT}, False),
        ({"default": [*ANYTHING, *ANYTHING]}, True),
        ({"default": [*ANYTHING, *SIGNED]}, False),
        ({"default": []}, False),
        ({}, False),
        ({"default": REJECT, "transports": {"dir": {"": ANYTHING}}}, False),
        (docker({"": ANYTHING}), True),
        (docker({"": SIGNED}, ANYTHING), False),
        (docker({"reg.lan:5000": ANYTHING}), True),
        (docker({"reg.lan": ANYTHING}), False),
        (docker({"*.lan": ANYTHING}), True),
        (docker({"*.lan": REJECT}, ANYTHING), False),
        (docker({"reg.lan:5000": ANYTHING, "reg.lan:5000/team": REJECT}), False),
        (docker({"reg.lan:5000": REJECT, "reg.lan:5000/team": ANYTHING}), True),
        (docker({"reg.lan:5000/team": REJECT, "reg.lan:5000/team/app": ANYTHING}), True),
        (docker({"reg.lan:5000/team/app": ANYTHING, f"reg.lan:5000/team/app@{DIGEST}": REJECT}), False),
        (docker({"reg.lan:5000/te": ANYTHING}), False),
        (docker({"reg.lan:5000": {"type": "insecureAcceptAnything"}}), False),
        ("no JSON", False),
        ('{"default": [{"type": "insecureAcceptAnything"}], "default": [{"type": "reject"}]}', False),
    ],
)
def test_the_most_specific_scope_counts(tmp_path: Path, policy: Any, expected: bool) -> None:
    assert permits(tmp_path, policy) is expected


def test_without_a_policy_nothing_is_plain(tmp_path: Path) -> None:
    work = make_options(signature_policy=str(tmp_path / "absent.json")).work
    assert not PolicyRules(work, {}).accept_anything(Repository("reg.lan", "app"), DIGEST)
    work = make_options(insecure_policy=True).work
    assert PolicyRules(work, {}).accept_anything(Repository("reg.lan", "app"), DIGEST)


def test_every_file_that_skopeo_may_read_has_to_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    module = "ansible_collections.airgap.images.plugins.module_utils._skopeo.policy_rules"
    monkeypatch.setattr(f"{module}.configuration_folders", lambda _environ: [str(each) for each in folders])
    for folder in folders:
        folder.mkdir()
    repository = Repository("reg.lan", "app")
    assert not PolicyRules(make_options().work, {}).accept_anything(repository, DIGEST)
    (folders[1] / "policy.json").write_text(json.dumps({"default": ANYTHING}), encoding="utf-8")
    assert PolicyRules(make_options().work, {}).accept_anything(repository, DIGEST)
    (folders[0] / "policy.json").write_text(json.dumps({"default": REJECT}), encoding="utf-8")
    assert not PolicyRules(make_options().work, {}).accept_anything(repository, DIGEST)
