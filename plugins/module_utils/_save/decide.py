# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be done about the archive, and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from .._archive.lock import WRITER, Lock, LockedImage, form_of, image_key
from .._archive.output import Output
from .._base.json import Json
from .._base.size import format_count
from .._oci.image import SkippedImage
from .._oci.image_list import ImageList
from .._publish.published import PublishedArchive
from .content import Content
from .resolve import AskedImage, Pin


class Action(Enum):
    """From nothing to everything."""

    KEEP = "keep"  # all is as it should be
    RECORD = "record"  # the archive is right; what stands beside it is not
    BUILD = "build"  # the archive has to be made
    FETCH = "fetch"  # it cannot be made: what can be fetched is, and the archive stays as it was


@dataclass(frozen=True)
class Decision:
    """What to do and, for the user, why."""

    action: Action
    reason: str


OTHER_FAILURES = "the report names other failures"


def decide(published: PublishedArchive, content: Content, listed: ImageList, output: Output, failures: str) -> Decision:
    """Compare the archive that stands with the content that is wanted.

    :param failures: digest over what failed.
    """
    count = len(content.failed) + len(listed.invalid)
    if count and not output.allow_partial:
        return Decision(Action.FETCH, f"{count} of the images asked for failed")
    if not content.lock.images:
        return Decision(Action.FETCH, "there is nothing to save")
    return compare(published, content.lock, failures, force=output.force)


def compare(published: PublishedArchive, wanted: Lock, failures: str, *, force: bool) -> Decision:
    """Find what to do to have the wanted content.

    :param wanted: its parts do not matter.
    :param failures: digest over what failed.
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
        return Decision(Action.RECORD, "the same images, but options or left out images differ from the lock file")
    if not published.tells_of(failures):
        return Decision(Action.RECORD, OTHER_FAILURES)
    return Decision(Action.KEEP, nothing_changed(before))


def nothing_changed(lock: Lock) -> str:
    """Why an archive stays as it is; of one by another release, that this one would give it other bytes."""
    if lock.writer == WRITER:
        return "nothing changed"
    release = "an earlier" if lock.writer < WRITER else "a later"
    return f"nothing changed; {release} release made it (writer {lock.writer}, now {WRITER}), force=true renews it"


def still_holds(
    lock: Lock | None, asked: Sequence[AskedImage], pins: Mapping[int, Pin], options: Mapping[str, Json]
) -> bool:
    """Whether the digests alone show that the lock file's content is what is wanted."""
    if lock is None or lock.failed or dict(lock.options) != dict(options):
        return False
    saved = {str(image.reference): image for image in lock.images}
    skipped = {str(skip.reference): skip.digest for skip in lock.skipped}
    order: list[str] = []
    for one in asked:
        reference = str(one.listed.reference)
        image = saved.get(reference)
        if one.failure or one.digest != (image.digest if image else skipped.get(reference, "")):
            return False
        pin = pins.get(one.listed.number)
        if pin is not None and (image is None or pin.platforms != pin_of(image).platforms):
            return False
        if image is not None:
            order.append(reference)
    return order == [str(image.reference) for image in lock.images] and len(asked) == len(saved) + len(skipped)


def saved_of(lock: Lock, asked: Sequence[AskedImage]) -> tuple[list[AskedImage], dict[int, Pin]]:
    """The images of a lock file that still holds, and what they have to be, by their number."""
    saved = {str(image.reference): image for image in lock.images}
    found = [one for one in asked if str(one.listed.reference) in saved]
    return found, {one.listed.number: pin_of(saved[str(one.listed.reference)]) for one in found}


def skipped_of(lock: Lock, asked: Sequence[AskedImage]) -> list[SkippedImage]:
    """What a lock file that still holds has left out."""
    skipped = {str(skip.reference): skip for skip in lock.skipped}
    found = ((one.listed, skipped.get(str(one.listed.reference))) for one in asked)
    return [SkippedImage(listed, skip.reason, skip.digest) for listed, skip in found if skip is not None]


def pin_of(image: LockedImage) -> Pin:
    """What an image of a lock file has to be."""
    return Pin(image.digest, frozenset(platform.source_digest for platform in image.platforms))


def difference(before: Lock, after: Lock) -> str:
    """Say in a few words how two contents differ."""
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
    return ", ".join(told) or "the order of the images changed"


def describe(lock: Lock | None) -> str:
    """An archive's content for a person: a line for each reference, one for each of its platform images."""
    if lock is None:
        return ""
    lines: list[str] = []
    for image in lock.images:
        lines.append(f"{image.reference} {image.digest}")
        lines += [f"  {platform.platform or 'artefact'} {platform.source_digest}" for platform in image.platforms]
    return "".join(f"{line}\n" for line in lines)


def is_as_before(before: Lock, made: Lock) -> bool:
    """Whether an archive came out as the one that stands; where another release made that, as far as releases agree."""
    if before.is_of_same_writer(made):
        return before == made
    return before.holds_same(made) and _records_same(before, made)


def _records_same(before: Lock, wanted: Lock) -> bool:
    """Whether the rest of the record is the same too. Another release has notes of its own, which is no change."""
    has_other_notes = [one.notes for one in before.images] != [one.notes for one in wanted.images]
    if has_other_notes and before.is_of_same_writer(wanted):
        return False
    return _rest_of_record(before) == _rest_of_record(wanted)


def _rest_of_record(lock: Lock) -> tuple[object, ...]:
    return dict(lock.options), lock.skipped, lock.failed


def _show(value: Json) -> str:
    return "none" if value is None else str(value)
