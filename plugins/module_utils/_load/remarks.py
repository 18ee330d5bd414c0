# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sentences on what may surprise about the names and digests of a load. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._base.size import format_count
from .._oci.reference import Reference, Repository
from .._oci.referrer import subject_of_tag
from .contents import LoadImage
from .naming import Target


def remarks_on(images: Sequence[LoadImage], sources: Mapping[Reference, str]) -> tuple[str, ...]:
    """Return sentences on images.

    :param sources: the digest of each reference in its source registry.
    """
    return (*_on_lost_subjects(images, sources), *_on_case(images))


def _on_lost_subjects(images: Sequence[LoadImage], sources: Mapping[Reference, str]) -> tuple[str, ...]:
    """Tell of signatures whose images get other digests than those that were signed."""
    changed = {
        (image.target.repository, sources[image.reference])
        for image in images
        if sources[image.reference] != image.digest
    }
    kept = {(image.target.repository, image.digest) for image in images}
    lost = [image for image in images if (image.target.repository, subject_of_tag(image.target.tag)) in changed - kept]
    if not lost:
        return ()
    return (
        f"{format_count(len(lost), 'tag')}, such as {lost[0].target}, will be of no use: each refers to an image that "
        "gets another digest, as not all of its platforms were saved. Save all of them, or load with index=source",
    )


def _on_case(images: Sequence[LoadImage]) -> tuple[str, ...]:
    """Tell of tags that Gitea takes for one."""
    seen: dict[tuple[Repository, str], LoadImage] = {}
    pairs: list[tuple[Target, Target]] = []
    for image in images:
        first = seen.setdefault((image.target.repository, image.target.tag.lower()), image)
        if first.target != image.target and first.digest != image.digest:
            pairs.append((first.target, image.target))
    if not pairs:
        return ()
    one, other = pairs[0]
    return (
        f"{format_count(len(pairs), 'pair')} of tags, such as {one} and {other}, differ in case only. Gitea takes "
        "these for one tag, and has the image that was loaded last",
    )
