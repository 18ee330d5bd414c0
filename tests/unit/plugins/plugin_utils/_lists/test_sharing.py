# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One list, shared out over several hosts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.plugin_utils._lists.sharing import share_out

HOSTS = st.lists(st.sampled_from(["one", "two", "three", "build4.lan", "10.0.0.5", "é"]), min_size=1, unique=True)
TAGS = st.sampled_from(["", ":1", ":2", "@sha256:" + "ab" * 32])
NAMES = st.sampled_from(["a", "b/c", "b/d", "quay.io/b/c", "reg:5000/a", "library/e", "docker.io/f/g", "h", "i", "j/k"])
NO_REFERENCES = st.sampled_from(["docker pull x", "A", "", "https://reg.lan/a", "\x00"])
REFERENCES = st.builds("{}{}".format, NAMES, TAGS)
LINES = st.lists(REFERENCES | NO_REFERENCES | st.text(max_size=6), max_size=12, unique=True)


def holders(shares: dict[str, list[str]]) -> dict[str, str]:
    """The host of every line."""
    return {line: host for host, lines in shares.items() for line in lines}


@given(LINES, HOSTS)
def test_every_line_goes_to_one_host(lines: list[str], hosts: list[str]) -> None:
    shares = share_out(lines, hosts)
    assert list(shares) == hosts
    assert sorted(line for share in shares.values() for line in share) == sorted(lines)
    for share in shares.values():
        assert share == [line for line in lines if line in share], "they keep their order"


@given(LINES, REFERENCES | NO_REFERENCES, HOSTS, st.integers(0, 12))
def test_another_line_moves_no_other(lines: list[str], new: str, hosts: list[str], place: int) -> None:
    before = holders(share_out(lines, hosts))
    after = holders(share_out([*lines[:place], new, *lines[place:]], hosts))
    assert {line: after[line] for line in lines} == before


@given(LINES, HOSTS)
def test_another_host_only_takes(lines: list[str], hosts: list[str]) -> None:
    before, after = holders(share_out(lines, hosts)), holders(share_out(lines, [*hosts, "new"]))
    assert all(after[line] in (host, "new") for line, host in before.items())


@given(LINES, HOSTS.flatmap(lambda hosts: st.tuples(st.just(hosts), st.permutations(hosts))))
def test_the_order_of_the_hosts_does_not_matter(lines: list[str], orders: tuple[list[str], list[str]]) -> None:
    first, second = orders
    assert share_out(lines, first) == share_out(lines, second)


@given(HOSTS)
def test_a_host_that_is_named_twice_counts_once(hosts: list[str]) -> None:
    lines = [f"a{number}" for number in range(20)]
    assert share_out(lines, hosts * 2) == share_out(lines, hosts)


@pytest.mark.parametrize(
    "lines",
    [
        ["nginx", "nginx:1.25", "library/nginx:2", "docker.io/library/nginx", "index.docker.io/nginx:3"],
        ["quay.io/a/b:1", "quay.io/a/b@sha256:" + "ab" * 32],
        ["reg:5000/a", "reg:5000/a:2"],
    ],
)
def test_one_repository_stays_together(lines: list[str]) -> None:
    for number in range(2, 12):
        shares = share_out(lines, [f"host{host}" for host in range(number)])
        assert [share for share in shares.values() if share] == [lines]


def test_the_shares_are_about_even() -> None:
    shares = share_out((f"quay.io/a/b{number}" for number in range(1000)), ["one", "two", "three", "four"])
    assert all(180 < len(share) < 320 for share in shares.values())


def test_the_next_release_shares_out_in_the_same_way() -> None:
    lines = [f"quay.io/a/b{number}:1" for number in range(6)]
    # printf 'quay.io/a/b0\0one' | sha256sum; the greater one of both hosts
    assert share_out(lines, ["one", "two"]) == {
        "one": ["quay.io/a/b0:1", "quay.io/a/b3:1"],
        "two": ["quay.io/a/b1:1", "quay.io/a/b2:1", "quay.io/a/b4:1", "quay.io/a/b5:1"],
    }


def test_a_line_with_half_a_character_is_shared_out() -> None:
    assert share_out(["\ud800"], ["one"]) == {"one": ["\ud800"]}


def test_there_has_to_be_a_host() -> None:
    with pytest.raises(OptionError, match="no host was given"):
        share_out(["a"], [])
