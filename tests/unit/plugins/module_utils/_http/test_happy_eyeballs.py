# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections to names that have several addresses."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from ansible_collections.airgap.images.plugins.module_utils._http import happy_eyeballs as dial
from ansible_collections.airgap.images.plugins.module_utils._http.happy_eyeballs import AddressInfo, Dialer, in_order

V4, V6 = socket.AF_INET, socket.AF_INET6


def info(address: tuple[str, int], family: int = V4) -> AddressInfo:
    return (family, socket.SOCK_STREAM, 0, "", address)


@contextmanager
def listening() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()


@contextmanager
def dead() -> Iterator[tuple[str, int]]:
    """An address from which nothing comes back: the queue of its listener is full, so the kernel drops what comes."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _number in range(4):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            with suppress(BlockingIOError):
                sock.connect(listener.getsockname())
        yield listener.getsockname()


def closed() -> tuple[str, int]:
    with listening() as address:
        return address


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[AddressInfo]]:
    """The addresses that names resolve to."""
    known: dict[str, list[AddressInfo]] = {}
    monkeypatch.setattr(dial.socket, "getaddrinfo", lambda host, *_more: known[host])
    return known


ORDERS: dict[str, tuple[str, int | None, str]] = {
    "none": ("", None, ""),
    "one": ("a", None, "a"),
    "by turns": ("ABab", None, "AaBb"),
    "as the system has it": ("abAB", None, "aAbB"),
    "more of one kind": ("ABCa", None, "AaBC"),
    "who answered comes first": ("ABab", V4, "aAbB"),
    "who answered is gone": ("AB", V4, "AB"),
}


@pytest.mark.parametrize(("given", "family", "expected"), ORDERS.values(), ids=ORDERS)
def test_the_order_of_addresses(given: str, family: int | None, expected: str) -> None:
    """Capitals are IPv6."""
    found = [info((name, 1), V6 if name.isupper() else V4) for name in given]
    assert "".join(each[4][0] for each in in_order(found, family)) == expected


def test_a_dead_address_is_not_waited_for(names: dict[str, list[AddressInfo]]) -> None:
    """It would take the whole of the time, which is more than this test has."""
    with dead() as nowhere, listening() as somewhere:
        names["reg.lan"] = [info(nowhere), info(somewhere)]
        with Dialer().connect("reg.lan", 443, seconds=600) as sock:
            assert sock.getpeername() == somewhere
            assert sock.gettimeout() == 600


def test_an_address_that_refuses_is_followed_by_the_next_at_once(
    names: dict[str, list[AddressInfo]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial, "_HEAD_START", 600.0)
    with listening() as somewhere:
        names["reg.lan"] = [info(closed()), info(("::1", 1, 0, 0), 999), info(closed()), info(somewhere)]  # type: ignore[arg-type]
        with Dialer().connect("reg.lan", 443, seconds=600) as sock:
            assert sock.getpeername() == somewhere


def test_the_family_that_answered_is_remembered(
    names: dict[str, list[AddressInfo]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time, the dead address is not even begun with: its head start would take longer than the test has."""
    dialer = Dialer()
    begun: list[int] = []
    real = dial._Race._begin

    def begin(self: dial._Race, family: int, *rest: object) -> None:
        begun.append(family)
        real(self, V4, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(dial._Race, "_begin", begin)
    with dead() as nowhere, listening() as somewhere:
        names["reg.lan"] = [info(nowhere, V6), info(somewhere, V4)]
        for _time in range(2):
            dialer.connect("reg.lan", 443, seconds=600).close()
            monkeypatch.setattr(dial, "_HEAD_START", 600.0)
    assert begun == [V6, V4, V4]


def test_options_are_set(names: dict[str, list[AddressInfo]]) -> None:
    with listening() as somewhere:
        names["reg.lan"] = [info(somewhere)]
        options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        with Dialer().connect("reg.lan", 443, seconds=5, options=options) as sock:
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_where_nobody_listens_that_is_the_reason(names: dict[str, list[AddressInfo]]) -> None:
    names["reg.lan"] = [info(("::1", 1), 999), info(closed()), info(("::1", 1), 999)]
    with pytest.raises(ConnectionRefusedError):
        Dialer().connect("reg.lan", 443, seconds=600)


def test_time_is_up(names: dict[str, list[AddressInfo]]) -> None:
    with dead() as nowhere:
        names["reg.lan"] = [info(nowhere), info(nowhere)]
        with pytest.raises(socket.timeout):
            Dialer().connect("reg.lan", 443, seconds=0.3)


def test_a_name_without_addresses(names: dict[str, list[AddressInfo]]) -> None:
    names["reg.lan"] = []
    with pytest.raises(OSError, match="has no address"):
        Dialer().connect("reg.lan", 443, seconds=5)
