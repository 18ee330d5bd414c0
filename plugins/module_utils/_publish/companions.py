# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files beside an archive for those who get it: the report of what it holds, and the script that restores it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .._archive.lock import WRITER, Lock
from .._archive.output import (
    FACTS_SUFFIX,
    REPORT_SUFFIX,
    RESTORE_SUFFIX,
    TABLE_SUFFIX,
    Output,
)
from .._host.files import is_content, open_regular, sha256_of_open
from .._oci.image import ResolvedImage
from .._report.facts import Facts
from .._report.facts_file import FactsFile, is_of_another_version, read_facts_file
from .._report.restore import is_unbroken, restore_pieces

_LARGEST_REPORT = 256 * 1024 * 1024
_SEAL = b'<meta name="seal" content="lock:'
_SEALED_WITHIN = 1024
# About twice what was measured with 150 images of one platform and eight layers.
_BESIDE, _BESIDE_IMAGE, _BESIDE_BLOB = 64 * 1024, 4096, 512
FILES_PER_FOLDER = 4
"""The files of a platform image besides its blobs: a directory, and what is in it."""


@dataclass(frozen=True)
class Companions:
    """The state of the files beside a published archive.

    :param untidy: what is wrong with them, in words.
    :param failures: digest of what the report says of failures; empty where that is not known.
    """

    untidy: tuple[str, ...]
    failures: str


def make_companions(
    name: str, lock: Lock, lock_sha256: str, facts: Facts | None
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield the suffixes of the files, and their content in pieces.

    :param name: the archive's.
    :param lock_sha256: of the lock file.
    :param facts: what the report says beyond the lock file; ``None``: that is not known any more.
    """
    # As large as all the rest together, and for runs that publish something only.
    from .._report.report import render

    report = render(name, lock, lock_sha256, facts)
    yield REPORT_SUFFIX, [report.page]
    yield TABLE_SUFFIX, [report.table]
    yield FACTS_SUFFIX, [report.facts]
    del report
    yield RESTORE_SUFFIX, restore_pieces(name, lock)


def bytes_beside(images: Sequence[ResolvedImage], *, blobs: int) -> int:
    """Estimate how many bytes the files beside an archive have at most: report, script, checksums and lock file.

    :param blobs: how many the archive has.
    """
    platforms = sum(len(image.children) for image in images)
    return _BESIDE + _BESIDE_IMAGE * (len(images) + platforms) + _BESIDE_BLOB * (blobs + FILES_PER_FOLDER * platforms)


def inspect_companions(output: Output, lock: Lock, lock_sha256: str) -> Companions:
    """Compare report and script with the lock file that they should belong to.

    :param lock_sha256: of the lock file.
    """
    raw_facts = _read(output.facts_file)
    found = read_facts_file(raw_facts)
    # None of it is read any further: whatever it says, the report is made again.
    is_other_report = found is None and _is_report_of_another_release(output, raw_facts)
    script = _is_script_of_another_release(output, lock)
    unfit = [] if is_other_report else _unfit_of_report(output, found, lock_sha256)
    unfit += [RESTORE_SUFFIX] if script is None else []
    told = [f"{output.name}{suffix} does not match the lock file" for suffix in unfit]
    if is_other_report or script:  # to renew one of them is to renew both
        release = "an earlier" if lock.writer < WRITER else "another"
        told.append(f"report and script renewed, as {release} release made them")
    facts = found.facts if found is not None else None
    return Companions(tuple(told), facts.failures if facts is not None else "")


def published_facts(output: Output, lock: Lock) -> Facts | None:
    """Read what the published report says of an archive beyond its lock file.

    The page and the table need not be whole for it.

    :param lock: of the archive.
    :returns: ``None`` where there is nothing that can be used.
    """
    found = read_facts_file(_read(output.facts_file))
    facts = found.facts if found is not None else None
    return facts if facts is not None and facts.is_about(lock) else None


def _unfit_of_report(output: Output, found: FactsFile | None, lock_sha256: str) -> list[str]:
    """Name the files of the report that are damaged, missing or another archive's, by suffix."""
    if found is None or found.lock != lock_sha256:
        return [FACTS_SUFFIX]
    wanted = {REPORT_SUFFIX: found.page, TABLE_SUFFIX: found.table}
    return [suffix for suffix, sha256 in wanted.items() if _sha256(f"{output.dest}{suffix}") != sha256]


def _is_report_of_another_release(output: Output, raw_facts: bytes) -> bool:
    """Return True if another release wrote the report.

    :param raw_facts: the bytes of its facts; earlier releases put them into the page, and a seal at its beginning.
    """
    return is_of_another_version(raw_facts) or (not raw_facts and _SEAL in _read(output.report_file)[:_SEALED_WITHIN])


def _is_script_of_another_release(output: Output, lock: Lock) -> bool | None:
    """Return True if another release wrote the script, in other words for the same files.

    :returns: ``None`` where it is damaged, or another archive's.
    """
    if is_content(output.restore_file, restore_pieces(output.name, lock)):
        return False
    script = _read(output.restore_file, most=2 * sum(map(len, restore_pieces(output.name, lock))))
    if not is_unbroken(script, output.name, lock):
        return None
    return lock.writer == WRITER  # the release that made such an archive also made the script that goes with it


def _read(path: str, *, most: int = _LARGEST_REPORT) -> bytes:
    """Read a file; empty where it cannot be read or holds more, which is as good as other content."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size  # memory is taken for all that is asked for
            return file.read(size) if size <= most else b""
    except OSError:
        return b""


def _sha256(path: str) -> str:
    """Hash a file; empty where it cannot be read, or is larger than any report."""
    try:
        with open_regular(path) as file:
            return sha256_of_open(file) if os.fstat(file.fileno()).st_size <= _LARGEST_REPORT else ""
    except OSError:
        return ""
