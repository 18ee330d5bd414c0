# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image references: parses and normalises them, and chooses the registry to pull from. Pure.

Grammar: https://pkg.go.dev/github.com/distribution/reference and the OCI distribution-spec, "Pulling manifests".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from .._base.errors import InvalidReferenceError, quoted
from .._base.shared import shared
from .._base.slots import slotted

DOCKER_HUB = "docker.io"
_DOCKER_HUB_NAMES = frozenset({"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "docker.io"})
_LONGEST_NAME = 255
_HTTPS_PORT = ":443"

_HOST = re.compile(
    r"^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
    r"(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[0-9a-fA-F:]+\])(?::([0-9]{1,5}))?$"
)
_COMPONENT = re.compile(r"^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$")
_TAG = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
_ANY_DIGEST = re.compile(r"^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$")
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*)://", re.IGNORECASE | re.ASCII)
_IMAGE_ID = re.compile(r"^[0-9a-f]{64}$")
# What has none of the mistakes that are told with a remedy, as nearly everything.
_PLAIN = re.compile(r"(?:[\w.@-]+[:/])+[\w.@-]+", re.ASCII)
_IPV6 = re.compile(r"^\[[0-9a-fA-F:.]*\]")


@slotted
@dataclass(frozen=True, order=True)
class Reference:
    """One image as the user names it, normalised.

    :param registry: host, with port if one was given; Docker Hub is always ``docker.io``.
    :param repository: path below the registry; one-word names of Docker Hub begin with ``library/``.
    :param tag: ``None`` only if there is a digest.
    :param digest: ``sha256:<hex>`` or ``None``.
    """

    registry: str
    repository: str
    tag: str | None
    digest: str | None

    @property
    def name(self) -> str:
        """Registry and repository, without tag or digest."""
        return f"{self.registry}/{self.repository}"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


@slotted
@dataclass(frozen=True, order=True)
class Repository:
    """A repository to pull from: registry host and path.

    :param stands_for: for a mirror that an option names, the repository of the list, whose signature policy applies;
        else empty.
    """

    registry: str
    path: str
    stands_for: str = ""

    def __str__(self) -> str:
        return f"{self.registry}/{self.path}"

    @property
    def key(self) -> str:
        """The name for records of what was accepted: where it is, and for a mirror, under which name that was."""
        return f"{self} as {self.stands_for}" if self.stands_for else str(self)

    @property
    def as_named(self) -> Repository:
        """The repository under the name that the signature policy knows: for a mirror, that of the list."""
        registry, _slash, path = (self.stands_for or str(self)).partition("/")
        return Repository(registry, path)


@dataclass(frozen=True)
class SourceRegistry:
    """A registry that replaces the one that a reference names: a host, and a path prefixed to each repository."""

    registry: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.registry}/{self.prefix}" if self.prefix else self.registry

    def path_of(self, reference: Reference) -> str:
        """Return the path that the repository of a reference has there."""
        return f"{self.prefix}/{reference.repository}" if self.prefix else reference.repository


NO_MIRRORS: Mapping[str, SourceRegistry] = MappingProxyType({})


def is_digest(text: str) -> bool:
    """Return True for ``sha256:`` and 64 lower-case hex digits (image-spec, descriptor.md, "Digests")."""
    return _DIGEST.fullmatch(text) is not None


def canonical_registry(host: str) -> str:
    """Return a host without scheme and path, as login files may have them; for Docker Hub's hosts, ``docker.io``."""
    bare = _SCHEME.sub("", host).split("/", 1)[0]
    return DOCKER_HUB if bare.lower() in _DOCKER_HUB_NAMES else bare


def registry_key(host: str) -> str:
    """Return the one spelling of a registry: ``docker.io`` for Docker Hub, and no port if it is that of https."""
    return canonical_registry(host).removesuffix(_HTTPS_PORT)


def parse_reference(text: str) -> Reference:
    """Read ``[REGISTRY/]PATH[:TAG][@DIGEST]``.

    :param text: one reference, without whitespace around it.
    :raises InvalidReferenceError: says which part is wrong and what was expected.
    """
    if not _PLAIN.fullmatch(text):
        _refuse_common_mistakes(text)
    rest, digest = _split_digest(text)
    rest, tag = _split_tag(rest)
    registry, path = _split_registry(rest)
    if registry == DOCKER_HUB and path and "/" not in path:
        path = f"library/{path}"
    _check_path(path, registry)
    if tag is None and digest is None:
        tag = "latest"
    return Reference(registry=shared(registry), repository=shared(path), tag=tag, digest=digest)


def parse_source_registry(text: str) -> SourceRegistry:
    """Read the registry to pull from: ``HOST[:PORT]`` or ``HOST[:PORT]/PATH``.

    :raises InvalidReferenceError: when the host or the path is not valid.
    """
    if _SCHEME.match(text):
        raise InvalidReferenceError(f"{quoted(text)} begins with a scheme; write the host alone")
    host, _slash, prefix = text.strip().rstrip("/").partition("/")
    _check_host(host)
    if prefix:
        _check_path(prefix, host)
    return SourceRegistry(registry=canonical_registry(host), prefix=prefix)


