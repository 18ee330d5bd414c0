# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides what has to be done about the archive, and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from .._archive.lock import PARITY, WRITER, Lock, form_of, image_key, without_parity
from .._archive.output import Output
from .._base.json import Json
from .._base.size import format_count
from .._oci.image import SkippedImage
from .._oci.image_list import InvalidLine
from .._publish.published import PublishedArchive
from .image_set import pin_of
from .resolve import LookedUp
from .resolved_list import ResolvedList


class Action(Enum):
    """The ways in which a run can treat the archive."""

    KEEP = "keep"  # all is as it should be
    RECORD = "record"  # the archive is right; the files beside it are not
    BUILD = "build"  # the archive has to be written
    NOTHING = "nothing"  # of a bundle, everything was carried before
    PULL = "pull"  # it cannot be written: what can be pulled is, and the archive stays as it was


@dataclass(frozen=True)
class Decision:
    """An action and, for the user, its reason."""

    action: Action
    reason: str

    @property
    def is_kept(self) -> bool:
        """True if the archive itself stays as it is, and holds what is wanted."""
        return self.action in (Action.KEEP, Action.RECORD)


OTHER_FAILURES = "the report names other failures"


def decide(
    published: PublishedArchive,
    images: ResolvedList,
    invalid: Sequence[InvalidLine],
    output: Output,
    failures: str,
    *,
    is_needless: bool = False,
) -> Decision:
    """Compare the archive that exists with the images that are wanted.

    :param failures: digest over the failures of this run.
    :param is_needless: whether the other side has everything already.
    """
    count = len(images.failed) + len(invalid)
    if count and not output.allow_partial:
        return Decision(Action.PULL, f"{count} of the images asked for failed")
    if not images.lock.images:
        return Decision(Action.PULL, "there is nothing to save")
    if is_needless and published.is_new and not output.force:
        return Decision(Action.NOTHING, nothing_since(images.lock))
    return compare(published, images.lock, failures, force=output.force)


def compare(published: PublishedArchive, wanted: Lock, failures: str, *, force: bool) -> Decision:
    """Decide what to do to have the wanted content.

    :param published: the archive that exists.
    :param wanted: the lock file to come; its parts do not matter.
    :param failures: digest over the failures of this run.
    :param force: write the archive in any case.
    """
    before = published.lock
    if before is None:
        return Decision(Action.BUILD, published.damage)
    if force:
        return Decision(Action.BUILD, "force was set")
    if published.damage:
        return Decision(Action.BUILD, f"the archive is damaged: {published.damage}")
    if not before.holds_same(wanted):
        return Decision(Action.BUILD, difference(before, wanted))
    if published.untidy:
        return Decision(Action.RECORD, "; ".join(published.untidy))
    if not _records_same(before, wanted):
        turned = _parity_turned(before, wanted)
        if turned:
            return Decision(Action.RECORD, turned)
        if before.base != wanted.base:
            return Decision(Action.RECORD, "the same images, but other archives of its base count as confirmed")
        return Decision(Action.RECORD, "the same images, but options or left out images differ from the lock file")
    if not published.tells_of(failures):
        return Decision(Action.RECORD, OTHER_FAILURES)
    return Decision(Action.KEEP, nothing_changed(before))


def _parity_turned(before: Lock, wanted: Lock) -> str:
    """Say that parity files are made or removed; empty if neither, or if anything else differs as well."""
    is_wanted = bool(wanted.options.get(PARITY))
    is_turned = is_wanted != bool(before.options.get(PARITY))
    if not is_turned or not _records_same(without_parity(before), without_parity(wanted)):
        return ""
    return "the same images, now with parity files" if is_wanted else "the same images, without parity files"


def nothing_changed(lock: Lock) -> str:
    """Return why an archive stays as it is; if another release wrote it, with a hint to renew it."""
    if lock.writer == WRITER:
        return "nothing changed"
    release = "an earlier" if lock.writer < WRITER else "a later"
    return f"nothing changed; {release} release made it (writer {lock.writer}, now {WRITER}), force=true renews it"


def nothing_since(lock: Lock) -> str:
    """Return why no bundle is written.

    :param lock: that of the bundle to come.
    """
    return f"there is no new blob, no moved tag and no changed list since {', '.join(one.name for one in lock.base)}"


