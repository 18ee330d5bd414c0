# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chooses the images to load, and gives them their names in the target registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Callable

from .._archive.lock import LockedImage
from .._archive.referrers import all_owners_of
from .._base.errors import InvalidReferenceError, ManifestError, NotInArchive, OptionError, quoted
from .._oci.image import FailedImage
from .._oci.image_list import ImageList, ListedImage, Origin, read_image_list
from .._oci.reference import Reference, parse_reference
from .._oci.referrer import subject_of_tag
from .._source.archive import Archive
from .contents import LoadImage, read_content, top_of
from .naming import Naming, refuse_conflicts, target_of
from .options import AUTO, NO_REFERRERS, Choice
from .remarks import remarks_on

_ABSENT = "the archive does not have it; its lock file and its report list what it has"


@dataclass(frozen=True)
class Chosen:
    """The images of a run.

    :param images: those to load, in the order of the archives.
    :param absent: those that were asked for and that no archive has.
    :param left_out: references of the archives that were not asked for.
    :param listed: the list that chose them, with its invalid lines.
    :param remarks: sentences on what may surprise.
    """

    images: tuple[LoadImage, ...]
    absent: tuple[FailedImage, ...]
    left_out: tuple[Reference, ...]
    listed: ImageList
    remarks: tuple[str, ...] = ()


def choose(
    archives: Sequence[Archive], choice: Choice, naming: Naming | None, *, index: str, referrers: str = AUTO
) -> Chosen:
    """Choose from the archives, and name what was chosen.

    :param archives: in the order of their chain: of several that have a reference, the last one counts.
    :param naming: ``None``: references keep their names.
    :param index: ``source`` to push the source's index though not all of its manifests were saved.
    :param referrers: ``none`` to leave out what refers to other images.
    :raises OptionError: when names are not valid or contradict each other, or a list cannot be read.
    """
    held = _held_by(archives)
    listed = _listed(held, choice)
    is_excluded = _exclusion(choice.exclude)
    wanted = [one for one in listed.images if not is_excluded(one.reference)]
    if referrers == AUTO:
        wanted = _with_referrers(wanted, held, is_excluded, is_all=choice.is_all)
    images = [_named(one, held[one.reference], naming, index) for one in wanted if one.reference in held]
    if referrers == NO_REFERRERS:
        images = [image for image in images if not _is_referrer(image, held[image.reference].locked)]
    refuse_conflicts([(image.reference, image.target, image.digest) for image in images], naming)
    images = [image for image in images if choice.is_ours(image.reference.name)]
    missing = [one for one in wanted if one.reference not in held and choice.is_ours(one.reference.name)]
    absent = [FailedImage(one, NotInArchive(_ABSENT)) for one in missing]
    chosen = {image.reference for image in images}
    return Chosen(
        images=tuple(images),
        absent=tuple(absent),
        left_out=tuple(reference for reference in held if reference not in chosen),
        listed=replace(listed, invalid=tuple(line for line in listed.invalid if choice.is_ours(line.text))),
        remarks=remarks_on(images, {reference: one.locked.digest for reference, one in held.items()}),
    )


@dataclass(frozen=True)
class _Held:
    """A reference that an archive has; of several archives that have it, the last one counts."""

    archive: Archive
    locked: LockedImage
    listed: ListedImage


def _with_referrers(
    wanted: Sequence[ListedImage],
    held: Mapping[Reference, _Held],
    is_excluded: Callable[[Reference], bool],
    *,
    is_all: bool,
) -> list[ListedImage]:
    """Return images with what was saved because it refers to them, which goes where any of its images goes.

    :param is_all: everything was chosen: what refers to an image that is excluded is left out as well.
    """
    owners = all_owners_of([one.locked for one in held.values()])
    chosen = {one.reference for one in wanted}
    if is_all:
        return [one for one in wanted if not chosen.isdisjoint(owners.get(one.reference, (one.reference,)))]
    found: dict[Reference, list[ListedImage]] = {}
    for reference in owners:
        if reference not in chosen and not is_excluded(reference):
            for owner in owners[reference]:
                found.setdefault(owner, []).append(held[reference].listed)
    each = (one for image in wanted for one in (image, *found.get(image.reference, ())))
    return [*{one.reference: one for one in each}.values()]


def _named(listed: ListedImage, held: _Held, naming: Naming | None, index: str) -> LoadImage:
    digest, generated = top_of(held.archive, held.locked, index=index)
    return LoadImage(held.archive, listed, target_of(listed.reference, naming), digest, generated)


def _is_referrer(image: LoadImage, locked: LockedImage) -> bool:
    """Return True for what refers to another image, by its tag or by a subject; may read documents."""
    if locked.refers_to or subject_of_tag(image.target.tag):
        return True
    if any(one.platform is not None and not one.platform.is_unknown for one in locked.platforms):
        return False  # what runs somewhere refers to nothing, so that not all documents have to be read
    try:
        return bool(read_content(image).subjects)
    except ManifestError:
        return False  # loading it will tell why


def _held_by(archives: Sequence[Archive]) -> dict[Reference, _Held]:
    held: dict[Reference, _Held] = {}
    for archive in archives:
        for number, locked in enumerate(archive.lock.images, start=1):
            listed = ListedImage(number, locked.reference, Origin(archive.path, number))
            held[locked.reference] = _Held(archive, locked, listed)
    return held


def _listed(held: Mapping[Reference, _Held], choice: Choice) -> ImageList:
    if choice.is_all:
        return ImageList(tuple(one.listed for one in held.values()), (), 0)
    return read_image_list(choice.images, choice.list_files, choice.list_format, choice.origins)


def _exclusion(texts: Iterable[str]) -> Callable[[Reference], bool]:
    """Return a function that says whether a reference is excluded, by its own name or by that of its repository.

    :raises OptionError: when an item is neither.
    """
    references: set[Reference] = set()
    names: set[str] = set()
    for text in texts:
        try:
            reference = parse_reference(text)
        except InvalidReferenceError as error:
            raise OptionError(f"exclude: {quoted(text)} is not a valid reference or repository: {error}") from error
        has_tag = reference.digest is not None or text.endswith(f":{reference.tag}")
        if has_tag:
            references.add(reference)
        else:
            names.add(reference.name)
    return lambda reference: reference in references or reference.name in names
