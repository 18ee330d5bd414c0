# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results, and their sentences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import (
    Lock,
    LockedBase,
    LockedImage,
    LockedSkip,
    Requirement,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._oci.image import FailedImage
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import ImageList, InvalidLine, Origin
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import OCI_INDEX
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference
from ansible_collections.airgap.images.plugins.module_utils._save.result import Forecast, Result, Stats
from ansible_collections.airgap.images.tests.unit.fakes import failed_image, listed

DIGEST = "sha256:" + "ab" * 32


def lock(images: int, parts: int = 1) -> Lock:
    image = LockedImage(parse_reference("a"), DIGEST, OCI_INDEX, (), ())
    return Lock({}, (image,) * images, parts=tuple(Part(f"a.part{number}", 1, "") for number in range(parts)))


def bundle(images: int) -> Lock:
    left_out = {f"sha256:{number:064x}": Requirement(1024**2, (), "base", ()) for number in (1, 2, 3)}
    return replace(lock(images), base=(LockedBase("base", "0" * 64, True),), requires=left_out)


def images(count: int, *invalid: str) -> ImageList:
    lines = tuple(InvalidLine(Origin("/l", number), text, "why") for number, text in enumerate(invalid, start=1))
    return ImageList(tuple(listed(f"i{number}", number) for number in range(1, count + 1)), lines, 0)


def failed(*numbers: int) -> tuple[FailedImage, ...]:
    return tuple(failed_image(listed(f"i{number}", number), "404") for number in numbers)


def result(**more: Any) -> Result:
    values: dict[str, Any] = {
        "changed": True,
        "reason": "1 image added",
        "listed": images(3),
        "failed": (),
        "skipped": (),
        "stats": Stats(bytes_archive=2048),
        "lock": lock(3),
    }
    return Result(**{**values, **more})


SKIP = LockedSkip(parse_reference("s"), DIGEST, "windows only")
FORECAST = Forecast(1, 2, 1, 5, 4096, 1024, 2048)
KEPT = "What was fetched stays in the cache; allow_partial=true saves an archive without the images that fail"

