# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines that describe progress. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.airgap.images.plugins.module_utils._base.errors import printable
from ansible_collections.airgap.images.plugins.module_utils._base.json import JsonObject
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_size

_STAGES = {
    "list": "reading the list",
    "inspect": "checking the existing archive",
    "resolve": "asking registries for digests and manifests",
    "plan": "comparing with the cache",
    "publish": "putting the archive in place",
}


def save_line(progress: JsonObject) -> str:
    """Describe the progress of a save.

    :param progress: the progress file; see docs/progress.md.
    :returns: a line; empty if there is nothing to show yet.
    :raises JsonError: when it is not a progress file.
    """
    stage = progress.text("stage")
    images = progress.object("images")
    if stage in _STAGES:
        known = images.integer("of") if stage == "resolve" else 0
        return f"{_STAGES[stage]} (images: {known})" if known else _STAGES[stage]
    if not stage:
        return ""
    download = progress.object("bytes")
    told = [f"{images.integer('done')} of {images.integer('of')} images"]
    if images.integer("failed"):
        told.append(f"{images.integer('failed')} failed")
    told += moved(download.integer("done"), download.integer("of"), progress.integer("rate"))
    if "seconds_left" in progress:
        told.append(f"{format_duration(progress.integer('seconds_left'))} left")
    return "; ".join([", ".join(told), *_now(progress)])


def fetch_line(name: str, number: int, count: int, *, done: int, of: int, rate: int, left: int | None) -> str:
    """Describe the progress of a fetch.

    :param name: the file that is being transferred.
    :param number: of that file, from 1.
    :param count: of all files.
    :param done: bytes of all files that have arrived.
    :param of: bytes of all files.
    :param rate: bytes a second; 0 if unknown.
    :param left: seconds; ``None`` if unknown.
    """
    told = [f"fetching file {number} of {count}, {printable(name, 300)}", *moved(done, of, rate)]
    if left is not None:
        told.append(f"{format_duration(left)} left")
    return ", ".join(told)


def moved(done: int, of: int, rate: int) -> list[str]:
    """Describe bytes done of all bytes, and the rate if it is known."""
    told = [f"{format_size(done)} of {format_size(of)}"] if of else []
    return told + ([f"{format_size(rate)}/s"] if rate and done < of else [])


def format_duration(seconds: int) -> str:
    """Format the time that is left."""
    if seconds < 60:
        return f"{seconds} s"
    minutes = -(-seconds // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _now(progress: JsonObject) -> list[str]:
    told = []
    copying: Sequence[str] = progress.texts("copying")
    if copying:
        more = f" and {len(copying) - 1} more" if len(copying) > 1 else ""
        told.append(f"copying {printable(copying[0], 300)}{more}")
    archive = progress.object("archive")
    if archive.integer("part"):
        part = f", part {archive.integer('part')}" if archive.integer("parts") > 1 else ""
        told.append(f"archive {format_size(archive.integer('bytes'))}{part}")
    return told
