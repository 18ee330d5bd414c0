# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be saved: the list, or the lock file of an earlier run."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .._archive.lock import Lock, read_lock
from .._base.errors import LockFileError, OptionError
from .._base.json import Json
from .._oci.image_list import ImageList, ListedImage, Origin, read_image_list
from .._oci.platform import parse_filter
from .options import Selection
from .resolve import Pin


@dataclass(frozen=True)
class Wanted:
    """The images asked for.

    :param pins: for images of a lock file, what they have to be, by the image's number.
    :param selection: as given, or with what the lock file says of platforms and foreign layers.
    """

    list: ImageList
    pins: dict[int, Pin]
    selection: Selection


def read_wanted(selection: Selection) -> Wanted:
    """Read the list, or the lock file that takes its place.

    :raises OptionError: when a file cannot be read, or nothing at all is asked for.
    """
    if selection.from_lock is not None:
        return _from_lock(selection, selection.from_lock)
    images = read_image_list(selection.images, selection.list_files, selection.list_format)
    if not images.images and not images.invalid:
        raise OptionError("images and list_files name no image; at least one is needed")
    return Wanted(images, {}, selection)


def chosen_by(selection: Selection, lock: Lock) -> Selection:
    """The selection that a lock file records, so that its archive comes out the same."""
    return replace(
        selection,
        platforms=parse_filter(_texts(lock.options.get("arch")), _texts(lock.options.get("os"))),
        include_foreign_layers=lock.options.get("include_foreign_layers") is True,
        fail_on_missing_platform=lock.options.get("fail_on_missing_platform") is True,
    )


def _texts(value: Json) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _from_lock(selection: Selection, path: str) -> Wanted:
    try:
        with open(path, "rb") as file:
            lock = read_lock(file.read(), path=path)
    except OSError as error:
        raise OptionError(f"from_lock: cannot read {path} on the target: {error.strerror}") from error
    except LockFileError as error:
        raise OptionError(f"from_lock: {error}") from error
    if not lock.images:
        raise OptionError(f"from_lock: {path} names no image")
    listed = [
        ListedImage(number, image.reference, Origin(path, number)) for number, image in enumerate(lock.images, start=1)
    ]
    pins = {
        number: Pin(image.digest, frozenset(platform.source_digest for platform in image.platforms))
        for number, image in enumerate(lock.images, start=1)
    }
    try:
        chosen = chosen_by(selection, lock)
    except OptionError as error:
        raise OptionError(f"from_lock: {path} does not say which platforms it is for: {error}") from error
    return Wanted(ImageList(tuple(listed), (), 0), pins, chosen)
