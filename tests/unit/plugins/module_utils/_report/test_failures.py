# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The failures of a run, and a digest of them."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.airgap.images.plugins.module_utils._report.failures import (
    NO_FAILURES,
    Failure,
    Invalid,
    digest_now,
    failures_digest,
)
from ansible_collections.airgap.images.tests.support.bundle import of_rancher

SAMPLE = of_rancher(3)


def failure(reference: str, reason: str) -> Failure:
    return Failure(reference, "", reason)


def digest(reason: str = "a", line: str = "b") -> str:
    return failures_digest([failure("reg.lan/x:1", reason)], [Invalid("list:1", line, "c")])


def test_failures_that_are_told_otherwise_have_another_digest() -> None:
    other = failures_digest([failure("x", "a")], [])
    assert len({digest(), digest("unauthorized"), digest(line="B"), other, NO_FAILURES}) == 5
    pairs = [failure("x", "a"), failure("y", "b")]
    assert failures_digest(pairs, []) == failures_digest(pairs[::-1], [])


def test_what_differs_from_try_to_try_does_not_count() -> None:
    first = "read tcp 127.0.0.1:43210->127.0.0.1:5000: reset by peer, after 2.1 s; request id 5c1f"
    second = "read tcp 127.0.0.1:50001->127.0.0.1:5000: reset by peer, after 3 s; request id a07b"
    assert digest(first) == digest(second) != digest(first.replace("reset", "closed"))


def test_a_report_tells_which_failures_it_names() -> None:
    assert SAMPLE.facts.failures == digest_now(SAMPLE.failed, SAMPLE.invalid) != NO_FAILURES
    assert replace(SAMPLE.facts, failed=(), invalid=()).failures == NO_FAILURES == digest_now([], [])
