# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run is asked to end."""

from __future__ import annotations

import pytest

from ansible_collections.airgap.images.plugins.module_utils._errors import Interrupted
from ansible_collections.airgap.images.plugins.module_utils._stop import Stop, to_the_end


def test_nothing_happens_without_a_request() -> None:
    stop = Stop()
    stop.check()
    with stop.deferred():
        pass
    assert not stop.is_set()
    assert stop.wait(0) is False


def test_a_request_ends_the_run_at_once() -> None:
    stop = Stop()
    with pytest.raises(Interrupted, match="SIGTERM came"):
        stop.request("SIGTERM came")
    assert stop.is_set()
    assert stop.wait(60) is True
    with pytest.raises(Interrupted, match="SIGTERM came"):
        stop.check()


def test_a_request_waits_for_what_must_not_be_cut() -> None:
    stop = Stop()
    steps: list[str] = []

    def publish() -> None:
        with stop.deferred():
            stop.request("SIGTERM came")
            steps.append("renamed")
        steps.append("not reached")

    with pytest.raises(Interrupted, match="SIGTERM came"):
        publish()
    assert steps == ["renamed"]


def test_an_error_in_a_deferred_block_is_not_hidden() -> None:
    stop = Stop()

    def fail() -> None:
        with stop.deferred():
            stop.request("SIGTERM came")
            raise ValueError("disk")

    with pytest.raises(ValueError, match="disk"):
        fail()
    with pytest.raises(Interrupted):
        stop.request("again")


def test_a_caller_that_failed_ends_its_threads() -> None:
    stop = Stop()
    stop.end()
    assert stop.is_set()
    with pytest.raises(Interrupted, match="the run was stopped"):
        stop.check()


def test_what_is_asked_to_end_is_done_to_the_end() -> None:
    done: list[str] = []

    def clear_up() -> None:
        done.append("begun")
        if len(done) == 1:
            raise Interrupted("stopped")
        done.append("ended")

    with pytest.raises(Interrupted):
        to_the_end(clear_up)
    assert done == ["begun", "begun", "ended"]
    to_the_end(clear_up)
