# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files for clusters, by which nodes find the images of a target registry under their old names. Pure.

K3s and RKE2: ``registries.yaml``, "Private Registry Configuration". containerd: ``hosts.toml``, docs/hosts.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .naming import Naming

_OF_RANCHER = "docker.io/rancher/"


@dataclass(frozen=True)
class ClusterFiles:
    """The settings of a cluster for its registry.

    :param registries_yaml: of K3s and RKE2.
    :param hosts_toml: content of containerd's ``hosts.toml``, by the source registry, the name of its directory.
    :param system_default_registry: Rancher's setting; empty where its images have other names than it expects.
    :param notes: sentences on what these files cannot express.
    """

    registries_yaml: str
    hosts_toml: Mapping[str, str]
    system_default_registry: str
    notes: tuple[str, ...]


def cluster_files(names: Iterable[str], naming: Naming, *, is_plain: bool = False) -> ClusterFiles:
    """Write the files for some images.

    :param names: of images as :attr:`Reference.name` has them, such as ``docker.io/rancher/rancher``.
    :param is_plain: whether the target registry is spoken to by HTTP.
    :raises OptionError: when a name that comes out is not valid.
    """
    by_host = _by_host(sorted(set(names)), naming)
    address = f"{'http' if is_plain else 'https'}://{naming.registry.registry}"
    hosts_toml: dict[str, str] = {}
    notes: list[str] = []
    for host, paths in by_host.items():
        prefix = _common_prefix(paths)
        if prefix is None:
            notes.append(
                f"containerd cannot find all images of {host} by hosts.toml, as they do not share one prefix in "
                f"{naming.registry.registry}; use registries.yaml (K3s, RKE2), or the new names"
            )
        else:
            hosts_toml[host] = _hosts_toml(address, prefix)
    default, more = _system_default_registry(by_host, naming)
    return ClusterFiles(_registries_yaml(by_host, address), hosts_toml, default, (*notes, *more))


def _by_host(names: Sequence[str], naming: Naming) -> dict[str, dict[str, str]]:
    """Return the paths in the target by those in the source, by the source's registry."""
    by_host: dict[str, dict[str, str]] = {}
    for name in names:
        host, _slash, path = name.partition("/")
        by_host.setdefault(host, {})[path] = naming.repository_of(name).path
    return by_host


def _common_prefix(paths: Mapping[str, str]) -> str | None:
    """Return the path in front of all old paths that gives the new ones; ``None`` if there is no such path."""
    prefixes = set()
    for old, new in paths.items():
        if new == old:
            prefixes.add("")
        elif new.endswith(f"/{old}"):
            prefixes.add(new[: -len(old) - 1])
        else:
            return None
    return prefixes.pop() if len(prefixes) == 1 else None


def _registries_yaml(by_host: Mapping[str, Mapping[str, str]], address: str) -> str:
    """Write ``registries.yaml``. Strings are JSON's, which YAML reads as well."""
    lines = ["mirrors:"]
    for host, paths in by_host.items():
        lines += [f"  {json.dumps(host)}:", "    endpoint:", f"      - {json.dumps(address)}"]
        rules = _rules(paths)
        if rules:
            lines.append("    rewrite:")
            lines += [f"      {json.dumps(pattern)}: {json.dumps(to)}" for pattern, to in rules.items()]
    return "\n".join([*lines, ""]) if by_host else "mirrors: {}\n"


def _rules(paths: Mapping[str, str]) -> dict[str, str]:
    """Return rules of ``rewrite``: one for all paths, else one for each that changes.

    The rules are tried in no certain order, so no two may fit one path.
    """
    prefix = _common_prefix(paths)
    if prefix is not None:
        return {"^(.*)$": f"{prefix}/$1"} if prefix else {}
    return {f"^{re.escape(old)}$": new for old, new in paths.items() if new != old}


def _hosts_toml(address: str, prefix: str) -> str:
    """Write a ``hosts.toml``; the target takes the place of the source, which cannot be reached."""
    url = f"{address}/v2/{prefix}" if prefix else address
    lines = [
        f"server = {json.dumps(url)}",
        "",
        f"[host.{json.dumps(url)}]",
        '  capabilities = ["pull", "resolve"]',
    ]
    if prefix:
        lines.append("  override_path = true")
        lines.insert(1, "override_path = true")
    return "\n".join([*lines, ""])


def _system_default_registry(by_host: Mapping[str, Mapping[str, str]], naming: Naming) -> tuple[str, tuple[str, ...]]:
    """Return Rancher's setting for its images, which it expects as ``SETTING/rancher/NAME``, and notes on it."""
    host, _slash, start = _OF_RANCHER.partition("/")
    paths = {old: new for old, new in by_host.get(host, {}).items() if old.startswith(start)}
    prefix = _common_prefix(paths)
    registry = naming.registry.registry
    if not paths:
        return registry if not naming.registry.prefix and not naming.keep_registry else "", ()
    if prefix is None:
        return "", (f"Rancher's system-default-registry cannot be used: its images are not at {registry}/…/rancher/",)
    if not prefix:
        return registry, ()
    note = (
        f"system-default-registry {registry}/{prefix} has a path, which older RKE2 refuses; use registries.yaml there"
    )
    return f"{registry}/{prefix}", (note,)
