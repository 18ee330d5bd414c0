# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts of a set: those of this run, those that are left out of it, and those that have left the set. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, printable, quoted
from ansible_collections.airgap.images.plugins.plugin_utils._lists.balancing import Placed, placements
from ansible_collections.airgap.images.plugins.plugin_utils._lists.sharing import repository_of
from ansible_collections.airgap.images.plugins.plugin_utils._set.record import Record


@dataclass(frozen=True)
class Members:
    """The hosts of a set.

    :param present: in this run, each with a share, even if it is unreachable.
    :param absent: recorded and in the inventory, but not in this run (C(--limit)): each keeps its share.
    :param left: no longer in the set, with the names of their archives: their shares fall to the others.
    """

    present: tuple[str, ...]
    absent: tuple[str, ...]
    left: Mapping[str, str]

    @property
    def all(self) -> list[str]:
        return [*self.present, *self.absent]


def members_of(
    record: Record, *, play: Sequence[str], inventory: Collection[str], taken_over: Collection[str]
) -> Members:
    """Find out who is in the set.

    :param record: of earlier runs; an empty one: this is the first.
    :param play: the hosts that the play began with.
    :param inventory: all hosts of the inventory.
    :param taken_over: hosts whose shares the others take over.
    :raises OptionError: when one of those is unknown, or no host remains.
    """
    known = {*play, *inventory, *record.archives, *record.left}
    unknown = sorted({*taken_over} - known)
    if unknown:
        raise OptionError(
            f"image_save_take_over: {quoted(unknown[0])} is not a host of the set or of the inventory; the hosts of "
            f"the set are {printable(', '.join(sorted({*play, *record.archives})))}"
        )
    present = tuple(host for host in play if host not in taken_over)
    if not present:
        raise OptionError("image_save_take_over: no host of the play remains that could take over the shares")
    absent = tuple(
        host for host in record.archives if host not in play and host in inventory and host not in taken_over
    )
    members = {*present, *absent}
    left = {host: name for host, name in {**record.left, **record.archives}.items() if host not in members}
    return Members(present, absent, left)


def placed_by(record: Record, members: Members) -> Placed:
    """Return what stays where it is, and the hosts that get their share from others.

    Those wait as long as hosts are left out of the run: the archives of these would keep what moves.
    """
    stay = {*members.all}
    return Placed(
        repositories={repository: host for repository, host in record.repositories.items() if host in stay},
        lines={reference: host for reference, host in record.references.items() if host in stay},
        joining=frozenset() if members.absent else frozenset(_joining(record, members)),
    )


def _joining(record: Record, members: Members) -> list[str]:
    if not record.repositories:
        return []
    return [host for host in members.all if host in record.joining or host not in record.archives]


def next_record(
    record: Record, members: Members, *, shares: Mapping[str, Iterable[str]], archives: Mapping[str, str]
) -> Record:
    """Return the record after a run.

    :param shares: the lines of each host.
    :param archives: the names of the archives, by host, as this run has them.
    """
    placed = placed_by(record, members)
    split = {name for reference in record.references if (name := repository_of(reference)) is not None}
    now = placements(shares, split)
    return Record(
        archives={host: archives.get(host) or record.archives.get(host, "") for host in members.all},
        repositories={**placed.repositories, **now.repositories},
        left=members.left,
        references={**placed.lines, **now.lines},
        joining=tuple(_joining(record, members)) if members.absent else (),
    )
