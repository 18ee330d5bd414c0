# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The archive that is to be written: its form, its path, and the names of the files beside it. Pure."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .._base.errors import OptionError

GZIP, ZSTD, NONE, DIR = "gzip", "zstd", "none", "dir"
FORMATS = (GZIP, ZSTD, NONE, DIR)
PART_DIGITS = range(1, 10)
"""The least widths that the number of a part may be given."""

AT_SIZE, AT_IMAGE = "size", "image"
"""Where parts end: at their size alone, or at the end of each image as well."""

# Files beside an archive are named after it.
LOCK_SUFFIX, CHECKSUM_SUFFIX = ".lock.json", ".sha256"
REPORT_SUFFIX, TABLE_SUFFIX, FACTS_SUFFIX = ".report.html", ".report.csv", ".report.json"
RESTORE_SUFFIX = ".restore.sh"
COMPANIONS = (REPORT_SUFFIX, TABLE_SUFFIX, FACTS_SUFFIX, RESTORE_SUFFIX)
"""The report and the script beside an archive. They can be made again from the lock file, except for the facts."""

BESIDE = {
    "checksum_file": CHECKSUM_SUFFIX,
    "report_file": REPORT_SUFFIX,
    "table_file": TABLE_SUFFIX,
    "facts_file": FACTS_SUFFIX,
    "restore_file": RESTORE_SUFFIX,
    "lock_file": LOCK_SUFFIX,
}
"""All files beside an archive, by the names of return values; the lock file is the last to get its name."""

_SUFFIXES: dict[str, tuple[str, ...]] = {
    GZIP: (".tar.gz", ".tgz"),
    ZSTD: (".tar.zst", ".tar.zstd", ".tzst"),
    NONE: (".tar",),
    DIR: ("",),
}
_LEVELS = {GZIP: (0, 9), ZSTD: (1, 22)}


@dataclass(frozen=True)
class Output:
    """The archive that is to be written.

    :param dest: absolute path of the archive, with its suffix; of the directory for ``dir``.
    :param compress_level: ``None``: layers that are compressed already are stored, the rest is compressed lightly.
    :param part_size: bytes of each part at most; ``None``: one file, or one for each image.
    :param part_at: :data:`AT_SIZE` or :data:`AT_IMAGE`.
    :param has_attributes: whether files are to get a mode, an owner, or anything of that kind, of their own.
    :param part_digits: least width of the part's number; ``None``: as wide as the last part's number.
    :param parity: whether there are files from which a lost part can be made again.
    :param only_parts: numbers of the parts that are kept while the others are thrown away; ``None``: all are kept.
    """

    dest: str
    compress: str
    compress_level: int | None
    part_size: int | None
    part_digits: int | None
    failed_list: str | None
    allow_partial: bool
    force: bool
    has_attributes: bool = False
    part_at: str = AT_SIZE
    parity: bool = False
    only_parts: frozenset[int] | None = None

    @property
    def directory(self) -> str:
        """Path of the directory that holds the archive."""
        return os.path.dirname(self.dest)

    @property
    def name(self) -> str:
        """Name of the archive."""
        return os.path.basename(self.dest)

    @property
    def is_split(self) -> bool:
        """True if the archive is in parts, even if that is a single one."""
        return self.part_size is not None or self.part_at == AT_IMAGE

    @property
    def lock_file(self) -> str:
        """Path of the lock file."""
        return f"{self.dest}{LOCK_SUFFIX}"

    @property
    def checksum_file(self) -> str:
        """Path of the checksums."""
        return f"{self.dest}{CHECKSUM_SUFFIX}"

    @property
    def report_file(self) -> str:
        """Path of the page of the report."""
        return f"{self.dest}{REPORT_SUFFIX}"

    @property
    def table_file(self) -> str:
        """Path of the table of the report."""
        return f"{self.dest}{TABLE_SUFFIX}"

    @property
    def facts_file(self) -> str:
        """Path of the facts of the report."""
        return f"{self.dest}{FACTS_SUFFIX}"

    @property
    def restore_file(self) -> str:
        """Path of the restore script."""
        return f"{self.dest}{RESTORE_SUFFIX}"

    @property
    def companions(self) -> tuple[str, ...]:
        """The paths of report and script."""
        return tuple(f"{self.dest}{suffix}" for suffix in COMPANIONS)


def complete_dest(dest: str, compress: str) -> str:
    """Make ``dest`` absolute and add the suffix of the format where it is missing; only the last component counts.

    :raises OptionError: when the path ends in no name.
    """
    return os.path.abspath(with_suffix(dest, compress))


def with_suffix(dest: str, compress: str) -> str:
    """Add the suffix of the format to a path where it is missing, and change nothing else; only the last component
    counts.

    :param compress: one of :data:`GZIP`, :data:`ZSTD`, :data:`NONE` and :data:`DIR`.
    :raises OptionError: when the path ends in no name.
    """
    if compress == DIR:
        dest = dest.rstrip("/")
    name = os.path.basename(dest)
    if name in ("", ".", ".."):
        raise OptionError(f"dest: {dest!r} must end in a file name, such as /srv/export/images.tar.gz")
    suffixes = _SUFFIXES[compress]
    if name.endswith(suffixes) and name not in suffixes:
        return dest
    base = name[: -len(".tar")] if name.endswith(".tar") and name != ".tar" else name
    return os.path.join(os.path.dirname(dest), base + suffixes[0])


def with_word(name: str, word: str, compress: str) -> str:
    """Add a word to the name of an archive, before its suffix: ``images-north.tar.gz``.

    :param name: with the suffix of the format.
    :param compress: one of :data:`GZIP`, :data:`ZSTD`, :data:`NONE` and :data:`DIR`.
    """
    suffix = next((each for each in _SUFFIXES[compress] if name.endswith(each)), "")
    return f"{name[: len(name) - len(suffix)]}-{word}{suffix}"


def compress_of(name: str) -> str:
    """Return the form of an archive by the suffix of its name; without one, it is a directory."""
    for compress in (GZIP, ZSTD, NONE):
        if name.endswith(_SUFFIXES[compress]) and name not in _SUFFIXES[compress]:
            return compress
    return DIR


def check_level(level: int | None, compress: str) -> None:
    """Refuse a ``compress_level`` that the format does not have.

    :raises OptionError: names the accepted range.
    """
    if level is None:
        return
    if compress not in _LEVELS:
        raise OptionError(f"compress_level: has no effect with compress={compress}; leave it out")
    low, high = _LEVELS[compress]
    if not low <= level <= high:
        raise OptionError(f"compress_level: {level} is not a level of {compress}; accepted are {low} to {high}")
