# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines that describe progress. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.airgap.images.plugins.module_utils._base.errors import printable
from ansible_collections.airgap.images.plugins.module_utils._base.json import JsonObject
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_count, format_size
from ansible_collections.airgap.images.plugins.plugin_utils._display.line import Line, Piece

_STAGES = {
    "list": "reading the list",
    "inspect": "checking the existing archive",
    "resolve": "asking registries for digests and manifests",
    "plan": "comparing with the cache",
    "publish": "putting the archive in place",
}


def save_line(progress: JsonObject) -> Line | None:
    """Describe the progress of a save.

    :param progress: the progress file; see docs/progress.md.
    :returns: ``None`` if there is nothing to show yet.
    :raises JsonError: when it is not a progress file.
    """
    stage = progress.text("stage")
    images = progress.object("images")
    if stage in _STAGES:
        known = images.integer("of") if stage == "resolve" else 0
        return Line((Piece(f"{_STAGES[stage]} (images: {known})" if known else _STAGES[stage]),))
    download, archive = progress.object("bytes"), progress.object("archive")
    if not stage or not (images.integer("of") or archive.integer("part")):
        return None
    done, failed, written = images.integer("done"), images.integer("failed"), archive.integer("bytes")
    pieces = [Piece(f"{done} of {format_count(images.integer('of'), 'image')}")]
    if failed:
        pieces.append(Piece(f"{failed} failed"))
    left = progress.integer("seconds_left") if "seconds_left" in progress else None
    pieces += _moved(download.integer("done"), download.integer("of"), rate=progress.integer("rate"), left=left)
    pieces += _now(progress.texts("copying"), archive)
    return Line(tuple(pieces), news=(done, failed, download.integer("done"), written))


def fetch_line(name: str, number: int, count: int, *, done: int, of: int, rate: int, left: int | None) -> Line:
    """Describe the progress of a fetch.

    :param name: the file that is being transferred.
    :param number: of that file, from 1.
    :param count: of all files.
    :param done: bytes of all files that have arrived.
    :param of: bytes of all files.
    :param rate: bytes a second; 0 if unknown.
    :param left: seconds; ``None`` if unknown.
    """
    pieces = [Piece(f"fetching file {number} of {count}"), Piece("", 5, name=printable(name, 300))]
    return Line((*pieces, *_moved(done, of, rate=rate, left=left)), news=(number, done))


def still_piece(seconds: float) -> Piece:
    """Say for how long nothing has moved."""
    return Piece(f"nothing has moved for {format_duration(int(seconds))}")


def format_duration(seconds: int) -> str:
    """Format the time that is left."""
    if seconds < 60:
        return f"{seconds} s"
    minutes = -(-seconds // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _moved(done: int, of: int, *, rate: int, left: int | None) -> list[Piece]:
    """Describe bytes done of all bytes, and if known, the rate and the time that is left."""
    pieces = [Piece(f"{format_size(done)} of {format_size(of)}", 1)] if of else []
    if rate and done < of:
        pieces.append(Piece(f"{format_size(rate)}/s", 3))
    if left is not None:
        pieces.append(Piece(f"{format_duration(left)} left", 2))
    return pieces


def _now(copying: Sequence[str], archive: JsonObject) -> list[Piece]:
    pieces = []
    if copying:
        more = f" and {len(copying) - 1} more" if len(copying) > 1 else ""
        pieces.append(Piece("copying ", 5, name=printable(copying[0], 300), end=more, joint="; "))
    if archive.integer("part"):
        part = f", part {archive.integer('part')}" if archive.integer("parts") > 1 else ""
        pieces.append(Piece(f"archive {format_size(archive.integer('bytes'))}{part}", 4, joint="; "))
    return pieces
