# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decisions about an archive, and their reasons."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import (
    WRITER,
    Lock,
    LockedBase,
    LockedImage,
    LockedPlatform,
    LockedSkip,
)
from ansible_collections.airgap.images.plugins.module_utils._base.errors import TransferError
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import InvalidLine, Origin
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import OCI_INDEX, OCI_MANIFEST
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference
from ansible_collections.airgap.images.plugins.module_utils._publish.published import PublishedArchive
from ansible_collections.airgap.images.plugins.module_utils._save.decide import (
    Action,
    compare,
    decide,
    describe,
    difference,
    still_holds,
)
from ansible_collections.airgap.images.plugins.module_utils._save.image_set import Pin
from ansible_collections.airgap.images.plugins.module_utils._save.resolve import LookedUp
from ansible_collections.airgap.images.plugins.module_utils._save.resolved_list import ResolvedList
from ansible_collections.airgap.images.tests.unit.fakes import AMD64, failed_image, listed, make_options, requested

D1, D2, D3 = ("sha256:" + two * 32 for two in ("ab", "cd", "ef"))
OPTIONS: dict[str, Any] = {"arch": ["amd64"], "compress": "gzip", "part_size": None}


def image(reference: str, digest: str, *platforms: str) -> LockedImage:
    locked = tuple(LockedPlatform(one, one, OCI_MANIFEST, 1, AMD64) for one in platforms or (digest,))
    return LockedImage(parse_reference(reference), digest, OCI_INDEX, locked, ())


A, B = image("a", D1), image("b", D2)
LOCK = Lock(OPTIONS, (A, B))
SKIP = LockedSkip(parse_reference("s"), D3, "not for this platform")

EARLIER, LATER = replace(LOCK, writer=WRITER - 1), replace(LOCK, writer=WRITER + 1)

DECISIONS: dict[str, tuple[PublishedArchive, Lock, bool, Action, str]] = {
    "no archive": (
        PublishedArchive(None, damage="the archive is new"),
        LOCK,
        False,
        Action.BUILD,
        "the archive is new",
    ),
    "nothing changed": (PublishedArchive(LOCK), LOCK, False, Action.KEEP, "nothing changed"),
    "an archive of an earlier release": (
        PublishedArchive(EARLIER),
        LOCK,
        False,
        Action.KEEP,
        f"nothing changed; an earlier release made it (writer {WRITER - 1}, now {WRITER}), force=true renews it",
    ),
    "an archive of a later release": (
        PublishedArchive(LATER),
        LOCK,
        False,
        Action.KEEP,
        f"nothing changed; a later release made it (writer {WRITER + 1}, now {WRITER}), force=true renews it",
    ),
    "an earlier release with other notes": (
        PublishedArchive(EARLIER),
        replace(LOCK, images=(replace(A, notes=("a note",)), B)),
        False,
        Action.KEEP,
        f"nothing changed; an earlier release made it (writer {WRITER - 1}, now {WRITER}), force=true renews it",
    ),
    "other notes": (
        PublishedArchive(LOCK),
        replace(LOCK, images=(replace(A, notes=("a note",)), B)),
        False,
        Action.RECORD,
        "the same images, but options or left out images differ from the lock file",
    ),
    "an earlier release, and another image": (
        PublishedArchive(EARLIER),
        replace(LOCK, images=(A,)),
        False,
        Action.BUILD,
        "1 image removed",
    ),
    "an earlier release, forced": (PublishedArchive(EARLIER), LOCK, True, Action.BUILD, "force was set"),
    "force": (PublishedArchive(LOCK), LOCK, True, Action.BUILD, "force was set"),
    "damage": (
        PublishedArchive(LOCK, damage="a.part0 is missing"),
        LOCK,
        False,
        Action.BUILD,
        "the archive is damaged: a.part0 is missing",
    ),
    "other images": (PublishedArchive(LOCK), replace(LOCK, images=(A,)), False, Action.BUILD, "1 image removed"),
    "damage beside other images": (
        PublishedArchive(LOCK, damage="x"),
        replace(LOCK, images=(A,)),
        False,
        Action.BUILD,
        "the archive is damaged: x",
    ),
    "stale parts": (
        PublishedArchive(LOCK, untidy=("a.part7 is not part of the archive", "a.sha256 does not match the parts")),
        LOCK,
        False,
        Action.RECORD,
        "a.part7 is not part of the archive; a.sha256 does not match the parts",
    ),
    "another wish with the same outcome": (
        PublishedArchive(LOCK),
        replace(LOCK, options={**OPTIONS, "arch": ["amd64", "arm64"]}),
        False,
        Action.RECORD,
        "the same images, but options or left out images differ from the lock file",
    ),
    "a receipt of its base": (
        PublishedArchive(replace(LOCK, base=(LockedBase("base", "0" * 64, False),))),
        replace(LOCK, base=(LockedBase("base", "0" * 64, True),)),
        False,
        Action.RECORD,
        "the same images, but other archives of its base count as confirmed",
    ),
    "another skip": (
        PublishedArchive(LOCK),
        replace(LOCK, skipped=(SKIP,)),
        False,
        Action.RECORD,
        "the same images, but options or left out images differ from the lock file",
    ),
    "a failure that healed": (
        PublishedArchive(replace(LOCK, failed=("x",))),
        LOCK,
        False,
        Action.RECORD,
        "the same images, but options or left out images differ from the lock file",
    ),
}

