# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images that a run is asked to save: from a list, or from the lock file of an earlier run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Callable

from .._archive.lock import Lock, LockedImage
from .._archive.lock_file import read_lock_pieces
from .._base.errors import LockFileError, OptionError
from .._base.json import Json
from .._base.slots import slotted
from .._host.files import pieces_of
from .._oci.image_list import (
    ImageList,
    InvalidLine,
    ListedImage,
    Origin,
    read_image_list,
)
from .._oci.platform import parse_filter
from .._oci.reference import NO_MIRRORS, Reference, Repository, SourceRegistry, pulled_from
from .options import AUTO, NO_REFERRERS, Selection


@dataclass(frozen=True)
class Pin:
    """The content that a lock file records for an image.

    :param digest: of the manifest or index.
    :param platforms: digests of the platform images to save.
    """

    digest: str
    platforms: frozenset[str]


@slotted
@dataclass(frozen=True)
class RequestedImage:
    """An image to be saved.

    :param repository: where it is pulled from: the reference's own repository, or its place in ``source_registry`` or a
        mirror.
    :param pin: its content, if a lock file names the image; else ``None``.
    """

    listed: ListedImage
    repository: Repository
    pin: Pin | None = None

    @property
    def reference(self) -> Reference:
        """The reference as it was asked for."""
        return self.listed.reference


@dataclass(frozen=True)
class ImageSet:
    """Everything that a run is asked to save.

    :param list: the list with its invalid lines and duplicates.
    :param images: the images of the list, in its order.
    :param selection: the options; if a lock file takes the place of a list, with its platforms and foreign layers.
    """

    list: ImageList
    images: tuple[RequestedImage, ...]
    selection: Selection

    @property
    def invalid(self) -> tuple[InvalidLine, ...]:
        """The lines that are not valid references."""
        return self.list.invalid

    @property
    def repositories(self) -> dict[Reference, Repository]:
        """The repository of each image."""
        return {image.reference: image.repository for image in self.images}


def read_image_set(
    selection: Selection, source: SourceRegistry | None, mirrors: Mapping[str, SourceRegistry] = NO_MIRRORS
) -> ImageSet:
    """Read the list, or the lock file that takes its place.

    :param source: the registry that replaces those of all references.
    :param mirrors: those that replace single registries.
    :raises OptionError: when a file cannot be read, or no image is named.
    """
    if selection.from_lock is not None:
        return _from_lock(selection, selection.from_lock, lambda image: pulled_from(image, source, mirrors))
    listed = read_image_list(selection.images, selection.list_files, selection.list_format, selection.origins)
    if not listed.images and not listed.invalid:
        raise OptionError("images and list_files name no image; at least one is needed")
    images = (RequestedImage(image, pulled_from(image.reference, source, mirrors)) for image in listed.images)
    return ImageSet(listed, tuple(images), selection)


def chosen_by(selection: Selection, lock: Lock) -> Selection:
    """Return the selection that a lock file records, so that its archive comes out the same.

    :raises OptionError: when the lock file records no platforms.
    """
    return replace(
        selection,
        platforms=parse_filter(_texts(lock.options.get("arch")), _texts(lock.options.get("os"))),
        include_foreign_layers=lock.options.get("include_foreign_layers") is True,
        fail_on_missing_platform=lock.options.get("fail_on_missing_platform") is True,
        referrers=AUTO if lock.options.get("referrers") == AUTO else NO_REFERRERS,
    )


def pin_of(image: LockedImage) -> Pin:
    """Return the content that a lock file records for one of its images."""
    return Pin(image.digest, frozenset(platform.source_digest for platform in image.platforms))


def _texts(value: Json) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _from_lock(selection: Selection, path: str, place_of: Callable[[Reference], Repository]) -> ImageSet:
    try:
        with open(path, "rb") as file:
            lock = read_lock_pieces(pieces_of(file), path=path)
    except OSError as error:
        raise OptionError(f"from_lock: cannot read {path} on the target: {error.strerror}") from error
    except LockFileError as error:
        raise OptionError(f"from_lock: {error}") from error
    if not lock.images:
        raise OptionError(f"from_lock: {path} names no image")
    try:
        chosen = chosen_by(selection, lock)
    except OptionError as error:
        raise OptionError(f"from_lock: {path} does not say which platforms it is for: {error}") from error
    origins = [Origin(path, number) for number in range(1, len(lock.images) + 1)]
    if len(selection.origins) == len(origins):
        origins = [*selection.origins]
    listed = tuple(
        ListedImage(number, image.reference, origin, refers_to=image.refers_to)
        for number, (image, origin) in enumerate(zip(lock.images, origins), start=1)
    )
    images = (RequestedImage(one, place_of(one.reference), pin_of(image)) for one, image in zip(listed, lock.images))
    return ImageSet(ImageList(listed, (), 0), tuple(images), chosen)
