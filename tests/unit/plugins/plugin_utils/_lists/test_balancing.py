# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shares of equal size: over the list of a Rancher release with drawn sizes, and over any small list."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.plugin_utils._lists.balance_items import Blobs
from ansible_collections.airgap.images.plugins.plugin_utils._lists.balancing import (
    BOUND,
    Balance,
    Placed,
    balance,
    full,
    placements,
)
from ansible_collections.airgap.images.plugins.plugin_utils._lists.sharing import repository_of
from ansible_collections.airgap.images.tests.support.bundle import references_of_rancher
from ansible_collections.airgap.images.tests.unit.plugins.plugin_utils._lists.test_sharing import HOSTS as SOME_HOSTS
from ansible_collections.airgap.images.tests.unit.plugins.plugin_utils._lists.test_sharing import LINES as SOME_LINES

RANCHER = references_of_rancher()
NAMES = [f"host{number}" for number in range(8)]
SEEDS = range(3)


def drawn(seed: int) -> dict[str, Blobs]:
    """Sizes as images have them: few are very large; tags share layers with their repository, and all a base image."""
    choice = random.Random(seed)  # noqa: S311  # the same sizes every time
    usual: dict[str, float] = {}
    sizes = {}
    for line in RANCHER:
        repository = repository_of(line) or line
        mean = usual.setdefault(repository, choice.lognormvariate(18, 1.2))
        shared = int(mean * choice.choice([0, 0.2, 0.6])) if seed else 0
        base = choice.randrange(4)
        own = {line: int(mean * choice.uniform(0.5, 1.5)), f"{repository} {shared}": shared}
        sizes[full(line)] = {**own, f"base {base}": 30_000_000 + 9_000_000 * base} if seed else own
    return sizes


def bytes_of(lines: list[str], sizes: Mapping[str, Blobs]) -> int:
    """The bytes of a share, worked out anew: each layer once."""
    return sum({digest: size for line in lines for digest, size in sizes[full(line)].items()}.values())


def holders(made: Balance) -> dict[str, str]:
    return {line: host for host, lines in made.shares.items() for line in lines}


def joined(before: Balance, *hosts: str) -> Placed:
    placed = placements(before.shares)
    return Placed(placed.repositories, placed.lines, frozenset(hosts))


@pytest.mark.parametrize("number", range(2, 9))
@pytest.mark.parametrize("seed", SEEDS)
def test_a_release_over_hosts_that_come_and_go(seed: int, number: int) -> None:
    sizes = drawn(seed)
    hosts = NAMES[:number]
    made = balance(RANCHER, hosts, sizes=sizes)
    assert made.bytes == {host: bytes_of(made.shares[host], sizes) for host in hosts}
    assert made.ratio <= BOUND

    more = balance(RANCHER, [*hosts, "new"], sizes=sizes, placed=joined(made, "new"))
    before, after = holders(made), holders(more)
    moved = [line for line in RANCHER if before[line] != after[line]]
    assert moved == more.shares["new"], "nothing moves between the others"
    assert more.ratio <= BOUND and bytes_of(moved, sizes) <= more.mean

    fewer = balance(RANCHER, hosts[1:], sizes=sizes, placed=placements(made.shares))
    after = holders(fewer)
    assert [line for line in RANCHER if before[line] not in (hosts[0], after[line])] == [], "what stays has moved"
    assert fewer.ratio <= BOUND


def test_few_repositories_are_split() -> None:
    made = balance(RANCHER, NAMES, sizes=drawn(0))
    split = {repository_of(line) for line in placements(made.shares).lines}
    assert len(split) <= 5, split


@pytest.mark.parametrize("seed", SEEDS)
def test_new_images_do_not_move_any_other(seed: int) -> None:
    sizes = drawn(seed)
    made = balance(RANCHER[::2], NAMES, sizes=sizes)
    more = balance(RANCHER, NAMES, sizes=sizes, placed=placements(made.shares))
    before, after = holders(made), holders(more)
    assert {line: after[line] for line in before} == before


def test_what_is_placed_stays_beyond_the_bound() -> None:
    lines = [f"a/b{number}:1" for number in range(12)]
    placed = Placed(dict.fromkeys((f"docker.io/a/b{number}" for number in range(8)), "one"))
    made = balance(lines, ["one", "two", "three"], sizes={}, placed=placed)
    assert made.shares["one"] == lines[:8] and made.ratio == 2.0
    assert len(made.shares["two"]) == len(made.shares["three"]) == 2


def test_another_tag_stays_with_its_repository() -> None:
    placed = Placed({"docker.io/a/b": "one"})
    made = balance(["a/b:1", "a/b:2", "a/b:3"], ["one", "two"], sizes={}, placed=placed)
    assert made.shares == {"one": ["a/b:1", "a/b:2", "a/b:3"], "two": []}


