# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The copies on the controller of the receipts and requests of a load: which are fetched, and which are obsolete."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.airgap.images.plugins.module_utils._archive.request import REQUEST_SUFFIX
from ansible_collections.airgap.images.plugins.module_utils._archive.request_file import (
    put_request_file,
    read_request_file,
)
from ansible_collections.airgap.images.plugins.module_utils._base.errors import ImagesError, OptionError, printable

_HIDDEN = "********"
"""What Ansible puts in place of a password, wherever it is in the result of a module."""

_MARK = "(?P<mark>(?:-[0-9a-f]{12})?)"
_NAME = rf"(?P<name>[^/]+{re.escape(REQUEST_SUFFIX)})"


@dataclass(frozen=True)
class Told:
    """The files that a load has written, as the host says, and where they were to be.

    :param receipt: the path of the role's variable; empty: none was asked for.
    :param request_file: the same for requests.
    :param password: hidden in what the host says.
    :param receipts: their paths, and those of the requests.
    :param fulfilled: hex digits of the sha256 of the lock files of which nothing is missing.
    :param msg: the message of the load.
    """

    receipt: str
    request_file: str
    password: str = field(repr=False)
    receipts: Sequence[str]
    request_files: Sequence[str]
    fulfilled: Sequence[str]
    msg: str

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Told:
        """Take it out of a dictionary, as Ansible has templated it. Lists that are none are empty.

        :raises KeyError: when anything is missing.
        """
        return cls(
            receipt=str(values["receipt"]),
            request_file=str(values["request_file"]),
            password=str(values["password"]),
            receipts=[str(one.get("path")) for one in _listed(values["receipts"]) if isinstance(one, Mapping)],
            request_files=[*map(str, _listed(values["request_files"]))],
            fulfilled=[*map(str, _listed(values["fulfilled"]))],
            msg=str(values["msg"]),
        )


@dataclass(frozen=True)
class Copy:
    """A file that is fetched.

    :param told: its path as the host says it.
    :param src: its path on the host.
    :param dest: its path on the controller.
    """

    told: str
    src: str
    dest: str


def copies_of(told: Told, directory: str) -> tuple[list[Copy], list[Copy]]:
    """Find out which files are fetched. Their paths are made of the role's variables, and not taken from the host.

    :param directory: of the host, on the controller.
    :returns: receipts, and requests.
    :raises OptionError: when a file is not where a variable has it, as far as the host says.
    """

    def copy(path: str, src: str) -> Copy:
        return Copy(path, src, os.path.join(directory, os.path.basename(src)))

    receipts = [copy(one, _receipt(one, told)) for one in told.receipts]
    return receipts, [copy(one, _request(one, told)) for one in told.request_files]


def remove_obsolete(told: Told, directory: str, kept: Sequence[Copy], *, check: bool) -> list[str]:
    """Remove copies of requests for archives of which nothing is missing any more.

    :param directory: as :func:`copies_of` has it.
    :param kept: requests that are still there.
    :param check: change nothing.
    :returns: the paths of the files that were (or would be) removed.
    :raises StorageError: when one cannot be removed.
    """
    if not told.request_file:
        return []
    start, ending = os.path.splitext(os.path.basename(told.request_file))
    pattern = re.compile(f"{re.escape(start)}{_MARK}{re.escape(ending)}|{_NAME}", re.DOTALL)
    paths = [os.path.join(directory, name) for name in _names_in(directory) if pattern.fullmatch(name)]
    there = {one.dest for one in kept}
    obsolete = [path for path in paths if path not in there and _is_for(path, told.fulfilled)]
    for path in () if check else obsolete:
        put_request_file(path, None)
    return obsolete


def with_copies(msg: str, copies: Sequence[Copy]) -> str:
    """Return a message that names the copies of files in place of the files on the host."""
    dests = {one.told: f"{one.dest} (on the controller)" for one in copies}
    if not dests:
        return msg
    names = "|".join(re.escape(one) for one in sorted(dests, key=len, reverse=True))
    return re.sub(names, lambda found: dests[found[0]], msg)


def _receipt(path: str, told: Told) -> str:
    src = _beside(_shown(path, told), told.receipt)
    if not src:
        raise _unknown("receipt", path, told.receipt)
    return src


def _request(path: str, told: Told) -> str:
    shown, given = _shown(path, told), told.request_file
    src = _beside(shown, given)
    if src:
        return src
    found = re.fullmatch(f"{_on_host(given.rstrip('/'))}/{_NAME}", shown) if given else None
    if found is None:
        raise _unknown("request_file", path, given)
    return f"{given.rstrip('/')}/{found['name']}"


def _beside(path: str, given: str) -> str:
    """Return the path of a variable, or of a file beside it for another archive; empty if it is neither."""
    start, ending = os.path.splitext(given)
    found = re.fullmatch(f"{_on_host(start)}{_MARK}{re.escape(ending)}", path) if given else None
    return f"{start}{found['mark']}{ending}" if found is not None else ""


def _on_host(path: str) -> str:
    """Return the pattern of a path on the host, whose home directories the controller does not know."""
    home = re.match("~[^/]*", path)
    return re.escape(path) if home is None else f"/.*{re.escape(path[home.end() :])}"


def _shown(path: str, told: Told) -> str:
    return path.replace(_HIDDEN, told.password) if told.password else path


def _unknown(name: str, path: str, given: str) -> OptionError:
    if _HIDDEN in path:
        return OptionError(
            f"image_load_fetch_dest: {printable(path)} was not fetched, as Ansible hides the password in it; choose "
            f"paths for image_load_{name} that do not contain the password, or give it in image_load_password"
        )
    return OptionError(
        f"image_load_fetch_dest: {printable(path)} was not fetched, as it is not where image_load_{name} has it, "
        f"{printable(given) or 'which is empty'}; give that as an absolute path without variables of the shell"
    )


def _is_for(path: str, locks: Sequence[str]) -> bool:
    with suppress(ImagesError):
        request = read_request_file(path)
        return request is not None and request.lock_sha256 in locks
    return False


def _names_in(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:  # nothing was fetched yet
        return []


def _listed(value: object) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()
