# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Says which names images have in a registry that they were loaded into, and how clusters find them there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, quoted
from ansible_collections.airgap.images.plugins.module_utils._load.cluster_files import cluster_files
from ansible_collections.airgap.images.plugins.module_utils._load.naming import (
    Naming,
    Target,
    read_registry,
    read_rewrites,
    target_of,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import Origin, parse_lines, split_lines
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Reference


@dataclass(frozen=True)
class RegistryNames:
    """The names of images in a registry, and the settings by which a cluster finds them.

    :param names: the new name of each reference, by the reference in full.
    :param registries_yaml: of K3s and RKE2.
    :param hosts_toml: of containerd, by the source registry.
    :param system_default_registry: Rancher's setting; empty where it cannot be used.
    :param notes: sentences on what these cannot express.
    """

    names: dict[str, str]
    registries_yaml: str
    hosts_toml: dict[str, str]
    system_default_registry: str
    notes: list[str]


def read_naming(registry: str, *, keep_registry: bool, rewrites: Iterable[object]) -> Naming:
    """Read the rules as a playbook has them; they are those of image_load.

    :param rewrites: mappings with ``from`` and ``to``.
    :raises OptionError: names the option, its value and what is accepted.
    """
    return Naming(read_registry(registry), keep_registry, read_rewrites(_pairs(rewrites)))


def name_all(lines: Sequence[str], naming: Naming, *, is_plain: bool) -> RegistryNames:
    """Name images in the target registry.

    :param lines: references; blank lines and comments are left out.
    :param is_plain: whether the registry is spoken to by HTTP.
    :raises OptionError: when a line is not a reference, or a name that comes out is not valid.
    """
    references = _read(lines)
    targets = {reference: target_of(reference, naming) for reference in references}
    files = cluster_files([reference.name for reference in references], naming, is_plain=is_plain)
    return RegistryNames(
        names={str(reference): str(target) for reference, target in targets.items()},
        registries_yaml=files.registries_yaml,
        hosts_toml=dict(files.hosts_toml),
        system_default_registry=files.system_default_registry,
        notes=[*files.notes, *_same_names(targets)],
    )


def _read(lines: Sequence[str]) -> list[Reference]:
    items = (
        (Origin(None, number, "references"), line)
        for number, item in enumerate(lines, start=1)
        for line in split_lines(item)
    )
    listed = parse_lines(items)
    for line in listed.invalid:
        raise OptionError(
            f"references, item {line.origin.line}: {quoted(line.text)} is not a valid reference: {line.reason}"
        )
    return [image.reference for image in listed.images]


def _pairs(items: Iterable[object]) -> Iterator[tuple[str, str]]:
    for item in items:
        if not isinstance(item, Mapping) or set(item) != {"from", "to"}:
            raise OptionError(f"rewrites: {quoted(str(item))} is not a rule; expected a dictionary with from and to")
        yield str(item["from"]), str(item["to"])


def _same_names(targets: Mapping[Reference, Target]) -> Iterator[str]:
    """Yield a sentence on each reference that gets a name which another has. Digests, which decide, are not known."""
    first: dict[Target, Reference] = {}
    for reference, target in targets.items():
        other = first.setdefault(target, reference)
        if other != reference:
            yield f"{other} and {reference} would both be {target}, so image_load loads both only if they are one image"
