# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What neither the target nor the archives have: told once, with the images that need it and the ways on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .._base.errors import ImagesError
from .._base.json import Json
from .._base.size import format_count, format_size
from .._oci.descriptor import Descriptor
from .._source.archive import Archive
from .._source.errors import SourceError
from .contents import LoadImage

_MOST_NAMED = 5
_MOST_IMAGES = 3
_MOST_PARTS = 3


class LackingBase(SourceError):
    """An image needs blobs of a base that is neither in the target nor in the archives."""


class NotBegun(SourceError):
    """An image was left alone because others lack something."""


@dataclass(frozen=True)
class LackingBlob:
    """A blob that images need and that is nowhere.

    :param images: their references.
    :param carrier: name of the archive that carried it.
    :param parts: names of the parts of that archive that it may be in.
    :param bundle: the newest archive that leaves it out.
    """

    digest: str
    size: int
    images: tuple[str, ...]
    carrier: str
    parts: tuple[str, ...]
    bundle: Archive = field(repr=False, compare=False)

    def as_json(self) -> Json:
        """Return it as the module returns it."""
        return {
            "digest": self.digest,
            "size": self.size,
            "images": list(self.images),
            "archive": self.carrier,
            "parts": list(self.parts),
        }

    def __str__(self) -> str:
        where = f" in {_some(self.parts, _MOST_PARTS)}" if self.parts else ""
        return f"{self.digest} ({format_size(self.size)}, carried by {self.carrier}{where})"


def lacking_blob(blob: Descriptor, images: Sequence[LoadImage], archives: Sequence[Archive]) -> LackingBlob:
    """Return what is known of a blob that is nowhere.

    :param images: those that need it, of bundles that leave it out.
    :param archives: in the order of their chain.
    """
    bundles = {id(image.archive) for image in images}
    bundle = next(one for one in reversed(archives) if id(one) in bundles)
    required = bundle.lock.requires[blob.digest]
    references = tuple(str(image.reference) for image in images)
    return LackingBlob(blob.digest, blob.size, references, required.archive, required.parts, bundle)


def failure_of_load(
    lacking: Sequence[LackingBlob], place: str, requests: Sequence[str], remark: str = "", *, check: bool
) -> str:
    """Return the sentences about what neither a registry nor the archives have, with the ways on.

    :param place: the registry.
    :param requests: the request files that were written (in check mode: would be).
    :param remark: a sentence for the end; empty: none.
    """
    carriers = _some(_carriers(lacking), _MOST_NAMED)
    ways, end = _failure_ways(requests), f". {remark}" if remark else ""
    return (
        f"{_need(lacking)} that neither {place} nor an archive in src has, so nothing {'would be' if check else 'was'} "
        f"loaded: {_first(lacking)}. Load {carriers} first, or with this in one src; {ways}{end}"
    )


def failure_of_file(lacking: Sequence[LackingBlob], place: str, requests: Sequence[str], *, check: bool) -> str:
    """Return the sentences about what no archive has, with the ways on.

    :param place: path of the file.
    :param requests: the request files that were written (in check mode: would be).
    """
    carriers = _some(_carriers(lacking), _MOST_NAMED)
    return (
        f"{_need(lacking)} that no archive in src has, so {place} {'would not be' if check else 'was not'} written: "
        f"{_first(lacking)}. Name {carriers} in src as well; {_failure_ways(requests)}"
    )


def _need(lacking: Sequence[LackingBlob]) -> str:
    images = {reference for one in lacking for reference in one.images}
    verb = "needs" if len(images) == 1 else "need"
    size = format_size(sum(one.size for one in lacking))
    return f"{format_count(len(images), 'image')} {verb} {format_count(len(lacking), 'blob')} ({size})"


def _first(lacking: Sequence[LackingBlob]) -> str:
    """Name the first blob and its images; the result has all of them."""
    one = lacking[0]
    more = f"; {len(lacking) - 1} more in lacking of the result" if len(lacking) > 1 else ""
    return f"{one}, needed by {_some(one.images, _MOST_IMAGES)}{more}"


def _carriers(lacking: Sequence[LackingBlob]) -> list[str]:
    return [*dict.fromkeys(one.carrier for one in lacking)]


def _failure_ways(requests: Sequence[str]) -> str:
    what = " and ".join(requests) if requests else "the file that request_file names"
    return f"or carry {what} out, for a bundle of what is missing; or save a full archive, without since"


def errors_of(images: Sequence[LoadImage], lacking: Sequence[LackingBlob]) -> Mapping[int, ImagesError]:
    """Return why each image is not loaded, by its identity."""
    by_reference: dict[str, list[LackingBlob]] = {}
    for one in lacking:
        for reference in one.images:
            by_reference.setdefault(reference, []).append(one)
    return {id(image): _error(by_reference.get(str(image.reference), ())) for image in images}


def _error(lacking: Sequence[LackingBlob]) -> ImagesError:
    if not lacking:
        return NotBegun("it was left alone, as other images need blobs that are nowhere")
    return LackingBase(
        f"{format_count(len(lacking), 'blob')} that it needs {'is' if len(lacking) == 1 else 'are'} nowhere: "
        f"{_some([str(one) for one in lacking], _MOST_NAMED)}"
    )


def _some(names: Sequence[str], most: int) -> str:
    told = ", ".join(names[:most])
    return f"{told} and {len(names) - most} more" if len(names) > most else told
