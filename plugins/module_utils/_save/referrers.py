# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures, attestations, SBOMs and the like that refer to images: each becomes a reference right behind its image.

They are asked for in every run, as a new one does not change the digest of its image. What refers to them is asked for
as well, and so on. The platforms that are wanted make no difference to them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Callable, Generic, Protocol, TypeVar

from .._archive.lock import Lock, LockedImage
from .._base.deadline import not_done_in_time, time_left
from .._base.errors import ImagesError, ManifestError, NestedIndex, TransferError
from .._base.parallel import parallel_map
from .._base.size import format_count
from .._base.stop import Check, go_on
from .._host.log import Log
from .._oci.extras import may_be_left_out, why_left_out
from .._oci.image import FailedImage, Resolution, ResolvedImage
from .._oci.image_list import ListedImage
from .._oci.layout import loaded_digest
from .._oci.limits import MAX_REFERRER_DEPTH, MAX_REFERRERS
from .._oci.reference import Reference, Repository
from .._oci.referrer import kind_of
from .._registry.failures import Failures
from .image_set import RequestedImage
from .referrer_questions import Found, ReferrerQuestions
from .resolve import CONNECTIONS, LookedUp, Resolver

_Item = TypeVar("_Item")
_MOST_NOTES = 5


class _Placed(Protocol):
    """A thing that has a place in the list."""

    @property
    def listed(self) -> ListedImage:
        """The image as the list has it, or as it was found."""


_Any = TypeVar("_Any", bound=_Placed)


@dataclass
class _Walk(Generic[_Item]):
    """From an image to what refers to it, and on to what refers to that, level by level.

    :param digests: of the image: what its tag names, and the manifests of it that are saved.
    :param visit: returns what is to be said of a referrer, and its digests; nothing where it is left out.
    :ivar notes: sentences on what could not be asked for; grows.
    """

    questions: ReferrerQuestions
    repository: Repository
    digests: Sequence[str]
    visit: Callable[[Found], tuple[_Item | None, Sequence[str]]]
    notes: list[str] = field(default_factory=list)

    def items(self) -> list[_Item]:
        """Return what is to be said of all referrers, in an order that depends on nothing but them.

        :raises TransferError: when the registry does not say what refers to something.
        :raises ManifestError: when they are too many.
        """
        items: list[_Item] = []
        seen = {*self.digests}
        level: Sequence[str] = self.digests
        for depth in range(MAX_REFERRER_DEPTH + 1):
            new = self._new(level, seen)
            if not new:
                break
            if depth == MAX_REFERRER_DEPTH or len(items) + len(new) > MAX_REFERRERS:
                raise ManifestError(_TOO_MANY)
            above: list[str] = []
            for one in new:
                item, digests = self.visit(one)
                if item is not None:
                    items.append(item)
                above += [digest for digest in digests if digest not in seen]
                seen.update((one.digest, *digests))
            level = above
        return items

    def _new(self, level: Sequence[str], seen: Collection[str]) -> list[Found]:
        """Return what refers to a level and was not met before; what has a tag of its own goes by that."""
        found = [one for one in self._found(level) if one.digest not in self.digests]
        tagged = {one.digest for one in found if one.tag}
        new = [one for one in found if one.tag or one.digest not in tagged.union(seen)]
        return list({one.tag or one.digest: one for one in reversed(new)}.values())[::-1]

    def _found(self, digests: Iterable[str]) -> Iterator[Found]:
        for digest in dict.fromkeys(digests):
            referring = self.questions.about(self.repository, digest)
            self.notes += [note for note in referring.notes if note not in self.notes]
            yield from referring.found


_TOO_MANY = (
    f"more than {MAX_REFERRERS} manifests refer to it, or to each other more than {MAX_REFERRER_DEPTH} deep, which is "
    "refused; referrers=none saves it without them"
)