def test_another_tag_of_a_split_repository_goes_to_the_lighter_of_its_hosts() -> None:
    lines = {"docker.io/a/b:1": "one", "docker.io/a/b:2": "one", "docker.io/a/b:3": "two"}
    placed = Placed({"docker.io/a/b": "one", "docker.io/c/d": "three"}, lines)
    new, others = [f"a/b:{tag}" for tag in "1234"], [f"c/d:{tag}" for tag in "123"]
    made = balance([*new, *others], ["one", "two", "three"], sizes={}, placed=placed)
    assert made.shares == {"one": new[:2], "two": new[2:], "three": others}
    # Unless both would be beyond the bound.
    assert balance([*new, others[0]], ["one", "two", "three"], sizes={}, placed=placed).shares["three"] == [
        "a/b:4",
        "c/d:1",
    ]


def test_repositories_are_exchanged_before_one_is_split() -> None:
    """The largest first gives 11, 8 and 8; nine each is possible."""
    sizes = {
        f"docker.io/a/b{number}:{tag}": {f"{number}{tag}": size}
        for number, size in enumerate([5, 5, 4, 4, 3, 3, 3])
        for tag in "12"
    }
    made = balance([*sizes], ["one", "two", "three"], sizes=sizes)
    assert {*made.bytes.values()} == {18} and placements(made.shares).lines == {}


def test_a_repository_larger_than_a_share_is_split_between_neighbours() -> None:
    sizes = {f"docker.io/a/b:{tag}": {tag: 10, "base": 5} for tag in "1234"}
    made = balance([*sizes], ["one", "two"], sizes=sizes)
    assert sorted(made.shares.values()) == [
        ["docker.io/a/b:1", "docker.io/a/b:2"],
        ["docker.io/a/b:3", "docker.io/a/b:4"],
    ]
    assert made.bytes == {"one": 25, "two": 25}, "the layer of all counts in each"


def test_few_images_of_about_one_size_are_even_after_a_host_has_joined() -> None:
    """The last one may be a little more than the share of that host, in place of leaving another beyond its bound."""
    sizes = {f"docker.io/a/b{number}:1": {str(number): 100 + number % 3} for number in range(9)}
    before = balance([*sizes], ["one", "two"], sizes=sizes)
    after = balance([*sizes], ["one", "two", "three"], sizes=sizes, placed=joined(before, "three"))
    assert [len(share) for share in after.shares.values()] == [3, 3, 3]
    assert after.bytes["three"] <= BOUND * after.mean


def test_a_single_large_image_cannot_be_split() -> None:
    made = balance(
        ["a/b:1", "c/d:1"], ["one", "two"], sizes={"docker.io/a/b:1": {"x": 100}, "docker.io/c/d:1": {"y": 1}}
    )
    assert sorted(made.bytes.values()) == [1, 100]


def test_a_size_that_is_not_known_is_that_of_the_others() -> None:
    sizes = {"docker.io/a/b:1": {"x": 6}, "docker.io/c/d:1": {"y": 2}}
    made = balance(["a/b:1", "a/b:2", "c/d:1", "e/f:1", "no reference"], ["one"], sizes=sizes)
    assert made.bytes == {"one": 6 + 6 + 2 + 4}


def test_layers_that_all_have_weigh_nothing_where_they_are() -> None:
    """Images go where most of them is, and numbers decide where nothing else does."""
    lines = [f"a/b{number}:1" for number in range(9)]
    made = balance(lines, ["one", "two", "three"], sizes={full(line): {"same": 7} for line in lines})
    assert [len(share) for share in made.shares.values()] == [3, 3, 3]


@given(SOME_LINES, SOME_HOSTS, st.randoms(use_true_random=False), st.integers(0, 4))
def test_any_list(lines: list[str], hosts: list[str], choice: random.Random, placed: int) -> None:
    """Each line goes to one host, in order, and the answer does not depend on the order of anything."""
    sizes = {full(line): {choice.choice("abcdef"): choice.randrange(9)} for line in lines[1:]}
    earlier = balance(lines[:placed], hosts[: placed or None], sizes=sizes)
    where = joined(earlier, *hosts[placed or len(hosts) :])
    made = balance(lines, hosts, sizes=sizes, placed=where)
    assert [*made.shares] == hosts
    assert sorted(line for share in made.shares.values() for line in share) == sorted(lines)
    for share in made.shares.values():
        assert share == [line for line in lines if line in share]
    mixed = choice.sample(lines, len(lines)), choice.sample(hosts, len(hosts))
    again = balance(*mixed, sizes=sizes, placed=where)
    assert {host: sorted(share) for host, share in again.shares.items()} == {
        host: sorted(share) for host, share in made.shares.items()
    }
    assert balance(lines, hosts, sizes=sizes, placed=placements(made.shares)).shares == made.shares or any(
        repository_of(line) is None for line in lines
    ), "a second run changes something"


def test_there_has_to_be_a_host() -> None:
    with pytest.raises(OptionError, match="no host was given"):
        balance(["a"], [], sizes={})
