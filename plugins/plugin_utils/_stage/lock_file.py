# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lock file of the controller in place of all lists: it is staged on the host, cut to the host's share."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError, OptionError
from ansible_collections.airgap.images.plugins.module_utils._base.json import Json, canonical, parse_object
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_size
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.bounds import LARGEST_RECORD, MOST_VALUES
from ansible_collections.airgap.images.plugins.plugin_utils._stage.checks import require_file

_OPTION = "image_save_from_lock_file"


def read_lock_file(path: str, find: Callable[[str], str | None]) -> bytes:
    """Read a lock file of the controller, as the user who runs Ansible.

    :param find: returns the path of a file, or None if there is none.
    :raises OptionError: when it cannot be read, or is not a lock file with images.
    """
    found = require_file(_OPTION, path, find)
    try:
        with open(found, "rb") as file:
            raw = file.read(LARGEST_RECORD + 1)
    except OSError as error:
        raise OptionError(f"{_OPTION}: cannot read {found} on the controller: {error.strerror}") from error
    if len(raw) > LARGEST_RECORD:
        raise OptionError(f"{_OPTION}: {found} has more than {format_size(LARGEST_RECORD)}; name a lock file")
    try:
        lock = read_lock(raw, path=found, most=MOST_VALUES)
    except LockFileError as error:
        raise OptionError(f"{_OPTION}: {error}") from error
    if not lock.images:
        raise OptionError(f"{_OPTION}: {found} names no image")
    return raw


def references_of(raw: bytes) -> list[str]:
    """Return the references of a lock file. Pure.

    :param raw: as :func:`read_lock_file` returns it.
    """
    return [str(image.reference) for image in read_lock(raw, path=_OPTION).images]


def staged_lock(raw: bytes, share: Collection[str]) -> str:
    """Return the lock file that a host saves from. Pure.

    :param share: the references of the host.
    """
    document = parse_object(raw).values()
    wanted = {*share}
    images = document.get("images")
    kept: list[Json] = [one for one in images if _is_in(one, wanted)] if isinstance(images, list) else []
    left_out: dict[str, Json] = {"skipped": [], "failed": [], "blobs": {}, "parts": []}
    return canonical({**document, "images": kept, **left_out}).decode("utf-8")


def pinned(raw: bytes, share: Collection[str]) -> list[str]:
    """Return the references of a host with their digests, for check mode, where the lock file is not staged. Pure."""
    wanted = {*share}
    return [
        str(image.reference) if image.reference.digest else f"{image.reference}@{image.digest}"
        for image in read_lock(raw, path=_OPTION).images
        if str(image.reference) in wanted
    ]


def _is_in(image: Json, wanted: Collection[str]) -> bool:
    return isinstance(image, dict) and image.get("reference") in wanted