def pulled_from(
    reference: Reference, source: SourceRegistry | None, mirrors: Mapping[str, SourceRegistry] = NO_MIRRORS
) -> Repository:
    """Return where a reference is pulled from.

    :param source: the registry that replaces all registries; ``None``: there is none.
    :param mirrors: those that replace one registry each, by its :func:`registry_key`.
    """
    if source is not None:
        return Repository(source.registry, source.path_of(reference))
    mirror = mirrors.get(registry_key(reference.registry))
    if mirror is not None:
        return Repository(mirror.registry, mirror.path_of(reference), stands_for=reference.name)
    return _repository(reference.registry, reference.repository)


@lru_cache(maxsize=4096)
def _repository(registry: str, path: str) -> Repository:
    """Return one object for all images of a repository."""
    return Repository(registry, path)


def _refuse_common_mistakes(text: str) -> None:
    if not text:
        raise InvalidReferenceError("it is empty; expected [REGISTRY/]PATH[:TAG][@sha256:DIGEST]")
    scheme = _SCHEME.match(text)
    if scheme:
        raise InvalidReferenceError(f"it begins with {quoted(scheme.group(), 100)}; write the reference without it")
    _refuse_what_is_around(text)
    if text.split() != [text]:
        _refuse_second_column(text)
        raise InvalidReferenceError(
            "it contains whitespace; expected one reference per line, and comments on lines of their own"
        )
    if _IMAGE_ID.fullmatch(text):
        raise InvalidReferenceError("it is an image ID, which no registry knows; write a repository and tag")


def _refuse_what_is_around(text: str) -> None:
    """Refuse what surrounds references in the texts they are copied from: lists of YAML, JSON or a shell."""
    if any(text.rstrip(",;").strip(mark) != text.rstrip(",;") for mark in "\"'`"):
        raise InvalidReferenceError("it has a quotation mark before or after it; remove that")
    for before in ("- ", "[", ","):
        if text.startswith(before) and not _IPV6.match(text):
            raise InvalidReferenceError(f"it begins with {quoted(before)}; remove that")
    for behind in (",", ";"):
        if text.endswith(behind):
            raise InvalidReferenceError(f"it ends with {quoted(behind)}; remove that")


def _refuse_second_column(text: str) -> None:
    words = re.split(r"[ \t]+", text)
    if len(words) != 2:
        return
    try:
        parse_reference(words[0])
    except InvalidReferenceError:
        return
    raise InvalidReferenceError(
        f"it has a second column, {quoted(words[1], 100)}; remove that, or read files such as "
        "rancher-images-sources.txt with list_format=sources (image_save_list_format of the role)"
    )


def _split_digest(text: str) -> tuple[str, str | None]:
    rest, at, digest = text.partition("@")
    if not at:
        return rest, None
    if is_digest(digest):
        return rest, digest
    if _ANY_DIGEST.fullmatch(digest) and not digest.startswith("sha256:"):
        algorithm = digest.split(":", 1)[0]
        raise InvalidReferenceError(f"digest algorithm {quoted(algorithm)} is not supported; expected sha256")
    expected = "expected sha256: and 64 lower-case hex digits"
    raise InvalidReferenceError(f"{quoted(digest)} is not a valid digest; {expected}")


def _split_tag(text: str) -> tuple[str, str | None]:
    head, colon, tag = text.rpartition(":")
    if not colon or "/" in tag or head.endswith(":") or _is_ipv6_tail(text):
        return text, None
    if not _TAG.fullmatch(tag):
        expected = "expected up to 128 letters, digits, '_', '.' and '-', not beginning with '.' or '-'"
        raise InvalidReferenceError(f"{quoted(tag)} is not a valid tag; {expected}")
    return head, tag


def _is_ipv6_tail(text: str) -> bool:
    return text.startswith("[") and "/" not in text


def _split_registry(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first.lower() != first):
        _check_host(first)
        return canonical_registry(first), rest
    return DOCKER_HUB, text


def _check_host(host: str) -> None:
    match = _HOST.fullmatch(host)
    if match is None:
        raise InvalidReferenceError(f"{quoted(host)} is not a valid registry; expected HOST or HOST:PORT")
    if host.startswith("["):
        _check_ipv6(host[1:].partition("]")[0])
    port = match.group(1)
    if port is not None and not 0 < int(port) < 65536:
        raise InvalidReferenceError(f"{quoted(host)} has an invalid port; expected 1 to 65535")


def _check_ipv6(address: str) -> None:
    """Refuse invalid addresses, with which no program can use a URL."""
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        expected = "expected one such as 2001:db8::1"
        raise InvalidReferenceError(f"{quoted(address)} is not a valid IPv6 address; {expected}") from None


def _check_path(path: str, registry: str) -> None:
    if not path:
        raise InvalidReferenceError("it names no repository; expected [REGISTRY/]PATH[:TAG][@sha256:DIGEST]")
    for component in path.split("/"):
        if not _COMPONENT.fullmatch(component):
            expected = "expected lower-case letters and digits, joined by '.', '_', '__' or '-'"
            raise InvalidReferenceError(f"{quoted(component)} is not a valid repository path component; {expected}")
    if len(registry) + 1 + len(path) > _LONGEST_NAME:
        raise InvalidReferenceError(f"the name is longer than {_LONGEST_NAME} characters")
