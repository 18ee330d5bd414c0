# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of the signature policy: whether it accepts anything from a repository, so that skopeo need not be asked.

containers-policy.json(5): the most specific scope of the transport ``docker`` counts, then the transport's own default,
then that of all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from .._base.json import JsonError, JsonObject, parse_object
from .._oci.reference import Repository
from .registries_conf import configuration_folders
from .work import Work

_LARGEST = 16 * 1024 * 1024
_TRANSPORT = "docker"
_ANYTHING = "insecureAcceptAnything"


class PolicyRules:
    """The policy at the moment this is made.

    :param environ: says where skopeo reads it from.
    """

    def __init__(self, work: Work, environ: Mapping[str, str]) -> None:
        self._is_off = work.insecure_policy
        self._policies = [] if self._is_off else [_read(path) for path in _files(work, environ)]

    def accept_anything(self, repository: Repository, digest: str) -> bool:
        """Return True if any image is accepted from a repository.

        :param digest: the policy may say something of a single image.
        :returns: False if that is not plain to see. If skopeo might read one of several files, each has to say so.
        """
        if self._is_off:
            return True
        return bool(self._policies) and all(_accepts(each, repository, digest) for each in self._policies)


def _files(work: Work, environ: Mapping[str, str]) -> list[str]:
    if work.signature_policy is not None:
        return [work.signature_policy]
    paths = (os.path.join(folder, "policy.json") for folder in configuration_folders(environ))
    return [path for path in paths if os.path.lexists(path)]


def _read(path: str) -> JsonObject | None:
    try:
        with open(path, "rb") as file:
            return parse_object(file.read(_LARGEST))
    except (OSError, JsonError):
        return None


def _accepts(policy: JsonObject | None, repository: Repository, digest: str) -> bool:
    if policy is None:
        return False
    try:
        scopes = policy.object("transports").object(_TRANSPORT)
        for scope in _scopes(repository, digest):
            if scope in scopes:
                return _is_anything(scopes, scope)
        return _is_anything(policy, "default")
    except JsonError:
        return False


def _scopes(repository: Repository, digest: str) -> Iterator[str]:
    """Yield the scopes that cover an image, the most specific first."""
    name = str(repository)
    yield f"{name}@{digest}"
    while name:
        yield name
        name = name.rpartition("/")[0]
    host = repository.registry.partition(":")[0]
    while "." in host:
        host = host.partition(".")[2]
        yield f"*.{host}"
    yield ""


def _is_anything(holder: JsonObject, name: str) -> bool:
    requirements = holder.objects(name)
    return bool(requirements) and all(each.text("type") == _ANYTHING for each in requirements)
