# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What lies beside an archive for those who get it: a report of what it holds, and a script that restores it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from .._archive.lock import WRITER, Lock
from .._archive.output import REPORT_SUFFIX, RESTORE_SUFFIX, TABLE_SUFFIX, Output
from .._host.files import open_regular
from .._oci.image import FailedImage, ResolvedImage
from .._oci.image_list import InvalidLine
from .._report.restore import is_unbroken, restore_script
from .._report.seal import (
    NO_FAILURES,
    SEALED_WITHIN,
    failures_of,
    is_of_another_release,
)

if TYPE_CHECKING:
    from .._report.facts import Facts

_LARGEST_REPORT = 256 * 1024 * 1024
# About twice what was measured with 150 images of one platform and eight layers.
_BESIDE, _BESIDE_IMAGE, _BESIDE_BLOB = 64 * 1024, 4096, 512
FILES_PER_FOLDER = 4
"""What a platform image has beside its blobs: a directory, and what is in it."""


def make_for_people(name: str, lock: Lock, raw_lock: bytes, facts: Facts | None) -> dict[str, bytes]:
    """The files' content, by suffix.

    :param name: the archive's.
    :param raw_lock: the lock file's bytes.
    :param facts: what the report says beyond the lock file; ``None``: that is not known any more.
    """
    # As large as all the rest together, and for runs that publish something only.
    from .._report.report import render

    report = render(name, lock, raw_lock, facts)
    return {
        REPORT_SUFFIX: report.page,
        TABLE_SUFFIX: report.table,
        RESTORE_SUFFIX: restore_script(name, lock),
    }


def bytes_beside(images: Sequence[ResolvedImage], *, blobs: int) -> int:
    """Bytes at most of all that lies beside an archive: report, table, script, checksums and lock file. An estimate.

    :param blobs: how many the archive has.
    """
    platforms = sum(len(image.platforms) for image in images)
    return _BESIDE + _BESIDE_IMAGE * (len(images) + platforms) + _BESIDE_BLOB * (blobs + FILES_PER_FOLDER * platforms)


def unfit_for_people(output: Output, lock: Lock, raw_lock: bytes) -> tuple[str, ...]:
    """What is wrong with the files that lie there, in words."""
    report = is_of_another_release(_read(output.report_file), _read(output.table_file), raw_lock)
    script = _is_script_of_another_release(output, lock)
    told = [
        f"{output.name}{suffix} does not fit the lock file"
        for suffix, is_other in ((REPORT_SUFFIX, report), (RESTORE_SUFFIX, script))
        if is_other is None
    ]
    if report or script:  # to renew one of them is to renew both
        release = "an earlier" if lock.writer < WRITER else "another"
        told.append(f"report and script written anew, as {release} release made them")
    return tuple(told)


def _is_script_of_another_release(output: Output, lock: Lock) -> bool | None:
    """Whether the script is another release's, which has other words for the same files.

    :returns: ``None`` where it is damaged, or that of another archive.
    """
    wanted = restore_script(output.name, lock)
    script = _read(output.restore_file, most=2 * len(wanted))
    if script == wanted:
        return False
    if not is_unbroken(script, output.name, lock):
        return None
    return lock.writer == WRITER  # who has made such an archive has made the script that goes with it


def standing_facts(output: Output, lock: Lock) -> Facts | None:
    """What the report that lies there says of the archive beyond its lock file; ``None``: nothing that can be used.

    :param lock: of the archive.
    """
    from .._report.facts import facts_of

    facts = facts_of(_read(output.report_file))
    return facts if facts is not None and facts.is_about(lock) else None


def standing_failures(output: Output) -> str:
    """A digest over what the report that lies there says of failures; empty where it does not know.

    Of a report that fits the lock file: only its beginning is read.
    """
    with suppress(OSError), open_regular(output.report_file) as file:
        return failures_of(file.read(SEALED_WITHIN))
    return ""


def failures_now(failed: Sequence[FailedImage], invalid: Sequence[InvalidLine]) -> str:
    """The same of what failed in this run."""
    if not failed and not invalid:
        return NO_FAILURES
    from .._report.facts import digest_of_failures

    return digest_of_failures(failed, invalid)


def _read(path: str, *, most: int = _LARGEST_REPORT) -> bytes:
    """A file's bytes; none where it cannot be read or holds more, which is as good as another content."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size  # what is asked for is taken hold of, needed or not
            return file.read(size) if size <= most else b""
    except OSError:
        return b""
