# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves between hosts: exchanges that make their shares more equal, and the shares of hosts that join. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping
from typing import Optional

from ansible_collections.airgap.images.plugins.plugin_utils._lists.balance_items import Blobs, Item, Loads, item_of

_EQUAL = 1.01
"""The largest share over the mean at which nothing is exchanged any more."""

Exchange = tuple[Item, Optional[Item]]
"""The item that goes, and the one that comes for it, if any does."""


def exchange(loads: Loads, free: Collection[Item]) -> None:
    """Exchange items of the host that has most bytes for smaller ones of others, as long as that helps.

    :param free: the items that may move.
    """
    for _round in range(2 * len(free)):
        heavy = loads.heaviest
        if loads.bytes[heavy] <= _EQUAL * loads.mean:
            return
        others = sorted((host for host in loads.bytes if host != heavy), key=lambda host: loads.bytes[host])
        if not any(_exchange_with(loads, heavy, light, free) for light in others):
            return


def _exchange_with(loads: Loads, heavy: str, light: str, free: Collection[Item]) -> bool:
    """Make the best exchange of two hosts.

    :returns: False if there is none that makes the larger of both shares smaller.
    """
    before = loads.bytes[heavy]
    found = _best(
        sorted((item for item in loads.items[heavy] if item in free), key=lambda item: item.rank),
        sorted((item for item in loads.items[light] if item in free), key=lambda item: item.rank, reverse=True),
        gap=before - loads.bytes[light],
    )
    if found is None:
        return False
    going, coming = found
    loads.move(going, heavy, light)
    if coming is not None:
        loads.move(coming, light, heavy)
    if max(loads.bytes[heavy], loads.bytes[light]) < before:
        return True
    # Of what both have in common, each has to keep a copy.
    if coming is not None:
        loads.move(coming, heavy, light)
    loads.move(going, light, heavy)
    return False


def _best(goes: list[Item], comes: list[Item], *, gap: int) -> Exchange | None:
    """Find the exchange that makes two shares most equal.

    :param comes: from the smallest to the largest.
    :param gap: the bytes that the first host has more than the second.
    """
    sizes = [0, *(item.size for item in comes)]
    best: Exchange | None = None
    least = gap
    for item in goes:
        # What comes should be smaller by half of the gap.
        place = bisect_left(sizes, item.size - gap / 2)
        for near in (place - 1, place):
            if 0 <= near < len(sizes):
                left = abs(gap - 2 * (item.size - sizes[near]))
                if left < least:
                    best, least = (item, comes[near - 1] if near else None), left
    return best


def fill(loads: Loads, joining: Collection[str], sizes: Mapping[str, Blobs], bound: float) -> None:
    """Give hosts that join their share, from those that have more than theirs.

    Nothing moves between the others, and no host gets more than the mean, but for the rest of the last image.

    :param joining: the hosts that join.
    :param sizes: the blobs of each line.
    :param bound: how many times the mean a share may be before a repository is split for it.
    """
    mean = loads.mean
    donors = {host for host in loads.bytes if host not in joining}
    receivers = {host for host in loads.bytes if host in joining}
    while donors and receivers:
        donor = max(sorted(donors), key=lambda host: loads.bytes[host])
        receiver = min(sorted(receivers), key=lambda host: loads.bytes[host])
        excess, room = loads.bytes[donor] - mean, mean - loads.bytes[receiver]
        if excess <= 0 or room <= 0:
            return
        # Far more than what is too much goes only where the share would be beyond the bound otherwise.
        is_beyond = loads.bytes[donor] > bound * mean
        item = _to_move(loads, donor, receiver, excess=excess, most=min(2 * excess, room))
        if item is None and is_beyond and _break_up(loads, donor, sizes):
            continue
        if item is None and is_beyond:
            # Of few images, one may be all that keeps a share from its bound, and a little more than there is room for.
            little = (bound - 1) * mean
            item = _to_move(loads, donor, receiver, excess=excess, most=min(room + little, excess + room))
        if item is None:
            donors.remove(donor)
        else:
            loads.move(item, donor, receiver)


def _to_move(loads: Loads, donor: str, receiver: str, *, excess: float, most: float) -> Item | None:
    """Find the largest item that a host has too much, or else the smallest.

    :param excess: the bytes that the host has too much.
    :param most: the bytes that may move.
    """
    costs = sorted((loads.cost(item, receiver), item.lines, item) for item in loads.items[donor])
    within = [item for cost, _lines, item in costs if 0 < cost <= min(excess, most)]
    if within:
        return within[-1]
    return next((item for cost, _lines, item in costs if 0 < cost <= most), None)


def _break_up(loads: Loads, host: str, sizes: Mapping[str, Blobs]) -> bool:
    """Let the lines of a host's largest repository move one by one.

    :returns: False if no repository has several.
    """
    whole = sorted((item for item in loads.items[host] if len(item.lines) > 1), key=lambda item: item.rank)
    if not whole:
        return False
    loads.take(whole[0], host)
    for line in whole[0].lines:
        loads.put(item_of(whole[0].repository, [line], sizes), host)
    return True
