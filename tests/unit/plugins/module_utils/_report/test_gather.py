# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts of a report beyond the lock file."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.record import lock_image
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import InvalidLine, Origin
from ansible_collections.airgap.images.plugins.module_utils._oci.layout import assemble
from ansible_collections.airgap.images.plugins.module_utils._report.comparison import compare
from ansible_collections.airgap.images.plugins.module_utils._report.gather import LISTED_LAYERS, gather
from ansible_collections.airgap.images.tests.support.bundle import bundle, lock_of, of_rancher, saved_image
from ansible_collections.airgap.images.tests.unit.fakes import AMD64, ARM64, Sample, failed_image, listed, resolved

EMPTY = Lock(options={}, images=())


def test_layers_that_images_share_are_counted_with_what_they_spare() -> None:
    first = Sample(b"common" * 10, b"a", platform=AMD64)
    second = Sample(b"common" * 10, b"b", platform=ARM64)
    other = Sample(b"common" * 10, repository="reg.lan/other")
    images = [
        assemble(resolved("reg.lan/app:1", first, second), [first.stored, second.stored]),
        assemble(resolved("reg.lan/other:1", other), [other.stored]),
    ]
    facts = gather(lock_of(images, "x.tar"), None, images, [], [])
    shared = facts.shared[0]
    assert (shared.size, shared.uses, shared.references, shared.first) == (60, 3, 2, "reg.lan/app:1")
    assert shared.saved == 120
    assert facts.layers == 3
    # Nothing but layers and, where samples are alike, configurations is shared.
    everything = [blob for image in images for stored in image.stored for blob in stored.all_blobs()]
    assert facts.named == sum(blob.size for blob in everything)
    assert facts.unique == sum({blob.digest: blob.size for blob in everything}.values())


def test_configurations_are_no_layers() -> None:
    sample = Sample(b"layer" * 1000)
    images = [assemble(resolved("reg.lan/app:1", sample), [sample.stored])]
    facts = gather(lock_of(images, "x.tar"), None, images, [], [])
    assert [layer.size for layer in facts.largest] == [5000]


def test_the_largest_come_first_and_not_more_than_can_be_read() -> None:
    facts = of_rancher(200).facts
    sizes = [layer.size for layer in facts.largest]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == LISTED_LAYERS < facts.layers
    assert sizes[0] == max(
        blob.size for image in of_rancher(200).images for stored in image.stored for blob in stored.blobs
    )
    spared = [layer.saved for layer in facts.shared]
    assert spared == sorted(spared, reverse=True)
    assert min(spared) > 0


def test_every_byte_of_the_archive_is_some_repositorys() -> None:
    sample = of_rancher(300)
    assert sum(holding.bytes for holding in sample.facts.holdings) == sum(sample.lock.blobs.values())
    assert sum(holding.references for holding in sample.facts.holdings) == len(sample.lock.images)
    comparison = sample.facts.before
    assert comparison is not None
    assert sum(holding.new for holding in sample.facts.holdings) == comparison.bytes > 0


def test_added_changed_and_removed_references_are_told_apart() -> None:
    same, old, new = (saved_image("reg.lan/same:1"), saved_image("reg.lan/moved:1", edition="old"), saved_image("b:1"))
    moved = saved_image("reg.lan/moved:1")
    before = lock_of([same, old, saved_image("reg.lan/gone:1", [AMD64])], "x.tar")
    lock = lock_of([same, moved, new], "x.tar")
    found = compare(lock, before)
    assert found.added == ("docker.io/library/b:1",)
    assert [(one.reference, one.digest) for one in found.changed] == [("reg.lan/moved:1", old.resolved.digest)]
    assert [(one.reference, one.platforms) for one in found.removed] == [("reg.lan/gone:1", ("linux/amd64",))]
    assert found.removed[0].size == sum(stored.size for stored in saved_image("reg.lan/gone:1", [AMD64]).stored)
    fresh = set(lock.blobs) - set(before.blobs)
    assert (found.blobs, found.bytes) == (len(fresh), sum(lock.blobs[digest] for digest in fresh))


def test_other_platforms_of_the_same_index_are_a_change() -> None:
    both = saved_image("reg.lan/app:1", [AMD64, ARM64])
    one = replace(both, stored=both.stored[:1])
    found = compare(lock_of([both], "x.tar"), replace(EMPTY, images=(lock_image(one),)))
    assert [changed.platforms for changed in found.changed] == [("linux/amd64",)]


def test_the_first_archive_is_compared_with_nothing() -> None:
    sample = bundle("x.tar", ["a", "b"])
    assert sample.facts.before is None
    assert all(holding.new == 0 for holding in sample.facts.holdings)


def test_a_line_is_told_without_the_path_of_its_file() -> None:
    lines = [
        InvalidLine(Origin("/home/alice/secret/list.txt", 7), "a b", "blank"),
        InvalidLine(Origin(None, 2), "c d", "blank"),
    ]
    told = gather(EMPTY, None, [], [], lines).invalid
    assert [line.origin for line in told] == ["list.txt:7", "images, item 2"]


def test_what_cannot_be_shown_is_written_out() -> None:
    failed = [failed_image(listed("a"), "line\nline\u2028\udcff")]
    assert gather(EMPTY, None, [], failed, []).failed[0].reason == "line\\x0aline\\x2028\\xdcff"


def test_facts_know_whether_they_are_about_an_archive() -> None:
    sample = of_rancher(20)
    assert sample.facts.is_about(sample.lock)
    assert sample.facts.is_about(replace(sample.lock, options={}, parts=(), skipped=(), failed=()))
    assert not sample.facts.is_about(replace(sample.lock, images=sample.lock.images[1:]))
    assert not sample.facts.is_about(replace(sample.lock, blobs={}))
