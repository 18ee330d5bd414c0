# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A request from the other side on the controller: which host it is for, and what is fetched from there."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.airgap.images.plugins.module_utils._archive.output import LOCK_SUFFIX
from ansible_collections.airgap.images.plugins.module_utils._archive.request import (
    REQUEST_SUFFIX,
    REQUESTED_SUFFIX,
    Request,
    read_request,
    requested_name,
)
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError, OptionError
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.bounds import LARGEST_RECORD
from ansible_collections.airgap.images.plugins.plugin_utils._stage.checks import require_file


@dataclass(frozen=True)
class GivenRequest:
    """A request as the user has brought it.

    :param raw: its bytes.
    """

    request: Request
    raw: bytes

    def is_for(self, archive: str) -> bool:
        """Return True if it is for the archive of a host, by its name.

        :param archive: path of the archive on the host.
        """
        return self.request.archive == os.path.basename(archive)

    def staged(self, directory: str, raw_lock: bytes | None) -> dict[str, str]:
        """Return what is staged on the host, by its path: the request, and the lock file of its archive.

        :param directory: on the host.
        :param raw_lock: a copy of the lock file that the user has; ``None``: the host has its own.
        """
        files = {os.path.join(directory, f"{self.request.archive}{REQUEST_SUFFIX}"): self.raw}
        if raw_lock is not None:
            files[os.path.join(directory, f"{self.request.archive}{LOCK_SUFFIX}")] = raw_lock
        return {path: raw.decode("utf-8", "surrogateescape") for path, raw in files.items()}

    def fetched(self, archive: str, compress: str) -> list[dict[str, Any]]:
        """Return what is fetched from the host: paths of archives there, with the parts that they have.

        :param archive: path of the archive on the host.
        """
        name = self.request.archive
        folder = os.path.join(os.path.dirname(archive), f"{name}{REQUESTED_SUFFIX}")
        found: list[dict[str, Any]] = []
        if self.request.parts:
            found.append({"src": os.path.join(folder, name), "only": [*self.request.parts]})
        if self.request.digests:
            found.append({"src": os.path.join(folder, requested_name(name, compress)), "only": []})
        return found


def read_given(path: str, find: Callable[[str], str | None]) -> GivenRequest:
    """Read a request, as the user who runs Ansible.

    :param find: returns the path of a file, or None if there is none.
    :raises OptionError: when it is not one.
    """
    found = require_file("image_save_request", path, find)
    try:
        with open(found, "rb") as file:
            raw = file.read(LARGEST_RECORD)
        return GivenRequest(read_request(raw, path=found), raw)
    except OSError as error:
        raise OptionError(f"image_save_request: cannot read {found} on the controller: {error.strerror}") from error
    except LockFileError as error:
        raise OptionError(f"image_save_request: {error}") from error


def refuse_no_host(given: GivenRequest, archives: Sequence[str]) -> None:
    """Refuse a request for an archive that no host of the play has.

    :param archives: the paths of the archives of all hosts.
    :raises OptionError: names it.
    """
    if not any(map(given.is_for, archives)):
        names = ", ".join(sorted({os.path.basename(path) for path in archives}))
        raise OptionError(
            f"image_save_request: it is for the archive {given.request.archive}, and the hosts of this play have "
            f"{names}. Set image_save_dest as it was for that archive."
        )
