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

_SAVING = {
    "list": "reading the list",
    "inspect": "checking the existing archive",
    "resolve": "asking registries for digests and manifests",
    "plan": "comparing with the cache",
    "parity": "making parity files",
    "publish": "putting the archive in place",
}
_VERIFYING = {
    "read": "finding the archives",
    "images": "finding the images that need what is lost",
}
_READING = {"verify": "checking", "repair": "making lost parts again"}
_LOADING = {
    "read": "reading the archives",
    "verify": "checking the parts",
    "ask": "asking the registry for what it has",
    "projects": "creating projects in the registry",
    "compare": "comparing with the existing file",
}


def save_line(progress: JsonObject) -> Line | None:
    """Describe the progress of a save.

    :param progress: the progress file; see docs/progress.md.
    :returns: ``None`` if there is nothing to show yet.
    :raises JsonError: when it is not a progress file.
    """
    stage = progress.text("stage")
    images = progress.object("images")
    if stage in _SAVING:
        return _step(_SAVING[stage], images.integer("of") if stage == "resolve" else 0)
    archive = progress.object("archive")
    if not stage or not (images.integer("of") or archive.integer("part")):
        return None
    pieces = [*_images(images), *_bytes(progress), *_under_way("copying", progress.texts("copying"))]
    if archive.integer("part"):
        part = f", part {archive.integer('part')}" if archive.integer("parts") > 1 else ""
        pieces.append(Piece(f"archive {format_size(archive.integer('bytes'))}{part}", 4, joint="; "))
    return Line(tuple(pieces), news=(*_counts(progress), archive.integer("bytes")))


def load_line(progress: JsonObject) -> Line | None:
    """Describe the progress of a load.

    :param progress: the progress file; see docs/progress.md.
    :returns: ``None`` if there is nothing to show yet.
    :raises JsonError: when it is not a progress file.
    """
    stage = progress.text("stage")
    images = progress.object("images")
    if stage in _LOADING:
        return _step(_LOADING[stage], images.integer("of"))
    if not stage:
        return None
    retries = progress.integer("retries")
    if stage == "write":
        moved = progress.object("bytes").integer("done")
        return Line((Piece("writing the file"), *_bytes(progress)), news=(moved,))
    pieces = [*_images(images), *_bytes(progress), *_under_way("pushing", progress.texts("copying"))]
    if retries:
        pieces.append(Piece("1 retry" if retries == 1 else f"{retries} retries", 4, joint="; "))
    return Line(tuple(pieces), news=(*_counts(progress), retries))


def verify_line(progress: JsonObject) -> Line | None:
    """Describe the progress of a verification.

    :param progress: the progress file; see docs/progress.md.
    :returns: ``None`` if there is nothing to show yet.
    :raises JsonError: when it is not a progress file.
    """
    stage = progress.text("stage")
    if stage in _VERIFYING:
        return _step(_VERIFYING[stage], 0)
    if stage not in _READING:
        return None
    wrong = progress.object("images").integer("failed")
    pieces = [Piece(_READING[stage]), *([Piece(f"{format_count(wrong, 'part')} wrong")] if wrong else [])]
    pieces += [*_bytes(progress), *_under_way("reading", progress.texts("copying"))]
    return Line(tuple(pieces), news=(wrong, progress.object("bytes").integer("done")))


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


def send_line(name: str, number: int, count: int, *, done: int, of: int, rate: int, left: int | None) -> Line:
    """Describe the progress of files on their way to a host; the parameters are those of :func:`fetch_line`."""
    pieces = [Piece(f"copying file {number} of {count} to the host"), Piece("", 5, name=printable(name, 300))]
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


def _step(text: str, images: int) -> Line:
    """Describe a step that has no figures but the number of images, where it is known."""
    return Line((Piece(f"{text} (images: {images})" if images else text),))


def _images(images: JsonObject) -> list[Piece]:
    """Describe how many images are done, and how many failed."""
    pieces = [Piece(f"{images.integer('done')} of {format_count(images.integer('of'), 'image')}")]
    if images.integer("failed"):
        pieces.append(Piece(f"{images.integer('failed')} failed"))
    return pieces


def _bytes(progress: JsonObject) -> list[Piece]:
    """Describe the bytes of a progress file."""
    moved = progress.object("bytes")
    left = progress.integer("seconds_left") if "seconds_left" in progress else None
    return _moved(moved.integer("done"), moved.integer("of"), rate=progress.integer("rate"), left=left)


def _counts(progress: JsonObject) -> tuple[int, ...]:
    """Return what differs if anything has moved."""
    images = progress.object("images")
    return images.integer("done"), images.integer("failed"), progress.object("bytes").integer("done")


def _under_way(verb: str, names: Sequence[str]) -> list[Piece]:
    """Name the first of the images that are under way, and count the others."""
    if not names:
        return []
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return [Piece(f"{verb} ", 5, name=printable(names[0], 300), end=more, joint="; ")]
