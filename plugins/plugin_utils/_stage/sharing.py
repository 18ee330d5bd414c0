# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shares of all hosts of a set, with about the same number of bytes: worked out once, and recorded at once.

Sizes come from the lock files of the set. What is not in them is asked of the registries by one host, which the others
rely on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.airgap.images.plugins.module_utils._base.errors import ImagesError
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._lists.balance_given import archive_size, sizes_known
from ansible_collections.airgap.images.plugins.plugin_utils._lists.balance_items import Blobs
from ansible_collections.airgap.images.plugins.plugin_utils._lists.balancing import (
    BOUND,
    Balance,
    Placed,
    balance,
    full,
)
from ansible_collections.airgap.images.plugins.plugin_utils._lists.sharing import repository_of, share_out
from ansible_collections.airgap.images.plugins.plugin_utils._set import notices
from ansible_collections.airgap.images.plugins.plugin_utils._set.members import Members, next_record, placed_by
from ansible_collections.airgap.images.plugins.plugin_utils._set.record import Record
from ansible_collections.airgap.images.plugins.plugin_utils._set.shelf import Shelf

Ask = Callable[[Sequence[str]], Mapping[str, Blobs]]
"""Takes lines, and returns the blobs of those whose registry answers."""

_BETTER = 1.05
"""By how much another distribution must be better to be mentioned."""

_MOST = 0.9
"""The part of all sizes that must be known for it; those of images that always fail never are."""


@dataclass(frozen=True)
class Sharer:
    """Shares the lines of all hosts out.

    :param media: the directory of the set on the controller; empty: nothing is fetched, so there is no record either.
    :param record: of the set.
    :param locks: further lock files that have sizes.
    :param ask: asks this host for the sizes of images; ``None``: sizes do not count.
    :param is_check: whether nothing may be written (C(--check)).
    :param ticker: for lines about the set.
    """

    media: str
    record: Record
    members: Members
    locks: Sequence[bytes]
    ask: Ask | None
    is_check: bool
    ticker: Ticker

    def share_out(self, lines: Sequence[str]) -> dict[str, list[str]]:
        """Return the lines of each host.

        :raises ImagesError: when the record cannot be written.
        """
        hosts = self.members.all
        if not self.media:
            # Without a record, another image must not move any of those that hosts have.
            return share_out(lines, hosts)
        placed = placed_by(self.record, self.members)
        sizes = self._sizes(lines, placed)
        made = balance(lines, hosts, sizes=sizes, placed=placed)
        self._tell(made, lines, placed, sizes)
        if lines and not self.is_check:
            # Now, and not at the end: a run that is stopped must go on with the same shares.
            Shelf(self.media).put_record(next_record(self.record, self.members, shares=made.shares, archives={}))
        return made.shares

    def _sizes(self, lines: Sequence[str], placed: Placed) -> Mapping[str, Blobs]:
        """Return what is known of the sizes, having asked for the others if much depends on them."""
        if self.ask is None or len(self.members.all) == 1:
            return {}
        known = sizes_known([*Shelf(self.media).locks_of_set(self.record), *self.locks])
        names = {line: repository_of(line) for line in lines}
        unknown = [line for line, name in names.items() if name is not None and full(line) not in known]
        new = {name for name in names.values() if name is not None and name not in placed.repositories}
        # The host of a single repository does not depend on its size.
        if not unknown or not (len(new) > 1 or placed.joining):
            return known
        self.ticker.say(notices.notice_of_question(len(unknown)))
        try:
            return {**known, **self.ask(unknown)}
        except ImagesError as error:
            self.ticker.warn(notices.notice_of_no_answer(len(unknown), str(error), some=bool(known)))
            return known

    def _tell(self, made: Balance, lines: Sequence[str], placed: Placed, sizes: Mapping[str, Blobs]) -> None:
        """Say what moves, and which share is larger than it would be if nothing had a host yet."""
        coming = sum(len(made.shares[host]) for host in placed.joining if host in made.shares)
        if coming:
            self.ticker.say(notices.notice_of_joining(sorted(placed.joining), made.shares))
        known = sum(full(line) in sizes for line in lines)
        is_known = self.ask is None or known >= _MOST * len(lines)
        if made.ratio <= BOUND or not placed.repositories or not is_known:
            return
        if self.ask is not None and self._is_even():
            return
        anew = balance(lines, self.members.all, sizes=sizes)
        if anew.bytes[anew.largest] * _BETTER < made.bytes[made.largest]:
            self.ticker.warn(notices.notice_of_bound(made, self.media, by_size=self.ask is not None))

    def _is_even(self) -> bool:
        """Return True if the archives of all hosts are within the bound, whatever is known of single images."""
        locks = Shelf(self.media).locks(self.record.archives)
        sizes = [archive_size(locks.get(host, b"")) for host in self.members.all]
        known = [size for size in sizes if size is not None]
        return len(known) == len(sizes) and max(known) * len(known) <= BOUND * sum(known)
