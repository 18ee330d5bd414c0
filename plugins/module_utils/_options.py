# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run is asked to do, typed and checked. Pure: no file and no network is touched here."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from ._errors import OptionError
from ._platform import PlatformFilter
from ._reference import SourceRegistry

SYSTEM_POLICY, INSECURE_POLICY = "system", "insecure"
GZIP, ZSTD, NONE, DIR = "gzip", "zstd", "none", "dir"
# What stands beside an archive is named after it.
LOCK_SUFFIX, CHECKSUM_SUFFIX = ".lock.json", ".sha256"
REPORT_SUFFIX, TABLE_SUFFIX, RESTORE_SUFFIX = ".report.html", ".report.csv", ".restore.sh"
FOR_PEOPLE = (REPORT_SUFFIX, TABLE_SUFFIX, RESTORE_SUFFIX)
"""What lies beside an archive for those who get it."""

BESIDE = {
    "checksum_file": CHECKSUM_SUFFIX,
    "report_file": REPORT_SUFFIX,
    "table_file": TABLE_SUFFIX,
    "restore_file": RESTORE_SUFFIX,
    "lock_file": LOCK_SUFFIX,
}
"""All that lies beside an archive, by the names of return values; the lock file is the last to get its name."""

_SUFFIXES: dict[str, tuple[str, ...]] = {
    GZIP: (".tar.gz", ".tgz"),
    ZSTD: (".tar.zst", ".tar.zstd", ".tzst"),
    NONE: (".tar",),
    DIR: ("",),
}
_LEVELS = {GZIP: (0, 9), ZSTD: (1, 22)}


@dataclass(frozen=True)
class Selection:
    """Which images, and which of their platforms.

    :param images: references of the ``images`` option.
    :param list_files: paths of lists.
    :param list_format: how these are written (:data:`_image_list.LIST_FORMATS`).
    :param from_lock: path of a lock file whose digests are to be saved, instead of a list.
    """

    images: tuple[str, ...]
    list_files: tuple[str, ...]
    list_format: str
    from_lock: str | None
    platforms: PlatformFilter
    fail_on_missing_platform: bool
    include_foreign_layers: bool


@dataclass(frozen=True)
class Output:
    """What is to be written, and where.

    :param dest: absolute path of the archive, with its suffix; of the directory for ``dir``.
    :param compress_level: ``None``: layers that are compressed already are stored, the rest is compressed lightly.
    :param part_size: bytes of each part; ``None``: one file.
    :param has_attributes: whether files are to get a mode, an owner, or anything of that kind, of their own.
    :param part_digits: least width of the part's number; ``None``: as wide as the last part's number.
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

    @property
    def directory(self) -> str:
        return os.path.dirname(self.dest)

    @property
    def name(self) -> str:
        return os.path.basename(self.dest)

    @property
    def lock_file(self) -> str:
        return f"{self.dest}{LOCK_SUFFIX}"

    @property
    def checksum_file(self) -> str:
        return f"{self.dest}{CHECKSUM_SUFFIX}"

    @property
    def report_file(self) -> str:
        return f"{self.dest}{REPORT_SUFFIX}"

    @property
    def table_file(self) -> str:
        return f"{self.dest}{TABLE_SUFFIX}"

    @property
    def restore_file(self) -> str:
        return f"{self.dest}{RESTORE_SUFFIX}"

    @property
    def for_people(self) -> tuple[str, ...]:
        """Paths of what lies beside the archive for those who get it."""
        return tuple(f"{self.dest}{suffix}" for suffix in FOR_PEOPLE)


@dataclass(frozen=True)
class Login:
    """Credentials of one registry. The password never shows in a representation."""

    registry: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Access:
    """How registries are reached.

    :param source: the registry that takes the place of each reference's own.
    :param login: ``username``/``password``, whose registry follows from the list.
    :param logins: ``registries``.
    """

    source: SourceRegistry | None
    login: tuple[str, str] | None = field(repr=False)
    logins: tuple[Login, ...]
    authfile: str | None
    validate_certs: bool
    ca_path: str | None
    client_cert: str | None
    client_key: str | None


@dataclass(frozen=True)
class Work:
    """How the work is done; times in seconds.

    :param timeout: for all copies of one platform image, its retries included.
    :param stall_timeout: for a transfer in which no byte moves.
    """

    cache_dir: str
    jobs: int
    retries: int
    retry_delay: float
    timeout: float
    stall_timeout: float
    lock_timeout: float
    verify: str
    keep_cache: bool
    prune_cache: bool
    skopeo_path: str
    signature_policy: str | None
    insecure_policy: bool


@dataclass(frozen=True)
class Options:
    """All that a run is asked to do.

    :param check: answer from the plan and touch nothing.
    """

    selection: Selection
    output: Output
    access: Access
    work: Work
    check: bool = False


def complete_dest(dest: str, compress: str) -> str:
    """Make ``dest`` absolute and add the suffix of the format where it is missing; only the last component counts.

    :raises OptionError: when the path ends in no name.
    """
    if compress == DIR:
        dest = dest.rstrip("/")
    name = os.path.basename(dest)
    if name in ("", ".", ".."):
        raise OptionError(f"dest: {dest!r} must end in a file name, such as /srv/export/images.tar.gz")
    suffixes = _SUFFIXES[compress]
    if not name.endswith(suffixes) or name in suffixes:
        base = name[: -len(".tar")] if name.endswith(".tar") and name != ".tar" else name
        dest = os.path.join(os.path.dirname(dest), base + suffixes[0])
    return os.path.abspath(dest)


def compress_of(name: str) -> str:
    """What kind of archive a name is that of, by its suffix; without one, that of a directory."""
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
        raise OptionError(f"compress_level: has no meaning with compress={compress}; leave it out")
    low, high = _LEVELS[compress]
    if not low <= level <= high:
        raise OptionError(f"compress_level: {level} is not a level of {compress}; accepted are {low} to {high}")


def check_range(option: str, value: float, low: float, high: float) -> None:
    """Refuse a number outside of its range.

    :raises OptionError: names the accepted range.
    """
    if not low <= value <= high:
        raise OptionError(f"{option}: {value:g} is out of range; accepted are {low:g} to {high:g}")


def is_path(text: str) -> bool:
    """Whether the system would take a text as a path: bytes without zero, however they came to be text."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def is_text(path: str) -> bool:
    """Whether a path's bytes are UTF-8, and so can be written into a document."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
