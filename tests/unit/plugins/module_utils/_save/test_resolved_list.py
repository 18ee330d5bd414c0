# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list as it is resolved."""

from __future__ import annotations

from ansible_collections.airgap.images.plugins.module_utils._base.size import format_bytes, format_size
from ansible_collections.airgap.images.plugins.module_utils._oci.image import FailedImage, SkippedImage
from ansible_collections.airgap.images.plugins.module_utils._save.resolved_list import (
    as_resolved_list,
    without_giants,
    without_large_blobs,
)
from ansible_collections.airgap.images.tests.unit.fakes import ARM64, Sample, failed_image, listed, resolved

ONE, TWO = Sample(b"one"), Sample(b"two", platform=ARM64)
DIGEST = "sha256:" + "ab" * 32


def test_answers_are_sorted_out() -> None:
    answers = [
        SkippedImage(listed("b", 1), "no platform", DIGEST),
        resolved("c", ONE, TWO, number=2),
        failed_image(listed("d", 3), "404"),
        resolved("e", TWO, number=4),
    ]
    content = as_resolved_list(answers, {"compress": "none"})
    assert [one.listed.number for one in content.resolved] == [2, 4]
    assert [one.listed.number for one in content.skipped] == [1]
    assert [one.listed.number for one in content.failed] == [3]
    assert content.lock.options == {"compress": "none"}
    assert [str(image.reference) for image in content.lock.images] == [
        "docker.io/library/c:latest",
        "docker.io/library/e:latest",
    ]
    assert [(str(skip.reference), skip.digest, skip.reason) for skip in content.lock.skipped] == [
        ("docker.io/library/b:latest", DIGEST, "no platform")
    ]
    assert content.lock.failed == ("docker.io/library/d:latest",)


def test_an_image_larger_than_the_disk_fails_alone() -> None:
    size = sum(blob.size for blob in ONE.image.all_blobs())
    answers = [failed_image(listed("d", 1), "404"), resolved("a", ONE, number=2)]
    assert without_giants(answers, size, "/c") == answers
    failed, giant = without_giants(answers, size - 1, "/c")
    assert failed is answers[0]
    assert isinstance(giant, FailedImage)
    assert (giant.listed.number, giant.digest) == (2, answers[1].digest)
    assert giant.reason == (
        f"it needs {format_size(size)}; the filesystem of /c has {format_size(size - 1)} in total. "
        "If the registry gives the right sizes, choose another filesystem"
    )


def test_an_image_with_a_blob_that_no_file_can_hold_fails_alone() -> None:
    largest = max(ONE.image.all_blobs(), key=lambda blob: blob.size)
    answers = [failed_image(listed("d", 1), "404"), resolved("a", ONE, number=2)]
    assert without_large_blobs(answers, largest.size, "/c") == answers
    failed, large = without_large_blobs(answers, largest.size - 1, "/c")
    assert failed is answers[0]
    assert isinstance(large, FailedImage)
    assert (large.listed.number, large.digest) == (2, answers[1].digest)
    assert large.reason == (
        f"its blob {largest.digest} has {format_size(largest.size)}, and a file in /c may have "
        f"{format_bytes(largest.size - 1)} at most. Choose a directory on another filesystem"
    )


def test_a_platform_image_has_the_number_of_its_first_reference() -> None:
    content = as_resolved_list([resolved("a", ONE, number=3), resolved("b", ONE, TWO, number=7)], {})
    places = {key: (image.number, number) for key, (image, number) in content.places.items()}
    assert places == {ONE.image.key: (3, 1), TWO.image.key: (7, 2)}
