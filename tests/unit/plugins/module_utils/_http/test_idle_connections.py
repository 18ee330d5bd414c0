# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Idle connections: few, and never one that is in use is closed."""

from __future__ import annotations

from ansible_collections.airgap.images.plugins.module_utils._http.client import Http
from ansible_collections.airgap.images.plugins.module_utils._http.idle_connections import IdleConnections
from ansible_collections.airgap.images.plugins.module_utils._http.tls import Trust
from ansible_collections.airgap.images.tests.unit.server import Reply, Server


class Connection:
    """Counts how often it was closed."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_the_one_that_was_idle_for_the_longest_is_closed() -> None:
    kept, connections = IdleConnections(2), [Connection() for _number in range(4)]
    for connection in connections[:3]:
        kept.put(connection)
    assert [each.closed for each in connections] == [1, 0, 0, 0]
    kept.take(connections[1])
    kept.put(connections[3])
    assert [each.closed for each in connections] == [1, 0, 0, 0], "one is in use, two are idle"
    kept.put(connections[1])
    assert [each.closed for each in connections] == [1, 0, 1, 0]
    kept.take(Connection())


def test_a_connection_that_was_closed_connects_anew() -> None:
    """Hosts by turns, of which one connection is kept: each request is answered all the same."""
    kept = IdleConnections(1)
    with Server() as one, Server() as two:
        servers = {
            Http(each.host, Trust(False, None), read_timeout=30, connections=4, idle=kept): each for each in (one, two)
        }
        for http, server in [*servers.items(), *servers.items()]:
            server.route("/v2/", Reply(body=b"here"))
            for _turn in range(2):
                assert http.read("GET", f"{server.url}/v2/", headers={}, limit=100).body == b"here"
        for http in servers:
            http.close()
        assert (one.connections, two.connections) == (2, 2), "each turn at a host has one, which its requests share"
