# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How two lock files differ, in lines for people (C(--diff)): by image and by file. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .._base.errors import printable
from .._base.size import format_bytes
from .lock import Lock, LockedImage


def record_lines(lock: Lock | None, hosts: Mapping[str, str] | None = None) -> list[str]:
    """Describe what a lock file records: a line for each reference.

    :param lock: ``None``: there is none.
    :param hosts: which host has which reference, in the record of a set.
    """
    if lock is None:
        return []
    lines = [_image_line(image, (hosts or {}).get(str(image.reference), "")) for image in lock.images]
    lines += [f"skipped {skip.reference}: {skip.reason}" for skip in lock.skipped]
    lines += [f"failed {reference}" for reference in lock.failed]
    return [printable(line) for line in lines]


def file_line(name: str, size: int, sha256: str) -> str:
    """Describe a file."""
    return printable(f"file {name}: {format_bytes(size)}, sha256:{sha256}")


def changed_only(before: Iterable[str], after: Iterable[str]) -> dict[str, str]:
    """Return the texts before and after, as Ansible shows them, without the lines that are in both."""
    old, new = dict.fromkeys(before), dict.fromkeys(after)
    return {"before": _text(line for line in old if line not in new), "after": _text(n for n in new if n not in old)}


def _image_line(image: LockedImage, host: str) -> str:
    platforms = ", ".join(str(one.platform or "artefact") for one in image.platforms)
    return f"image {image.reference}: {image.digest} ({platforms}){f' on {host}' if host else ''}"


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