class Referrers:
    """Finds what refers to the images of a run.

    :param questions: asks registries.
    :param resolver: reads what was found.
    :param failures: makes the failures of images.
    :param timeout: seconds for all questions about what refers to one image.
    :param check: called while answers are waited for; raises when the run is to end.
    """

    def __init__(
        self,
        questions: ReferrerQuestions,
        resolver: Resolver,
        failures: Failures,
        log: Log,
        *,
        timeout: float,
        check: Check = go_on,
    ) -> None:
        self._questions = questions
        self._resolver = resolver
        self._failures = failures
        self._log = log
        self._timeout = timeout
        self._check = check

    def look_up(self, images: Sequence[LookedUp], lock: Lock | None) -> list[LookedUp]:
        """Find the digests of what refers to images that are as an archive has them; no manifest is read for this.

        :param images: of the list, with their digests of today.
        :param lock: the archive's; ``None`` if there is none.
        :returns: the images, with what refers to them right behind each; without it where an image is another by now.
        :raises Interrupted: when the run was stopped.
        """
        locked = {} if lock is None else {image.reference: image for image in lock.images}

        def one(image: LookedUp) -> list[LookedUp]:
            if image.error is not None or not _digests_in(locked, image.listed.reference, image.digest):
                return [image]
            with self._log.about(image.listed.number), time_left(self._timeout):
                try:
                    return [image, *self._looked_up(image, locked)]
                except (TransferError, ManifestError) as error:
                    return [replace(image, error=self._failure(image.repository, image.listed, error))]

        def late(image: LookedUp) -> list[LookedUp]:
            return [replace(image, error=not_done_in_time())]

        found = parallel_map(one, images, workers=CONNECTIONS, timeout=self._timeout, late=late, check=self._check)
        return _in_order(found, lambda item, listed: replace(item, image=replace(item.image, listed=listed)))

    def resolve(self, resolutions: Sequence[Resolution]) -> list[Resolution]:
        """Find and read what refers to images.

        :param resolutions: of the images of the list.
        :returns: the same, with what refers to each right behind it.
        :raises Interrupted: when the run was stopped.
        """

        def one(image: Resolution) -> list[Resolution]:
            if not isinstance(image, ResolvedImage):
                return [image]
            with self._log.about(image.listed.number), time_left(self._timeout):
                try:
                    return self._with_referrers(image)
                except (TransferError, ManifestError) as error:
                    told = self._failure(image.children[0].repository, image.listed, error)
                    return [FailedImage(image.listed, told, image.digest)]

        def late(image: Resolution) -> list[Resolution]:
            return [FailedImage(image.listed, not_done_in_time(), image.digest)]

        found = parallel_map(one, resolutions, workers=CONNECTIONS, timeout=self._timeout, late=late, check=self._check)
        return _in_order(found, lambda item, listed: replace(item, listed=listed))

    def _failure(self, repository: Repository, listed: ListedImage, error: ImagesError) -> ImagesError:
        return self._failures.of_image(repository.registry, str(listed.reference), error)

    def _looked_up(self, image: LookedUp, locked: dict[Reference, LockedImage]) -> list[LookedUp]:
        def visit(found: Found) -> tuple[LookedUp, Sequence[str]]:
            looked_up = _as_looked_up(image.listed, image.repository, found)
            return looked_up, _digests_in(locked, looked_up.listed.reference, found.digest)

        digests = _digests_in(locked, image.listed.reference, image.digest)
        return _Walk(self._questions, image.repository, digests, visit).items()

    def _with_referrers(self, image: ResolvedImage) -> list[Resolution]:
        repository = image.children[0].repository
        left_out: list[str] = []

        def visit(found: Found) -> tuple[FailedImage | ResolvedImage | None, Sequence[str]]:
            looked_up = _as_looked_up(image.listed, repository, found)
            try:
                resolved = self._read(looked_up, found)
            except (TransferError, ManifestError) as error:
                if not isinstance(error, NestedIndex) and not may_be_left_out(error):
                    told = self._failure(repository, looked_up.listed, error)
                    return FailedImage(looked_up.listed, told, found.digest), ()
                self._log.warning(f"left out: {error}")
                kind = kind_of(found.tag, "artefact")
                left_out.append(f"without the {kind} {found.digest}, which refers to it: {why_left_out(error)}")
                return None, ()
            return resolved, _digests_of(resolved)

        walk: _Walk[FailedImage | ResolvedImage] = _Walk(self._questions, repository, _digests_of(image), visit)
        items = walk.items()
        notes = [*walk.notes, *_shortened(left_out), *_lost_subject(image, items)]
        return [replace(image, notes=(*image.notes, *notes)), *items]

    def _read(self, looked_up: LookedUp, found: Found) -> ResolvedImage:
        """Read the manifest or index of a referrer.

        :raises TransferError: when its registry does not give it.
        :raises ManifestError: when it is not valid, or does not refer to what the registry says.
        """
        resolved = self._resolver.resolve_as_of_now(looked_up)
        if not isinstance(resolved, ResolvedImage) or (not found.tag and resolved.subject != found.subject):
            raise ManifestError(f"{looked_up.listed.reference} does not refer to {found.subject}, as its registry says")
        return resolved


