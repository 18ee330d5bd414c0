# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names that images get in the target registry."""

from __future__ import annotations

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._load.naming import (
    Naming,
    component_of,
    read_rewrites,
    refuse_conflicts,
    target_of,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference, parse_source_registry

DIGEST = f"sha256:{'a' * 64}"
OTHER = f"sha256:{'b' * 64}"


def naming(registry: str = "reg.lan:5000", *, keep: bool = False, **rewrites: str) -> Naming:
    """Rules by what is before and after; ``docker_io__x`` stands for ``docker.io/x``."""
    rules = read_rewrites((name.replace("__", "/").replace("_", "."), target) for name, target in rewrites.items())
    return Naming(parse_source_registry(registry), keep, rules)


@pytest.mark.parametrize(
    ("reference", "rules", "expected"),
    [
        ("nginx", naming(), "reg.lan:5000/library/nginx:latest"),
        ("rancher/rancher:v2.7.9", naming(), "reg.lan:5000/rancher/rancher:v2.7.9"),
        ("rancher/rancher:v2.7.9", naming("reg.lan/mirror"), "reg.lan/mirror/rancher/rancher:v2.7.9"),
        ("quay.io/a/b:1", naming(keep=True), "reg.lan:5000/quay.io/a/b:1"),
        ("nginx:1", naming("reg.lan/m", keep=True), "reg.lan/m/docker.io/library/nginx:1"),
        ("127.0.0.1:5000/a:1", naming(keep=True), "reg.lan:5000/127.0.0.1_5000/a:1"),
        (f"quay.io/a@{DIGEST}", naming(), f"reg.lan:5000/a:digest-{'a' * 64}"),
        (f"quay.io/a:1@{DIGEST}", naming(), "reg.lan:5000/a:1"),
        ("rancher/rancher:1", naming(docker_io__rancher="r"), "reg.lan:5000/r/rancher:1"),
        ("rancher/rancher:1", naming(docker_io__rancher=""), "reg.lan:5000/rancher:1"),
        ("rancher/rancher:1", naming(docker_io__rancher__rancher="one/app"), "reg.lan:5000/one/app:1"),
        ("rancherlabs/x:1", naming(docker_io__rancher="r"), "reg.lan:5000/rancherlabs/x:1"),
        ("rancher/a:1", naming(docker_io="d", docker_io__rancher="r"), "reg.lan:5000/r/a:1"),
        ("rancher/a:1", naming(docker_io__rancher="r", docker_io="d"), "reg.lan:5000/r/a:1"),
        ("rancher/a:1", naming(keep=True, docker_io__rancher="r"), "reg.lan:5000/r/a:1"),
        ("rancher/a:1", naming("reg.lan/m", docker_io__rancher="r"), "reg.lan/m/r/a:1"),
        ("nginx:1", naming(docker_io="hub"), "reg.lan:5000/hub/library/nginx:1"),
    ],
)
def test_names(reference: str, rules: Naming, expected: str) -> None:
    assert str(target_of(parse_reference(reference), rules)) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("docker.io", "docker.io"),
        ("reg.lan:5000", "reg.lan_5000"),
        ("LOCALHOST:80", "localhost_80"),
        ("[::1]:5000", "1_5000"),
    ],
)
def test_hosts_become_components(host: str, expected: str) -> None:
    assert component_of(host) == expected


def test_an_equal_rule_may_come_twice() -> None:
    assert len(read_rewrites([("docker.io/a", "x"), ("docker.io/a/", "/x/")])) == 1


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("rancher", "r", "does not begin with a registry"),
        ("docker.io/a:1", "r", "expected HOST"),
        ("docker.io/A b", "r", "is not valid"),
        ("", "r", "rewrites: from"),
        ("docker.io/a", "r:1", "without a tag"),
        ("docker.io/a", f"r@{DIGEST}", "without a tag"),
        ("docker.io/a", "UPPER", "to 'UPPER' is not valid"),
        ("docker.io/a", "../up", "is not valid"),
    ],
)
def test_rules_that_cannot_work_are_refused(source: str, target: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        read_rewrites([(source, target)])


def test_two_targets_of_one_rule_are_refused() -> None:
    with pytest.raises(OptionError, match="given twice"):
        read_rewrites([("docker.io/a", "x"), ("docker.io/a", "y")])


def test_a_name_that_gets_too_long_is_refused() -> None:
    rules = naming(f"reg.lan/{'p' * 200}")
    with pytest.raises(OptionError, match="would become"):
        target_of(parse_reference(f"quay.io/{'x' * 100}:1"), rules)


def conflict(*names: tuple[str, str], rules: Naming | None = None) -> str:
    chosen = rules or naming()
    references = [(parse_reference(name), digest) for name, digest in names]
    with pytest.raises(OptionError) as raised:
        refuse_conflicts([(one, target_of(one, chosen), digest) for one, digest in references], chosen)
    return str(raised.value)


def test_two_images_of_one_name_are_refused_with_a_rule_that_helps() -> None:
    names = (("quay.io/a/b:1", DIGEST), ("ghcr.io/a/b:1", OTHER))
    said = conflict(*names)
    assert "quay.io/a/b:1 and ghcr.io/a/b:1 would both be reg.lan:5000/a/b:1" in said
    assert "keep_registry=true" in said
    assert "{from: ghcr.io/a/b, to: ghcr.io/a/b}" in said
    helped = Naming(parse_source_registry("reg.lan:5000"), False, read_rewrites([("ghcr.io/a/b", "ghcr.io/a/b")]))
    targets = {target_of(parse_reference(name), helped) for name, _digest in names}
    assert len(targets) == 2


def test_keep_registry_is_not_proposed_where_it_is_set() -> None:
    rules = naming(keep=True, quay_io__a="x", ghcr_io__a="x")
    assert "keep_registry" not in conflict(("quay.io/a/b:1", DIGEST), ("ghcr.io/a/b:1", OTHER), rules=rules)


def test_many_conflicts_are_counted() -> None:
    names = [(f"{host}/a/b:{number}", host[0] * 3) for number in range(9) for host in ("quay.io", "ghcr.io")]
    assert "and 4 more" in conflict(*names)


def test_one_image_under_two_names_is_no_conflict() -> None:
    references = [parse_reference(name) for name in ("quay.io/a/b:1", "ghcr.io/a/b:1")]
    refuse_conflicts([(one, target_of(one, naming()), DIGEST) for one in references], naming())
