# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is shared out over hosts, and how many bytes each of them has then. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Blobs = Mapping[str, int]
"""Bytes by digest, or by any other name that is the same wherever the bytes are."""


@dataclass(frozen=True)
class Item:
    """Lines of one repository that go to the same host.

    :param repository: its name; for a line that is not a reference, the line.
    :param lines: in alphabetical order.
    :param blobs: of all of them, each once.
    """

    repository: str
    lines: tuple[str, ...]
    blobs: Blobs = field(compare=False)

    @property
    def size(self) -> int:
        """Bytes, if nothing of it is on the host yet."""
        return sum(self.blobs.values())

    @property
    def rank(self) -> tuple[int, tuple[str, ...]]:
        """Where it is in the order from the largest to the smallest; no two have the same place."""
        return -self.size, self.lines


def item_of(repository: str, lines: Iterable[str], sizes: Mapping[str, Blobs]) -> Item:
    """Make an item of some lines of a repository.

    :param sizes: the blobs of each line.
    """
    chosen = tuple(sorted(lines))
    return Item(repository, chosen, {digest: size for line in chosen for digest, size in sizes[line].items()})


def halves(item: Item, sizes: Mapping[str, Blobs]) -> tuple[Item, Item]:
    """Cut an item of several lines where both halves are as equal as they can be.

    Neighbours stay together: tags of one release share more layers than others.
    """
    before = [0]
    for line in item.lines:
        before.append(before[-1] + sum(sizes[line].values()))
    cut = min(range(1, len(item.lines)), key=lambda place: abs(2 * before[place] - before[-1]))
    first, second = item.lines[:cut], item.lines[cut:]
    return item_of(item.repository, first, sizes), item_of(item.repository, second, sizes)


class Loads:
    """The items of each host, and the bytes that they are together: a blob counts once on each host that has it."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self.items: dict[str, list[Item]] = {host: [] for host in sorted(hosts)}
        self.bytes: dict[str, int] = dict.fromkeys(self.items, 0)
        self.lines: dict[str, int] = dict.fromkeys(self.items, 0)
        self._uses: dict[str, Counter[str]] = {host: Counter() for host in self.items}

    @property
    def mean(self) -> float:
        return sum(self.bytes.values()) / len(self.bytes)

    @property
    def heaviest(self) -> str:
        """The host with most bytes; of equal ones, the first by name."""
        return max(self.bytes, key=lambda host: self.bytes[host])

    def cost(self, item: Item, host: str) -> int:
        """Return the bytes that a host would have in addition."""
        uses = self._uses[host]
        return sum(size for digest, size in item.blobs.items() if not uses[digest])

    def lightest(self, item: Item, hosts: Iterable[str]) -> str:
        """Return the host that would have the fewest bytes with an item; of equal ones, that with the fewest lines."""
        return min(sorted(hosts), key=lambda host: (self.bytes[host] + self.cost(item, host), self.lines[host]))

    def put(self, item: Item, host: str) -> None:
        """Give an item to a host."""
        self.bytes[host] += self.cost(item, host)
        self._uses[host].update(dict.fromkeys(item.blobs, 1))
        self.lines[host] += len(item.lines)
        self.items[host].append(item)

    def take(self, item: Item, host: str) -> None:
        """Take an item from a host."""
        uses = self._uses[host]
        uses.subtract(dict.fromkeys(item.blobs, 1))
        self.bytes[host] -= self.cost(item, host)
        self.lines[host] -= len(item.lines)
        self.items[host].remove(item)

    def move(self, item: Item, start: str, end: str) -> None:
        """Give an item of one host to another."""
        self.take(item, start)
        self.put(item, end)