SENTENCES: dict[str, tuple[Result, bool, str]] = {
    "saved": (result(), False, "saved 3 images to /a (1 file, 2.0 KiB): 1 image added"),
    "not as usual": (
        result(changed=False, reason="nothing changed", notes=("there are no links", "nor modes")),
        False,
        "/a already holds 3 images: nothing changed. there are no links. nor modes",
    ),
    "saved in parts": (result(lock=lock(1, 2)), False, "saved 1 image to /a (2 files, 2.0 KiB): 1 image added"),
    "only the failed list is gone": (
        result(reason="nothing changed", is_as_it_was=True),
        False,
        "/a already holds 3 images: nothing changed; only the failed list is different",
    ),
    "kept": (result(changed=False, reason="nothing changed"), False, "/a already holds 3 images: nothing changed"),
    "kept, in check mode": (
        result(changed=False, reason="nothing changed"),
        True,
        "/a already holds 3 images: nothing changed",
    ),
    "some skipped": (
        result(skipped=(SKIP, SKIP)),
        False,
        "saved 3 images to /a (1 file, 2.0 KiB): 1 image added. 2 images were skipped; see skipped_images",
    ),
    "one would be skipped": (
        result(skipped=(SKIP,), changed=False, reason="nothing changed"),
        True,
        "/a already holds 3 images: nothing changed. 1 image would be skipped; see skipped_images",
    ),
    "some failed, and that is allowed": (
        result(failed=failed(1), listed=images(3, "A"), lock=lock(2), allow_partial=True),
        False,
        "saved 2 images to /a (1 file, 2.0 KiB): 1 image added. 2 of 4 images failed: "
        "(1) images, item 1: docker.io/library/i1:latest: 404; (2) /l:1: 'A' is not a valid reference: why",
    ),
    "planned": (
        result(forecast=FORECAST),
        True,
        "would save 3 images to /a: 1 image added. To download: 1 blob, 5 bytes; archive: up to 4.0 KiB; "
        "free: 1.0 KiB for the cache, 2.0 KiB for the archive",
    ),
    "a bundle": (
        result(lock=bundle(2)),
        False,
        "saved a bundle of 2 images to /a (1 file, 2.0 KiB, without 3.0 MiB that its base has): 1 image added",
    ),
    "a bundle, planned": (
        result(lock=bundle(2), forecast=FORECAST),
        True,
        "would save a bundle of 2 images to /a (without 3.0 MiB that its base has): 1 image added. To download: 1 "
        "blob, 5 bytes; archive: up to 4.0 KiB; free: 1.0 KiB for the cache, 2.0 KiB for the archive",
    ),
    "a bundle, kept": (
        result(lock=bundle(2), changed=False, reason="nothing changed"),
        False,
        "/a already holds a bundle of 2 images: nothing changed",
    ),
    "to be recorded": (
        result(),
        True,
        "would save 3 images to /a (1 file, 2.0 KiB): 1 image added",
    ),
    "one failed": (
        result(failed=failed(2), is_published=False),
        False,
        f"1 of 3 images failed, so /a was left as it was: images, item 2: docker.io/library/i2:latest: 404. {KEPT}",
    ),
    "one would fail": (
        result(failed=failed(2), is_published=False),
        True,
        "1 of 3 images would fail, so /a would be left as it is: images, item 2: docker.io/library/i2:latest: 404. "
        "allow_partial=true would save an archive without the images that fail",
    ),
    "a line that is not a reference": (
        result(listed=images(2, "docker pull x"), is_published=False),
        True,
        "1 of 3 images would fail, so /a would be left as it is: /l:1: 'docker pull x' is not a valid reference: why. "
        "allow_partial=true would save an archive without the images that fail",
    ),
    "none would be left": (
        result(failed=failed(1), listed=images(1), is_published=False, allow_partial=True),
        True,
        "1 of 1 image would fail, so /a would be left as it is: images, item 1: docker.io/library/i1:latest: 404",
    ),
    "all would be skipped": (
        result(listed=images(2), skipped=(SKIP, SKIP), is_published=False),
        True,
        "none of the 2 images has a wanted platform, so there is nothing to save; see skipped_images",
    ),
    "a line that was not a reference": (
        result(listed=images(2, "docker pull x"), is_published=False),
        False,
        f"1 of 3 images failed, so /a was left as it was: /l:1: 'docker pull x' is not a valid reference: why. {KEPT}",
    ),
    "six failed": (
        result(failed=failed(1, 2, 3, 4, 5, 6), listed=images(9, "A"), is_published=False),
        False,
        "7 of 10 images failed, so /a was left as it was: "
        "(1) 6 images: 404. The first of them: docker.io/library/i1:latest [images, item 1], "
        "docker.io/library/i2:latest [images, item 2], docker.io/library/i3:latest [images, item 3]; "
        "(2) /l:1: 'A' is not a valid reference: why. All of them, with reasons: failed_images and invalid_lines. "
        f"{KEPT}",
    ),
    "none is left": (
        result(failed=failed(1), listed=images(1), is_published=False, allow_partial=True),
        False,
        "1 of 1 image failed, so /a was left as it was: images, item 1: docker.io/library/i1:latest: 404",
    ),
    "the only one skipped": (
        result(listed=images(1), skipped=(SKIP,), is_published=False),
        False,
        "the image has none of the wanted platforms, so there is nothing to save; see skipped_images",
    ),
    "all skipped": (
        result(listed=images(2), skipped=(SKIP, SKIP), is_published=False),
        False,
        "none of the 2 images has a wanted platform, so there is nothing to save; see skipped_images",
    ),
}


@pytest.mark.parametrize(("outcome", "check", "sentence"), SENTENCES.values(), ids=SENTENCES)
def test_sentences(outcome: Result, check: bool, sentence: str) -> None:
    assert outcome.sentence("/a", check=check) == sentence


def test_the_failed_list_is_named() -> None:
    """In check mode none is written."""
    partial = result(failed=failed(1), allow_partial=True)
    one = result(failed=failed(1), is_published=False)
    for outcome in (partial, one):
        assert ". Failed list: /f.txt" in outcome.sentence("/a", check=False, failed_list="/f.txt")
        assert "/f.txt" not in outcome.sentence("/a", check=True, failed_list="/f.txt")


FAILURES: dict[str, tuple[Result, int, bool]] = {
    "none": (result(), 0, False),
    "an image": (result(failed=failed(1)), 1, True),
    "a line": (result(listed=images(1, "A", "B")), 2, True),
    "both": (result(failed=failed(1), listed=images(1, "A")), 2, True),
    "allowed": (result(failed=failed(1), allow_partial=True), 1, False),
    "allowed, but nothing is left": (result(failed=failed(1), allow_partial=True, is_published=False), 1, True),
    "nothing to save": (result(is_published=False), 0, True),
}


@pytest.mark.parametrize(("outcome", "count", "is_failure"), FAILURES.values(), ids=FAILURES)
def test_what_counts_as_failure(outcome: Result, count: int, is_failure: bool) -> None:
    assert (outcome.failures, outcome.is_failure) == (count, is_failure)


def test_each_run_has_figures_of_its_own() -> None:
    first, second = Stats(), Stats()
    first.seconds["plan"] = 1.0
    assert second.seconds == {}
    assert replace(result(), lock=None).sentence("/a", check=False).startswith("saved 0 images")