def _shortened(notes: Sequence[str]) -> Iterator[str]:
    """Yield some of many notes."""
    yield from notes[:_MOST_NOTES]
    if len(notes) > _MOST_NOTES:
        yield f"without {len(notes) - _MOST_NOTES} more that refer to it, for such reasons"


def _lost_subject(image: ResolvedImage, items: Iterable[FailedImage | ResolvedImage]) -> Iterator[str]:
    """Warn those whose signatures are of an index that another one replaces; see :func:`_oci.layout.loaded_digest`."""
    about_index = [item for item in items if item.listed.refers_to == image.digest]
    if image.index is None or not about_index:
        return
    if loaded_digest(image, [child.descriptor for child in image.children]) != image.digest:
        referrers = format_count(len(about_index), "referrer")
        yield (
            f"what refers to its index ({referrers}) is saved, but where the archive is loaded, the tag names an index "
            "made anew, as not all platforms are saved. Save all of them, or load with index=source"
        )


def _as_looked_up(owner: ListedImage, repository: Repository, found: Found) -> LookedUp:
    named = owner.reference
    reference = Reference(named.registry, named.repository, found.tag or None, None if found.tag else found.digest)
    listed = ListedImage(owner.number, reference, owner.origin, refers_to=found.subject, behind=owner.number)
    return LookedUp(RequestedImage(listed, repository), digest=found.digest, is_told=True)


def _digests_of(image: ResolvedImage) -> tuple[str, ...]:
    return tuple(dict.fromkeys((image.digest, *(child.digest for child in image.children))))


def _digests_in(locked: dict[Reference, LockedImage], reference: Reference, digest: str) -> tuple[str, ...]:
    """Return the digests of an image as an archive has it; none if it has not, or has another by this name."""
    image = locked.get(reference)
    if image is None or image.digest != digest:
        return ()
    return tuple(dict.fromkeys((digest, *(platform.source_digest for platform in image.platforms))))


def _in_order(found: Iterable[Sequence[_Any]], renamed: Callable[[_Any, ListedImage], _Any]) -> list[_Any]:
    """Return all items in order, each reference once, and give numbers of their own to those that are not on the list.

    :param found: the items of each image of the list, its own first.
    :param renamed: returns an item with another place.
    """
    groups = list(found)
    known = {group[0].listed.reference for group in groups}
    number = max((group[0].listed.number for group in groups), default=0)
    items: list[_Any] = []
    for own, *others in groups:
        items.append(own)
        for item in others:
            if item.listed.reference not in known:
                known.add(item.listed.reference)
                number += 1
                items.append(renamed(item, replace(item.listed, number=number)))
    return items
