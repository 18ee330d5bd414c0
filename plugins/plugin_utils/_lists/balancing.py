# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Distributes one list over several hosts, so that all of them have about the same number of bytes. Pure.

Repositories go to the host with the fewest bytes, the largest first. The largest share is then at most the mean and the
repository that came last to it, which is small, because a list has some dozens of small ones for each host. Where it
has not, repositories are exchanged, and if that is not enough, the largest one of the fullest host is cut in two and
everything begins anew. An exact answer would take a solver and bring one per cent.

What has a host already stays there, so all of this is done with what is new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.airgap.images.plugins.module_utils._base.errors import InvalidReferenceError, OptionError
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference
from ansible_collections.airgap.images.plugins.plugin_utils._lists.balance_items import (
    Blobs,
    Item,
    Loads,
    halves,
    item_of,
)
from ansible_collections.airgap.images.plugins.plugin_utils._lists.balance_moves import exchange, fill
from ansible_collections.airgap.images.plugins.plugin_utils._lists.sharing import repository_of

BOUND = 1.15
"""How many times the mean a share may be before a repository is split."""

_UNKNOWN = 1


@dataclass(frozen=True)
class Placed:
    """What is where.

    :param repositories: the host of each repository; of one that is on several, the host with most lines of it.
    :param lines: the host of each line of a repository that is on several hosts, as :func:`full` writes it.
    :param joining: the hosts that get their share from the others.
    """

    repositories: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, str] = field(default_factory=dict)
    joining: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Balance:
    """The shares of all hosts.

    :param shares: the lines of each host, in the order of the list; a host may have none.
    :param bytes: of each share; a layer that several shares have counts in each.
    """

    shares: dict[str, list[str]]
    bytes: dict[str, int]

    @property
    def mean(self) -> float:
        return sum(self.bytes.values()) / len(self.bytes)

    @property
    def largest(self) -> str:
        """The host with the largest share."""
        return max(sorted(self.bytes), key=lambda host: self.bytes[host])

    @property
    def ratio(self) -> float:
        """The largest share over the mean."""
        return self.bytes[self.largest] / self.mean if self.mean else 1.0


def balance(
    lines: Iterable[str],
    hosts: Sequence[str],
    *,
    sizes: Mapping[str, Blobs],
    placed: Placed = Placed(),
    bound: float = BOUND,
) -> Balance:
    """Assign every line to one host.

    The answer does not depend on the order of lines and hosts.

    :param lines: references, without duplicates; a line that is not valid counts as a repository of its own.
    :param sizes: the blobs of references, as :func:`full` writes them. An image that is not there counts as the mean of
        its repository, or else of all; a line that is not valid has no bytes.
    :param placed: what has a host already, and stays there if that is one of ``hosts``.
    :param bound: how many times the mean a share may be before a repository is split.
    :raises OptionError: when no host is given.
    """
    if not hosts:
        raise OptionError("no host was given to share the images out to")
    listed = [*lines]
    blobs = _blobs_of(listed, sizes)
    loads, free = _start(listed, hosts, blobs, placed, bound)
    loads = _distribute(loads, free, blobs, bound)
    if placed.joining:
        fill(loads, placed.joining, blobs, bound)
    holder = {line: host for host, items in loads.items.items() for item in items for line in item.lines}
    shares: dict[str, list[str]] = {host: [] for host in hosts}
    for line in listed:
        shares[holder[line]].append(line)
    return Balance(shares, {host: loads.bytes[host] for host in shares})


def placements(shares: Mapping[str, Iterable[str]], split: Collection[str] = ()) -> Placed:
    """Return what is where after a distribution; lines that are not references have no place.

    :param shares: the lines of each host.
    :param split: repositories that count as split although all of their lines are on one host now.
    """
    holders: dict[str, Counter[str]] = {}
    hosts: dict[str, str] = {}
    for host in sorted(shares):
        for line in shares[host]:
            repository = repository_of(line)
            if repository is not None:
                holders.setdefault(repository, Counter())[host] += 1
                hosts[full(line)] = host
    several = {repository for repository, counted in holders.items() if len(counted) > 1}.union(split)
    return Placed(
        repositories={repository: counted.most_common(1)[0][0] for repository, counted in holders.items()},
        lines={reference: host for reference, host in hosts.items() if repository_of(reference) in several},
    )