def still_holds(lock: Lock | None, images: Sequence[LookedUp], options: Mapping[str, Json]) -> bool:
    """Return True if digests alone show that an archive's content is what is wanted.

    :param lock: the archive's; ``None`` if there is none.
    :param images: all that are wanted, with their digests of today.
    :param options: as a lock file would record them today.
    """
    if lock is None or lock.failed or dict(lock.options) != dict(options):
        return False
    saved = {str(image.reference): image for image in lock.images}
    skipped = {str(skip.reference): skip.digest for skip in lock.skipped}
    order: list[str] = []
    for one in images:
        reference = str(one.listed.reference)
        image = saved.get(reference)
        if one.error is not None or one.digest != (image.digest if image else skipped.get(reference, "")):
            return False
        pin = one.image.pin
        if pin is not None and (image is None or pin.platforms != pin_of(image).platforms):
            return False
        if image is not None:
            order.append(reference)
    return order == [str(image.reference) for image in lock.images] and len(images) == len(saved) + len(skipped)


def saved_of(lock: Lock, images: Sequence[LookedUp]) -> list[LookedUp]:
    """Return the images that an archive has, pinned to their content there; for a lock file that still holds."""
    saved = {str(image.reference): image for image in lock.images}
    return [
        replace(one, image=replace(one.image, pin=pin_of(saved[str(one.listed.reference)])))
        for one in images
        if str(one.listed.reference) in saved
    ]


def skipped_of(lock: Lock, images: Sequence[LookedUp]) -> list[SkippedImage]:
    """Return the images that an archive leaves out; for a lock file that still holds."""
    skipped = {str(skip.reference): skip for skip in lock.skipped}
    found = ((one.listed, skipped.get(str(one.listed.reference))) for one in images)
    return [SkippedImage(listed, skip.reason, skip.digest) for listed, skip in found if skip is not None]


def difference(before: Lock, after: Lock) -> str:
    """Return how two contents differ, in a few words."""
    old = {str(image.reference): image_key(image) for image in before.images}
    new = {str(image.reference): image_key(image) for image in after.images}
    counts = {
        "added": len(new.keys() - old.keys()),
        "removed": len(old.keys() - new.keys()),
        "changed": sum(1 for name in old.keys() & new.keys() if old[name] != new[name]),
    }
    told = [f"{format_count(count, 'image')} {what}" for what, count in counts.items() if count]
    old_form, new_form = form_of(before.options), form_of(after.options)
    told += [
        f"{name} changed from {_show(old_form[name])} to {_show(new_form[name])}"
        for name in new_form
        if old_form[name] != new_form[name]
    ]
    told += [] if told or before.rests_on_same(after) else ["what is there is a bundle"]
    told += [] if told or before.requires.keys() == after.requires.keys() else ["another part of its base has arrived"]
    return ", ".join(told) or "the order of the images changed"


def describe(lock: Lock | None) -> str:
    """Return an archive's content to be shown: a line for each reference, one for each of its platform images."""
    if lock is None:
        return ""
    lines: list[str] = []
    for image in lock.images:
        lines.append(f"{image.reference} {image.digest}")
        lines += [f"  {platform.platform or 'artefact'} {platform.source_digest}" for platform in image.platforms]
    return "".join(f"{line}\n" for line in lines)


def is_as_before(before: Lock, made: Lock) -> bool:
    """Return True if a new archive equals the one before, leaving out what another release would write differently."""
    if before.is_of_same_writer(made):
        return before == made
    return before.holds_same(made) and _records_same(before, made)


def _records_same(before: Lock, wanted: Lock) -> bool:
    """Return True if options, skipped and failed images are the same. The notes of another release may differ."""
    has_other_notes = [one.notes for one in before.images] != [one.notes for one in wanted.images]
    if has_other_notes and before.is_of_same_writer(wanted):
        return False
    return _rest_of_record(before) == _rest_of_record(wanted)


def _rest_of_record(lock: Lock) -> tuple[object, ...]:
    return dict(lock.options), lock.skipped, lock.failed, lock.base, [one.refers_to for one in lock.images]


def _show(value: Json) -> str:
    return "none" if value is None else str(value)
