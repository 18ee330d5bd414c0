# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that decide which images may be saved: the signature policy, and whatever else skopeo reads for that.

containers-policy.json(5), containers-registries.d(5), containers-registries.conf(5). Only its content counts, so that a
change of it is noticed, and nothing else is. Files that skopeo would read if others were not there count too: one too
many costs a request for each image when it changes, one too few would hide a change.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping

from .._base.errors import OptionError
from .._base.json import Json, JsonError, parse_object
from .._oci.descriptor import digest_of
from .registries_conf import configuration_folders, registries_files
from .work import INSECURE_POLICY, SYSTEM_POLICY, Work

_LARGEST = 16 * 1024 * 1024
_NOT_READ = b"not read"


def policy_name(work: Work) -> str:
    """A name for the signature policy in force: ``system``, ``insecure``, or the sha256 of the file given.

    :raises OptionError: when that file cannot be read.
    """
    if work.insecure_policy:
        return INSECURE_POLICY
    if work.signature_policy is None:
        return SYSTEM_POLICY
    try:
        with open(work.signature_policy, "rb") as file:
            return digest_of(file.read())
    except OSError as error:
        raise OptionError(f"signature_policy: cannot read {work.signature_policy}: {error.strerror}") from error


def configuration_now(work: Work, environ: Mapping[str, str]) -> str:
    """The sha256 (hex digits) of all that decides today which images may be saved.

    :param environ: says where skopeo reads it from.
    """
    hasher = hashlib.sha256()
    for name, raw in _documents(work, environ):
        for piece in (os.fsencode(name), raw):
            hasher.update(len(piece).to_bytes(8, "big"))
            hasher.update(piece)
    return hasher.hexdigest()


def _documents(work: Work, environ: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Yield the content of each file, with a name."""
    if work.insecure_policy:
        yield INSECURE_POLICY, b""
    else:
        yield from _of_signatures(work, environ)
    for path in registries_files(environ):
        yield from _if_there(path)


def _of_signatures(work: Work, environ: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    folders = configuration_folders(environ)
    given = work.signature_policy
    for path in [given] if given is not None else [os.path.join(folder, "policy.json") for folder in folders]:
        for _name, raw in _if_there(path):
            yield "signature_policy" if given is not None else path, raw
            for named in _paths_in(raw):
                yield named, _read(named)
    for folder in folders:
        for path in _files_in(os.path.join(folder, "registries.d"), ".yaml"):
            yield from _if_there(path)


def _if_there(path: str) -> Iterator[tuple[str, bytes]]:
    if os.path.lexists(path):
        yield path, _read(path)


def _read(path: str) -> bytes:
    """A file's content; what is none, or cannot be read, is a content of its own."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return _NOT_READ
            return file.read(_LARGEST)
    except (OSError, ValueError):
        return _NOT_READ


def _files_in(folder: str, suffix: str) -> list[str]:
    try:
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(suffix)]
    except OSError:
        return []


def _paths_in(policy: bytes) -> list[str]:
    """The keys and certificates that a policy names: the values of ``keyPath``, ``caPath``, ``keyPaths`` and so on.

    :returns: nothing if it is not a policy, which skopeo refuses.
    """
    try:
        return [*_paths_below(parse_object(policy).values())]
    except JsonError:
        return []


def _paths_below(value: Json, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths_below(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _paths_below(inner, name)
    elif isinstance(value, str) and name.lower().endswith(("path", "paths")):
        yield value
