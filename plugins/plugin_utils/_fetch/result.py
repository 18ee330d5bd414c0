# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a fetch, as the play gets it. Pure, except :func:`difference`, which checks which files exist."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.airgap.images.plugins.module_utils._archive.output import BESIDE
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_count, format_size
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.delivery import Delivery
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item, Place


def paths(place: Place, parts: Sequence[Item], records: Mapping[str, Item], failed: Item | None) -> dict[str, Any]:
    """Return where everything is on the controller, by the names of return values.

    :param records: the files beside the archive, by the names of :data:`BESIDE`.
    :param failed: the list of failed images.
    """
    files = [*parts, *records.values(), *([failed] if failed else [])]
    return {
        "dest": place.directory,
        "parts": [{"path": place.final(part), "size": part.size, "sha256": part.sha256} for part in parts],
        **{name: place.final(records[name]) if name in records else None for name in BESIDE},
        "failed_list": place.final(failed) if failed else None,
        "files": [place.final(item) for item in files],
    }


def message(whose: str, delivery: Delivery, items: Sequence[Item], *, is_check: bool) -> str:
    """Return what happened in a sentence.

    :param whose: name of the host.
    :param items: those that were transferred, or would be.
    """
    verb = "would be fetched" if is_check else "fetched"
    size = format_size(sum(item.size for item in items))
    removed = f", {len(delivery.stale)} older ones removed" if delivery.stale and not is_check else ""
    links = ", whose filesystem has no links: those called blobs are left out" if delivery.goes_without_link else ""
    count = format_count(len(items), "file")
    return f"{count} ({size}) {verb} from {whose} to {delivery.place.directory}{links}{removed}"


def difference(delivery: Delivery) -> dict[str, str]:
    """Return the files before and after, as C(--diff) shows them."""
    place = delivery.place
    kept = [f"{item.sha256}  {item.name}" for item in {*delivery.items} - {*delivery.wanted}]
    replaced = [item.name for item in delivery.wanted if os.path.lexists(place.final(item))]
    stale = [os.path.relpath(path, place.directory) for path in delivery.stale]
    after = [f"{item.sha256}  {item.name}" for item in delivery.items]
    return {
        "before_header": place.directory,
        "after_header": place.directory,
        "before": "".join(f"{line}\n" for line in sorted([*kept, *replaced, *stale])),
        "after": "".join(f"{line}\n" for line in sorted(after)),
    }
