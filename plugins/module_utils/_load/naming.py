# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names that images get in the target registry. Pure.

Grammar of repository names: OCI distribution-spec, "Pulling manifests".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .._base.errors import InvalidReferenceError, OptionError, quoted
from .._oci.layout import load_tag
from .._oci.reference import (
    Reference,
    Repository,
    SourceRegistry,
    canonical_registry,
    parse_reference,
    parse_source_registry,
)

_NO_COMPONENT_CHARACTERS = re.compile(r"[^a-z0-9.-]+")
_MOST_NAMED = 5


@dataclass(frozen=True)
class Rewrite:
    """One item of ``rewrites``: a name, or the beginning of names up to a ``/``, and what takes its place.

    :param source: ``HOST[:PORT][/PATH]``, as references name it.
    :param target: a path below the target registry; empty: the rest of the name alone.
    """

    source: str
    target: str

    def rest_of(self, name: str) -> str | None:
        """Return what follows the source in a name, without its ``/``; ``None`` if the rule is not for that name."""
        if name == self.source:
            return ""
        return name[len(self.source) + 1 :] if name.startswith(f"{self.source}/") else None


@dataclass(frozen=True)
class Naming:
    """The rules that give each reference its name in the target registry.

    :param registry: the target's host, and a path that is prefixed to each repository.
    :param keep_registry: whether the registry of a reference becomes the first component of its path.
    :param rewrites: rules that are used instead of that; the longest one that fits counts.
    """

    registry: SourceRegistry
    keep_registry: bool = False
    rewrites: tuple[Rewrite, ...] = ()

    def path_of(self, name: str) -> str:
        """Return the path, below the prefix, of a name such as ``docker.io/rancher/rancher``."""
        rewrite = self.rewrite_of(name)
        if rewrite is not None:
            return "/".join(part for part in (rewrite.target, rewrite.rest_of(name)) if part)
        host, _slash, path = name.partition("/")
        return f"{component_of(host)}/{path}" if self.keep_registry else path

    def rewrite_of(self, name: str) -> Rewrite | None:
        """Return the rule for a name; ``None`` if there is none."""
        fitting = [rule for rule in self.rewrites if rule.rest_of(name) is not None]
        return max(fitting, key=lambda rule: len(rule.source), default=None)

    def repository_of(self, name: str) -> Repository:
        """Return the repository in the target registry.

        :param name: registry and path of the source, as in :attr:`Reference.name`.
        :raises OptionError: when the path that comes out is not valid.
        """
        path = "/".join(part for part in (self.registry.prefix, self.path_of(name)) if part)
        try:
            parse_reference(f"{self.registry.registry}/{path}")
        except InvalidReferenceError as error:
            raise OptionError(f"rewrites: {name} would become {quoted(path)}: {error}") from error
        return Repository(self.registry.registry, path)


@dataclass(frozen=True, order=True)
class Target:
    """The name of an image in the target registry."""

    repository: Repository
    tag: str

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"


def read_registry(text: str) -> SourceRegistry:
    """Read the target registry: ``HOST[:PORT]`` or ``HOST[:PORT]/PATH``.

    :raises OptionError: when the host or the path is not valid.
    """
    try:
        return parse_source_registry(text)
    except InvalidReferenceError as error:
        raise OptionError(f"registry: {error}") from error


def read_rewrites(items: Iterable[tuple[str, str]]) -> tuple[Rewrite, ...]:
    """Check the items of ``rewrites``.

    :param items: ``from`` and ``to`` of each.
    :raises OptionError: names the item, and says what was expected.
    """
    rules: dict[str, Rewrite] = {}
    for source, target in items:
        rule = Rewrite(_checked_source(source), _checked_target(target))
        if rules.setdefault(rule.source, rule) != rule:
            raise OptionError(f"rewrites: from {quoted(source)} is given twice, with different values for to")
    return tuple(rules.values())


def target_of(reference: Reference, naming: Naming | None) -> Target:
    """Return the name of a reference in the target registry; one without a tag gets one made of its digest.

    :param naming: ``None``: references keep their names.
    :raises OptionError: when the name that comes out is not valid.
    """
    if naming is None:
        return Target(Repository(reference.registry, reference.repository), load_tag(reference))
    return Target(naming.repository_of(reference.name), load_tag(reference))


def refuse_conflicts(named: Sequence[tuple[Reference, Target, str]], naming: Naming | None) -> None:
    """Make sure that no two images would overwrite each other.

    :param named: references with their targets and digests.
    :raises OptionError: names the references that would get the same name, and the rules that would help.
    """
    first: dict[Target, tuple[Reference, str]] = {}
    conflicts: list[str] = []
    hosts: dict[str, None] = {}
    for reference, target, digest in named:
        other, other_digest = first.setdefault(target, (reference, digest))
        if other_digest != digest:
            conflicts.append(_explain_conflict(other, reference, target))
            hosts[reference.name] = None
    if not conflicts:
        return
    told = "; ".join(conflicts[:_MOST_NAMED])
    if len(conflicts) > _MOST_NAMED:
        told += f"; and {len(conflicts) - _MOST_NAMED} more"
    raise OptionError(f"{told}. {_explain_ways_on(list(hosts), naming)}")


def component_of(host: str) -> str:
    """Return a registry's host as a component of a path: ``HOST:PORT`` becomes ``HOST_PORT``."""
    return _NO_COMPONENT_CHARACTERS.sub("_", host.lower()).strip("_.-")


def _explain_conflict(one: Reference, other: Reference, target: Target) -> str:
    return f"{one} and {other} would both be {target}"


def _explain_ways_on(names: Sequence[str], naming: Naming | None) -> str:
    """Say what keeps names apart."""
    if naming is None:
        return "Leave one of them out with exclude"
    host, _slash, path = names[0].partition("/")
    rule = f"{{from: {names[0]}, to: {component_of(host)}/{path}}}"
    if naming.keep_registry:
        return f"Give one of them another name, for example with rewrites: [{rule}]"
    return f"Set keep_registry=true, or give one of them another name, for example with rewrites: [{rule}]"


def _checked_source(text: str) -> str:
    """Return ``from`` as names have it, with Docker Hub's name if that is meant."""
    host, slash, path = text.strip().rstrip("/").partition("/")
    registry = canonical_registry(host)
    try:
        # A path of one component is completed for Docker Hub, where the rule may mean the beginning of a path.
        parse_reference(f"{registry}/{path}/x" if path else f"{registry}/x/x")
    except InvalidReferenceError as error:
        expected = "expected HOST[:PORT] or HOST[:PORT]/PATH, such as docker.io/rancher"
        raise OptionError(f"rewrites: from {quoted(text)} is not valid: {error}; {expected}") from error
    if not _is_host(host):
        raise OptionError(f"rewrites: from {quoted(text)} does not begin with a registry, such as docker.io/rancher")
    return f"{registry}{slash}{path}"


def _is_host(text: str) -> bool:
    return "." in text or ":" in text or text == "localhost"


def _checked_target(text: str) -> str:
    path = text.strip().strip("/")
    if not path:
        return ""
    try:
        parse_reference(f"localhost/{path}")
    except InvalidReferenceError as error:
        raise OptionError(f"rewrites: to {quoted(text)} is not valid: {error}") from error
    if ":" in path or "@" in path:
        raise OptionError(f"rewrites: to {quoted(text)} must be a path without a tag")
    return path
