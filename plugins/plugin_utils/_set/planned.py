# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts foresee in check mode, put together for their set. Results of hosts are not trusted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Planned:
    """The archives that hosts would have.

    :param hosts: how many would have one.
    :param images: in all of them.
    :param archives: bytes of all of them, at most.
    :param blobs: to be downloaded.
    :param bytes: of these.
    :param writes: whether any archive would be written.
    """

    hosts: int = 0
    images: int = 0
    archives: int = 0
    blobs: int = 0
    bytes: int = 0
    writes: bool = False


def planned_by(results: Iterable[Mapping[str, Any]]) -> Planned:
    """Add up what hosts foresee.

    :param results: those of the hosts that would have an archive, as the role hands them over.
    """
    planned = Planned()
    for result in results:
        plan = result.get("plan")
        is_new = isinstance(plan, Mapping)
        images, stats = result.get("images"), result.get("stats")
        planned = Planned(
            hosts=planned.hosts + 1,
            images=planned.images + (len(images) if isinstance(images, (list, tuple)) else 0),
            archives=planned.archives + (_number(plan, "archive_bytes") if is_new else _number(stats, "bytes_archive")),
            blobs=planned.blobs + _number(plan, "blobs"),
            bytes=planned.bytes + _number(plan, "bytes"),
            writes=planned.writes or is_new,
        )
    return planned


def _number(values: Any, name: str) -> int:
    """Return a number of things; 0 where a host says anything else."""
    value = values.get(name) if isinstance(values, Mapping) else None
    return value if type(value) is int and value > 0 else 0
