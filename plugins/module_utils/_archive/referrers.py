# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images of an archive, and what refers to each of them, by their record. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .._oci.reference import Reference
from .._oci.referrer import kind_of
from .lock import LockedImage


def images_only(images: Iterable[LockedImage]) -> list[LockedImage]:
    """Return those that were asked for themselves."""
    return [image for image in images if not image.refers_to]


def owners_of(images: Sequence[LockedImage]) -> dict[Reference, Reference]:
    """Find the image that each referrer was saved with: the one that it refers to, or whose referrer it refers to.

    :param images: of an archive, or of several in any order.
    :returns: the references of images by those of their referrers, in the order of the archive.
    """
    owners: dict[tuple[str, str], Reference] = {}
    for image in images_only(images):
        for digest in _digests_of(image):
            owners.setdefault((image.reference.name, digest), image.reference)
    left = [image for image in images if image.refers_to]
    found: dict[Reference, Reference] = {}
    while left:
        known = [image for image in left if (image.reference.name, image.refers_to) in owners]
        if not known:
            break
        for image in known:
            found[image.reference] = owners[image.reference.name, image.refers_to]
            for digest in _digests_of(image):
                owners.setdefault((image.reference.name, digest), found[image.reference])
        left = [image for image in left if image.reference not in found]
    return {image.reference: found[image.reference] for image in images if image.reference in found}


def all_owners_of(images: Sequence[LockedImage]) -> dict[Reference, frozenset[Reference]]:
    """Find all images that each referrer belongs to: several tags may name what it refers to.

    Unlike :func:`owners_of`, which names the nearest one.

    :param images: as :func:`owners_of` takes them.
    :returns: the references of images by those of their referrers, in the order of the archive.
    """
    referrers = [image for image in images if image.refers_to]
    holders: dict[tuple[str, str], list[LockedImage]] = {}
    for image in images if referrers else ():
        for digest in dict.fromkeys(_digests_of(image)):
            holders.setdefault((image.reference.name, digest), []).append(image)
    found: dict[Reference, frozenset[Reference]] = {}
    for referrer in referrers:
        seen, todo = {referrer.reference: referrer}, [referrer]
        while todo:
            one = todo.pop()
            above = holders.get((one.reference.name, one.refers_to), []) if one.refers_to else []
            todo += [each for each in above if each.reference not in seen]
            seen.update((each.reference, each) for each in above)
        owners = frozenset(one.reference for one in seen.values() if not one.refers_to)
        if owners:
            found[referrer.reference] = owners
    return found


def referrers_by_image(images: Sequence[LockedImage]) -> dict[Reference, list[LockedImage]]:
    """Return what was saved with each image because it refers to it, in the order of the archive."""
    by_reference = {image.reference: image for image in images}
    found: dict[Reference, list[LockedImage]] = {}
    for reference, owner in owners_of(images).items():
        found.setdefault(owner, []).append(by_reference[reference])
    return found


def kind_of_referrer(image: LockedImage) -> str:
    """Return what a referrer is, in words."""
    return kind_of(image.reference.tag or "", image.artifact_type)


def _digests_of(image: LockedImage) -> Iterator[str]:
    yield image.digest
    for platform in image.platforms:
        yield platform.source_digest
