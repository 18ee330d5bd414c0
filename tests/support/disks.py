# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystems of a test's own: small ones, full ones, read-only ones, such as have a quota, and that of a USB stick.

Mounting wants root, or sudo without a password.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LEAST_BTRFS = 128 * 1024 * 1024
_LEAST_EXT4 = 32 * 1024 * 1024


@contextmanager
def small_disk(path: Path, size: int, *, files: int | None = None) -> Iterator[Path]:
    """A filesystem of ``size`` bytes, which has room for so many ``files`` if that is given, until the block ends."""
    path.mkdir(parents=True, exist_ok=True)
    options = f"size={size},mode=0755,uid={os.geteuid()}" + ("" if files is None else f",nr_inodes={files}")
    _as_root("mount", "-t", "tmpfs", "-o", options, "tests", str(path))
    try:
        yield path
    finally:
        _as_root("umount", "--lazy", str(path))


def resize(path: Path, *, size: int | None = None, files: int | None = None) -> None:
    """Gives a small disk another size, or room for another number of files."""
    options = [*([] if size is None else [f"size={size}"]), *([] if files is None else [f"nr_inodes={files}"])]
    _as_root("mount", "-o", ",".join(["remount", *options]), str(path))


def used_files(path: Path) -> int:
    """How many files, directories and links a disk holds."""
    found = os.statvfs(path)
    return found.f_files - found.f_ffree


def fill(path: Path, *, leave: int = 0) -> None:
    """Takes all the space that is left there, but for about so many bytes."""
    with path.open("wb", buffering=0) as file:
        for size in (64 * 1024, 4096):
            try:
                while file.write(b"\0" * size):
                    pass
            except OSError:
                continue
        os.ftruncate(file.fileno(), max(0, os.fstat(file.fileno()).st_size - leave))


@contextmanager
def read_only(path: Path) -> Iterator[Path]:
    """Has a disk, which is mounted there, take no more writes until the block ends."""
    _as_root("mount", "-o", "remount,ro", str(path))
    try:
        yield path
    finally:
        _as_root("mount", "-o", "remount,rw", str(path))


def has_quotas() -> bool:
    """Return True if this machine can make a filesystem that has quotas: with the programs of btrfs."""
    return shutil.which("mkfs.btrfs") is not None and "\tbtrfs\n" in Path("/proc/filesystems").read_text("ascii")


@contextmanager
def limited_disk(path: Path, image: Path, limit: int) -> Iterator[Path]:
    """A directory of a filesystem with much room, of which whoever writes there has ``limit`` bytes."""
    path.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(_LEAST_BTRFS)
    subprocess.run(["mkfs.btrfs", "-q", str(image)], check=True, capture_output=True)
    whole = image.with_suffix(".mounted")
    whole.mkdir()
    _as_root("mount", "-o", "loop", str(image), str(whole))
    try:
        _as_root("btrfs", "quota", "enable", str(whole))
        _as_root("btrfs", "subvolume", "create", str(whole / "limited"))
        _as_root("mount", "--bind", str(whole / "limited"), str(path))
        try:
            change_limit(path, limit)
            yield path
        finally:
            _as_root("umount", "--lazy", str(path))
    finally:
        _as_root("umount", "--lazy", str(whole))
        whole.rmdir()
        image.unlink()


@contextmanager
def flagged_disk(path: Path, image: Path) -> Iterator[Path]:
    """A filesystem whose files have the flags of chattr(1): ext4."""
    path.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(_LEAST_EXT4)
    owner = f"root_owner={os.geteuid()}:{os.getegid()}"
    mkfs = shutil.which("mkfs.ext4", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") or "mkfs.ext4"
    subprocess.run([mkfs, "-q", "-E", owner, str(image)], check=True, capture_output=True)
    _as_root("mount", "-o", "loop", str(image), str(path))
    try:
        yield path
    finally:
        _as_root("umount", "--lazy", str(path))
        image.unlink()


@contextmanager
def bound(source: Path, path: Path) -> Iterator[Path]:
    """A directory or file that is seen in another place too, until the block ends: one filesystem, but no link leads
    over."""
    if source.is_dir():
        path.mkdir(parents=True, exist_ok=True)
    _as_root("mount", "--bind", str(source), str(path))
    try:
        yield path
    finally:
        _as_root("umount", "--lazy", str(path))


@contextmanager
def overlaid(lower: Path, path: Path, size: int) -> Iterator[Path]:
    """A directory as a container sees one of its image: what changes goes to a layer above it, until the block ends.

    No directory of the lower layer can be renamed (EXDEV).

    :param size: bytes of the upper layer.
    """
    path.mkdir(parents=True, exist_ok=True)
    above = path.with_name(f"{path.name}.above")
    with small_disk(above, size) as upper:
        for name in ("upper", "work"):
            (upper / name).mkdir()
        options = f"lowerdir={lower},upperdir={upper / 'upper'},workdir={upper / 'work'}"
        _as_root("mount", "-t", "overlay", "-o", options, "tests", str(path))
        try:
            yield path
        finally:
            _as_root("umount", "--lazy", str(path))
    above.rmdir()


def used(path: Path) -> int:
    """How many bytes of a limited disk's limit are used."""
    _as_root("btrfs", "filesystem", "sync", str(path))
    shown = subprocess.run(["btrfs", "qgroup", "show", "--raw", "-f", str(path)], check=True, capture_output=True)
    return int(shown.stdout.split()[-2])


def change_limit(path: Path, limit: int | None) -> None:
    """Gives a limited disk another limit, or none."""
    _as_root("btrfs", "filesystem", "sync", str(path))
    _as_root("btrfs", "qgroup", "limit", "none" if limit is None else str(limit), str(path))


@contextmanager
def exfat_disk(path: Path, image: Path, size: int, *, options: str = "") -> Iterator[Path]:
    """An exFAT filesystem, as a USB stick has it, mounted until the block ends.

    By exfat-fuse, as kernels of test machines know neither exFAT nor FAT; it wants a device.

    :param options: of mount; by default only who runs the tests may read and write there.
    """
    path.mkdir(parents=True, exist_ok=True)
    if not image.exists():
        with image.open("wb") as file:
            file.truncate(size)
        subprocess.run(["/usr/sbin/mkfs.exfat", str(image)], check=True, capture_output=True)
    device = _as_root("losetup", "--find", "--show", str(image)).strip()
    try:
        mount = options or f"uid={os.geteuid()},gid={os.getegid()},umask=077"
        _as_root("/usr/sbin/mount.exfat-fuse", "-o", mount, device, str(path))
        try:
            yield path
        finally:
            _as_root("umount", "--lazy", str(path))
    finally:
        _as_root("losetup", "--detach", device)


def _as_root(*command: str) -> str:
    become = [] if os.geteuid() == 0 else ["sudo", "-n"]
    return subprocess.run([*become, *command], check=True, stdout=subprocess.PIPE, text=True).stdout