DIFFERENCES: dict[str, tuple[Lock, str]] = {
    "one more": (replace(LOCK, images=(A, B, image("c", D3))), "1 image added"),
    "two fewer": (replace(LOCK, images=()), "2 images removed"),
    "one moved": (replace(LOCK, images=(A, image("b", D3))), "1 image changed"),
    "other platforms": (replace(LOCK, images=(A, image("b", D2, D1, D2))), "1 image changed"),
    "all at once": (
        replace(LOCK, images=(image("a", D3), image("c", D1), image("d", D1))),
        "2 images added, 1 image removed, 1 image changed",
    ),
    "order": (replace(LOCK, images=(B, A)), "the order of the images changed"),
    "format": (replace(LOCK, options={**OPTIONS, "compress": "zstd"}), "compress changed from gzip to zstd"),
    "part size": (
        replace(LOCK, options={**OPTIONS, "part_size": 1000}, images=(A,)),
        "1 image removed, part_size changed from none to 1000",
    ),
}


@pytest.mark.parametrize(("published", "wanted", "force", "action", "reason"), DECISIONS.values(), ids=DECISIONS)
def test_an_archive_is_compared(
    published: PublishedArchive, wanted: Lock, force: bool, action: Action, reason: str
) -> None:
    decision = compare(published, wanted, "", force=force)
    assert (decision.action, decision.reason) == (action, reason)


@pytest.mark.parametrize(("known", "same"), [("a", True), ("b", False), ("", True)])
def test_a_report_that_names_other_failures_is_renewed(known: str, same: bool) -> None:
    decision = compare(PublishedArchive(LOCK, failures=known), LOCK, "a", force=False)
    expected = (Action.KEEP, "nothing changed") if same else (Action.RECORD, "the report names other failures")
    assert (decision.action, decision.reason) == expected


FAILED = failed_image(listed("x", 3), "404")
BAD_LINE = InvalidLine(Origin(None, 4), "A", "no reference")
WHOLE = ResolvedList([], (), (), LOCK)
NOTHING = ResolvedList([], (), (), replace(LOCK, images=()))

CONTENTS: dict[str, tuple[ResolvedList, tuple[InvalidLine, ...], bool, Action, str]] = {
    "all is well": (WHOLE, (), False, Action.KEEP, "nothing changed"),
    "an image failed": (replace(WHOLE, failed=(FAILED,)), (), False, Action.PULL, "1 of the images asked for failed"),
    "a line that is not a reference": (WHOLE, (BAD_LINE,), False, Action.PULL, "1 of the images asked for failed"),
    "a part will do": (replace(WHOLE, failed=(FAILED,)), (BAD_LINE,), True, Action.KEEP, "nothing changed"),
    "nothing is left": (NOTHING, (), False, Action.PULL, "there is nothing to save"),
    "nothing is left, and a part would do": (NOTHING, (BAD_LINE,), True, Action.PULL, "there is nothing to save"),
}


