# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run is asked to end."""

from __future__ import annotations

import ast
import inspect
import threading

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base import stop as stop_module
from ansible_collections.airgap.images.plugins.module_utils._base.errors import Interrupted
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop


def test_nothing_happens_without_a_request() -> None:
    stop = Stop()
    stop.check()
    assert not stop.is_set()
    assert stop.wait(0) is False
    assert stop.wait(0.001) is False


def test_a_request_raises_only_where_it_is_looked_for() -> None:
    stop = Stop()
    stop.request("SIGTERM came")
    assert stop.is_set()
    assert stop.wait(3600) is True
    with pytest.raises(Interrupted, match="SIGTERM came"):
        stop.check()


def test_the_first_request_is_the_reason() -> None:
    stop = Stop()
    stop.request("SIGTERM came")
    stop.request("SIGHUP came")
    stop.end()
    assert stop.reason == "SIGTERM came"


def test_a_request_ends_a_wait() -> None:
    stop = Stop()
    threading.Timer(0.01, stop.request, ["SIGTERM came"]).start()
    assert stop.wait(3600) is True


def test_a_caller_that_failed_ends_its_threads() -> None:
    stop = Stop()
    stop.end()
    assert stop.is_set()
    assert stop.reason == ""
    with pytest.raises(Interrupted, match="the run was stopped"):
        stop.check()


def test_nothing_in_it_takes_a_lock() -> None:
    """A handler would wait for what the code below it holds; that shows only where it hits the very moment."""
    imported = [node for node in ast.walk(ast.parse(inspect.getsource(stop_module))) if isinstance(node, ast.Import)]
    assert [alias.name for node in imported for alias in node.names] == ["time"]
    assert not [value for value in vars(Stop()).values() if not isinstance(value, (bool, str))]