def full(line: str) -> str:
    """Return a reference in full, as lock files have it; a line that is not one as it is."""
    try:
        return str(parse_reference(line))
    except InvalidReferenceError:
        return line


def _blobs_of(lines: Sequence[str], sizes: Mapping[str, Blobs]) -> dict[str, Blobs]:
    """Return the blobs of every line; what nobody knows is estimated, and a digest has one size."""
    known = {line: sizes[full(line)] for line in lines if full(line) in sizes}
    largest: dict[str, int] = {}
    totals: dict[str, list[int]] = {}
    for line, blobs in known.items():
        for digest, size in blobs.items():
            largest[digest] = max(size, largest.get(digest, 0))
        totals.setdefault(repository_of(line) or line, []).append(sum(blobs.values()))
    everything = [total for each in totals.values() for total in each]
    usual = _mean(everything) if any(everything) else _UNKNOWN
    found: dict[str, Blobs] = {}
    for line in lines:
        if line in known:
            found[line] = {digest: largest[digest] for digest in known[line]}
        elif repository_of(line) is None:
            found[line] = {}
        else:
            found[line] = {line: _mean(totals.get(repository_of(line) or line, [])) or usual}
    return found


def _mean(values: Sequence[int]) -> int:
    return sum(values) // len(values) if values else 0


def _start(
    lines: Iterable[str], hosts: Sequence[str], blobs: Mapping[str, Blobs], placed: Placed, bound: float
) -> tuple[Loads, list[Item]]:
    """Put what has a host already where it is.

    :returns: the loads of the hosts, and what is still to be distributed.
    """
    loads = Loads(hosts)
    split = _split(placed, loads.bytes)
    stays: dict[tuple[str, str], list[str]] = {}
    new: dict[str, list[str]] = {}
    for line in lines:
        repository = repository_of(line) or line
        host = placed.lines.get(full(line)) if repository in split else placed.repositories.get(repository)
        if host in loads.bytes:
            stays.setdefault((repository, str(host)), []).append(line)
        else:
            new.setdefault(repository, []).append(line)
    for repository, host in sorted(stays):
        loads.put(item_of(repository, stays[repository, host], blobs), host)
    return loads, [*_free(loads, new, split, blobs, bound)]


def _split(placed: Placed, hosts: Mapping[str, object]) -> dict[str, list[str]]:
    """Return the hosts of each repository that is on several."""
    found: dict[str, set[str]] = {}
    for line, host in placed.lines.items():
        holders = found.setdefault(repository_of(line) or line, set())
        if host in hosts:
            holders.add(host)
    return {repository: sorted(holders) for repository, holders in found.items()}


def _free(
    loads: Loads,
    new: Mapping[str, Sequence[str]],
    split: Mapping[str, Sequence[str]],
    blobs: Mapping[str, Blobs],
    bound: float,
) -> Iterable[Item]:
    """Yield what has no host yet. New tags of a repository that is on several hosts go to one of those, if they can."""
    everything = {digest: size for each in blobs.values() for digest, size in each.items()}
    limit = bound * sum(everything.values()) / len(loads.bytes)
    for repository in sorted(new):
        left: list[str] = []
        for item in sorted((item_of(repository, [line], blobs) for line in new[repository]), key=lambda one: one.rank):
            holders = split.get(repository)
            host = loads.lightest(item, holders) if holders else ""
            if host and loads.bytes[host] + loads.cost(item, host) <= limit:
                loads.put(item, host)
            else:
                left += item.lines
        if left:
            yield item_of(repository, left, blobs)


def _distribute(fixed: Loads, free: Sequence[Item], blobs: Mapping[str, Blobs], bound: float) -> Loads:
    """Give every item to a host; split repositories where a share would be larger than the bound otherwise."""
    items = [*free]
    while True:
        loads = Loads(fixed.bytes)
        for host, own in fixed.items.items():
            for item in own:
                loads.put(item, host)
        for item in sorted(items, key=lambda one: one.rank):
            loads.put(item, loads.lightest(item, loads.bytes))
        exchange(loads, frozenset(items))
        heavy = loads.heaviest
        if loads.bytes[heavy] <= bound * loads.mean:
            return loads
        movable = {*items}
        whole = [item for item in loads.items[heavy] if item in movable and len(item.lines) > 1]
        if not whole:
            return loads
        largest = min(whole, key=lambda one: one.rank)
        items.remove(largest)
        items += halves(largest, blobs)
