# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the images in Kubernetes manifests, as ``helm template`` and ``kustomize build`` render them. Pure.

Documents are read as trees of text: nothing is constructed, so tags, dates and numbers in them do not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    InvalidReferenceError,
    OptionError,
    printable,
    quoted,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference

# Kubernetes API, PodSpec v1 core.
_CONTAINERS = frozenset({"containers", "initContainers", "ephemeralContainers"})
# Groups of custom resources in which every text under a key ``image`` is a container image, by the ends of their names:
# those of operators. In others it may be the image of a virtual machine, or a picture.
_KNOWN_GROUPS = (
    "argoproj.io",
    "cattle.io",
    "cert-manager.io",
    "coreos.com",
    "fluxcd.io",
    "grafana.com",
    "istio.io",
    "jaegertracing.io",
    "knative.dev",
    "kubevirt.io",
    "longhorn.io",
    "opentelemetry.io",
    "rook.io",
    "tekton.dev",
    "tigera.io",
)
# In these, a key ``image`` belongs to a schema, or to somebody's settings.
_PASSED_OVER = frozenset({"ConfigMap", "CustomResourceDefinition", "Secret"})
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_LONGEST_SHOWN = 200
_DEEPEST = 200


@dataclass(frozen=True)
class Manifests:
    """A text of several documents, with a name for messages."""

    name: str
    text: str


@dataclass(frozen=True)
class Unread:
    """A value where an image is expected, which was not used.

    :param document: its number in the file, starting with 1.
    :param resource: such as ``Deployment/rancher``; empty if it does not say.
    :param path: such as ``spec.template.spec.containers[0].image``.
    """

    file: str
    document: int
    resource: str
    path: str
    value: str
    reason: str


@dataclass(frozen=True)
class Found:
    """All images of some manifests.

    :param images: the references as they are written, each one once, in order.
    :param unread: values that look like an image, but were not used.
    :param origins: file and line of each image.
    """

    images: list[str]
    unread: list[Unread]
    origins: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Place:
    """A place in a document: the resource, and the keys that lead there."""

    file: str
    document: int
    resource: str
    group: str
    path: str

    def below(self, step: str) -> _Place:
        path = f"{self.path}{step}" if step.startswith("[") or not self.path else f"{self.path}.{step}"
        return _Place(self.file, self.document, self.resource, self.group, path)


def images_in(sources: Iterable[Manifests]) -> Found:
    """Search manifests for images.

    :returns: the references, and values that look like one but were not used.
    :raises OptionError: when one is not valid YAML; names the file and the line.
    """
    images: dict[str, str] = {}
    unread: list[Unread] = []
    for source in sources:
        for place, node in _named(source):
            try:
                images.setdefault(_reference(place, node), f"{place.file}:{node.start_mark.line + 1}")
            except InvalidReferenceError as error:
                value = printable(node.value, _LONGEST_SHOWN) if isinstance(node, ScalarNode) else ""
                unread.append(Unread(place.file, place.document, place.resource, place.path, value, str(error)))
    return Found([*images], unread, [*images.values()])


def _reference(place: _Place, node: Node) -> str:
    """Return the reference of a place, as it is written.

    :raises InvalidReferenceError: says why it is not valid, or not known to be one.
    """
    if not isinstance(node, ScalarNode):
        raise InvalidReferenceError("it is not a string; manifests have to be rendered first")
    value = str(node.value)
    if "{{" in value or "$(" in value or "${" in value:
        raise InvalidReferenceError("it is a template; manifests have to be rendered first")
    parse_reference(value)
    if place.group and not place.group.endswith(_KNOWN_GROUPS) and not _is_container(place.path):
        raise InvalidReferenceError(
            f"resources of {printable(place.group)} are not known to name container images there"
        )
    return value


def _is_container(path: str) -> bool:
    """Return True if a path leads to a container's image: containers are the same in all resources."""
    parent = path.rpartition(".")[0].rpartition("[")[0].rpartition(".")[2]
    return parent in _CONTAINERS


def _named(source: Manifests) -> Iterator[tuple[_Place, Node]]:
    """Yield every place of a file that names an image."""
    try:
        for number, node in enumerate(yaml.compose_all(source.text, Loader=_LOADER), start=1):
            if node is not None:
                yield from _images(node, _Place(printable(source.name), number, "", "", ""), set(), 0)
    except yaml.YAMLError as error:
        raise OptionError(f"{quoted(source.name)} is not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise OptionError(f"{quoted(source.name)} is not a manifest: it is nested too deeply") from error


def _images(node: Node, place: _Place, seen: set[int], depth: int) -> Iterator[tuple[_Place, Node]]:
    """Yield the images of a tree; each part of it is visited once, however many aliases lead there.

    :param seen: the parts of the document that were visited.
    """
    if id(node) in seen:
        return
    seen.add(id(node))
    if depth > _DEEPEST:
        raise RecursionError
    if isinstance(node, SequenceNode):
        for number, item in enumerate(node.value):
            yield from _images(item, place.below(f"[{number}]"), seen, depth + 1)
    if not isinstance(node, MappingNode):
        return
    place = _resource(node, place)
    if place.resource.partition("/")[0] in _PASSED_OVER:
        return
    for key, value in node.value:
        name = key.value if isinstance(key, ScalarNode) else "?"
        below = place.below(name)
        if name == "image" and _names_image(value, below):
            yield below, value
        elif name == "image" and isinstance(value, MappingNode) and ".volumes[" in below.path:
            yield from ((below.below("reference"), each) for each in _values(value, "reference"))
        else:
            yield from _images(value, below, seen, depth + 1)


def _names_image(value: Node, place: _Place) -> bool:
    """Return True if the value of a key ``image`` is meant as an image: any string, and anything in a container."""
    return isinstance(value, ScalarNode) or _is_container(place.path)


def _resource(node: MappingNode, place: _Place) -> _Place:
    """Return the place with the name of the resource that begins here, if one does, as in items of a list."""
    kinds, versions = _texts(node, "kind"), _texts(node, "apiVersion")
    if not kinds or not versions:
        return place
    names = [name for each in _values(node, "metadata") for name in _texts(each, "name")]
    resource = printable("/".join([kinds[-1], *names[-1:]]))
    group = versions[-1].rpartition("/")[0]
    is_built_in = "." not in group or group.endswith(".k8s.io")
    return _Place(place.file, place.document, resource, "" if is_built_in else group, place.path)


def _values(node: Node, name: str) -> list[Node]:
    """Return the values that a mapping has for a key."""
    if not isinstance(node, MappingNode):
        return []
    return [value for key, value in node.value if isinstance(key, ScalarNode) and key.value == name]


def _texts(node: Node, name: str) -> list[str]:
    return [str(value.value) for value in _values(node, name) if isinstance(value, ScalarNode)]