@pytest.mark.parametrize(("content", "invalid", "partial", "action", "reason"), CONTENTS.values(), ids=CONTENTS)
def test_decisions(
    content: ResolvedList, invalid: tuple[InvalidLine, ...], partial: bool, action: Action, reason: str
) -> None:
    output = make_options(allow_partial=partial).output
    decision = decide(PublishedArchive(LOCK), content, invalid, output, "")
    assert (decision.action, decision.reason) == (action, reason)


def test_force_is_passed_on() -> None:
    decision = decide(PublishedArchive(LOCK), WHOLE, (), make_options(force=True).output, "")
    assert (decision.action, decision.reason) == (Action.BUILD, "force was set")


@pytest.mark.parametrize(("after", "said"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_differences(after: Lock, said: str) -> None:
    assert difference(LOCK, after) == said


def asked(reference: str, digest: str, number: int, failure: str = "") -> LookedUp:
    error = TransferError(failure, heals=False) if failure else None
    return LookedUp(requested(reference, number), digest, error=error)


SAME = [asked("a", D1, 1), asked("b", D2, 2)]
HOLDS: dict[str, tuple[Lock | None, list[LookedUp], dict[int, Pin], dict[str, Any], bool]] = {
    "the same": (LOCK, SAME, {}, OPTIONS, True),
    "no lock": (None, SAME, {}, OPTIONS, False),
    "a partial archive": (replace(LOCK, failed=("x",)), SAME, {}, OPTIONS, False),
    "other options": (LOCK, SAME, {}, {**OPTIONS, "arch": ["arm64"]}, False),
    "a tag that moved": (LOCK, [asked("a", D1, 1), asked("b", D3, 2)], {}, OPTIONS, False),
    "a tag that failed": (LOCK, [asked("a", D1, 1), asked("b", "", 2, "404")], {}, OPTIONS, False),
    "one fewer": (LOCK, SAME[:1], {}, OPTIONS, False),
    "one more": (LOCK, [*SAME, asked("c", D3, 3)], {}, OPTIONS, False),
    "none": (LOCK, [], {}, OPTIONS, False),
    "another order": (LOCK, [asked("b", D2, 1), asked("a", D1, 2)], {}, OPTIONS, False),
    "a skip that is the same": (replace(LOCK, skipped=(SKIP,)), [*SAME, asked("s", D3, 3)], {}, OPTIONS, True),
    "a skip that moved": (replace(LOCK, skipped=(SKIP,)), [*SAME, asked("s", D1, 3)], {}, OPTIONS, False),
    "a skip that is gone": (replace(LOCK, skipped=(SKIP,)), SAME, {}, OPTIONS, False),
    "pins that fit": (LOCK, SAME, {1: Pin(D1, frozenset([D1])), 2: Pin(D2, frozenset([D2]))}, OPTIONS, True),
    "a pin for another platform": (LOCK, SAME, {1: Pin(D1, frozenset([D3]))}, OPTIONS, False),
    "a pin for more platforms": (LOCK, SAME, {1: Pin(D1, frozenset([D1, D3]))}, OPTIONS, False),
    "a pin for what was skipped": (
        replace(LOCK, skipped=(SKIP,)),
        [*SAME, asked("s", D3, 3)],
        {3: Pin(D3, frozenset([D3]))},
        OPTIONS,
        False,
    ),
}


@pytest.mark.parametrize(("lock", "asked_now", "pins", "options", "expected"), HOLDS.values(), ids=HOLDS)
def test_whether_digests_alone_show_that_all_is_well(
    lock: Lock | None, asked_now: list[LookedUp], pins: dict[int, Pin], options: dict[str, Any], expected: bool
) -> None:
    pinned = [replace(one, image=replace(one.image, pin=pins.get(one.listed.number))) for one in asked_now]
    assert still_holds(lock, pinned, options) is expected


def test_a_lock_is_described_for_a_person() -> None:
    artefact = LockedPlatform(D3, D3, OCI_MANIFEST, 1, None)
    lock = Lock({}, (replace(A, platforms=(*A.platforms, artefact)), B))
    assert describe(lock) == (
        f"docker.io/library/a:latest {D1}\n"
        f"  linux/amd64 {D1}\n"
        f"  artefact {D3}\n"
        f"docker.io/library/b:latest {D2}\n"
        f"  linux/amd64 {D2}\n"
    )
    assert describe(None) == ""
