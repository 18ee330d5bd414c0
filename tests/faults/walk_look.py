# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requirements that hold at every step of the walk, looked up on disk."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..support.archive import Archive, file_sha256
from ..support.archive_check import check_archive
from ..support.module import Result
from .site import Site
from .trial import require
from .walk_images import FAILED, SAVED, SKIPPED

if TYPE_CHECKING:
    from .walk_moves import Walker

Snapshot = Mapping[str, tuple[object, ...]]
"""The state of each path, by its name: kind, mode and content first, then what changes when it is written to."""

_OF_A_RUN = (".run-", ".staging")
_CONTENT_FIELDS = 3


@dataclass(frozen=True)
class Scope:
    """A part of a snapshot.

    :param belongs: whether a path does.
    :param fields: so many are compared.
    :param of_folders: the same for folders, where that is less: another one may have been made in them and removed.
    """

    belongs: Callable[[str], bool]
    fields: int | None
    of_folders: int | None = None


EVERYTHING = Scope(lambda _name: True, None)
"""Every path, and also that nobody wrote the same again."""

CONTENT = Scope(lambda name: not name.startswith(("home", "tmp")), _CONTENT_FIELDS)
"""The content of files, but not when they were written."""

PUBLISHED = Scope(lambda name: name.startswith("out"), _CONTENT_FIELDS)
"""The same of archives and what stands beside them."""

PUBLISHED_UNTOUCHED = Scope(lambda name: name.startswith("out"), None, _CONTENT_FIELDS)
"""Archives and what stands beside them were not written to."""

UNTOUCHED = Scope(lambda name: not name.startswith(("home", "tmp")), None)
"""Neither archives nor the cache were written to."""


def snapshot(folder: Path) -> Snapshot:
    """All below a folder."""
    found: dict[str, tuple[object, ...]] = {}
    for path in folder.rglob("*"):
        seen = path.lstat()
        content = ""
        if stat.S_ISREG(seen.st_mode):
            content = file_sha256(path)
        elif stat.S_ISLNK(seen.st_mode):
            content = os.readlink(path)
        kind, mode = stat.S_IFMT(seen.st_mode), stat.S_IMODE(seen.st_mode)
        written = (seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns)
        found[str(path.relative_to(folder))] = (kind, mode, content, *written)
    return found


def require_same(before: Snapshot, after: Snapshot, scope: Scope, what: str, *, but: Path | None = None) -> None:
    """:raises Violation: something in the scope differs"""
    excepted = but.name if but else ""
    names = {name for name in before.keys() | after.keys() if scope.belongs(name) and Path(name).name != excepted}
    differ = [name for name in sorted(names) if _cut(before, name, scope) != _cut(after, name, scope)]
    shown = [(name, before.get(name), after.get(name)) for name in differ[:3]]
    require(not differ, f"{what} changes {len(differ)} paths: {shown}")


def _cut(found: Snapshot, name: str, scope: Scope) -> tuple[object, ...] | None:
    if name not in found:
        return None
    is_folder = found[name][0] == stat.S_IFDIR
    return found[name][: scope.of_folders if is_folder and scope.of_folders else scope.fields]


def require_nothing_left(site: Site) -> None:
    """:raises Violation: a run has left a process, a file of its own, or the password"""
    site.require_nothing_running()
    names = [str(path.relative_to(site.folder)) for path in site.folder.rglob("*")]
    left = [name for name in names if any(mark in name for mark in _OF_A_RUN) or name.startswith("tmp/")]
    require(not left, f"left over: {left[:5]}")
    site.require_no_secret()


def require_sums(walker: Walker, done: Result) -> None:
    """Every line ends as saved, skipped or failed, as it has to, and the counts add up.

    :raises Violation: it is not so
    """
    state, shelf = walker.state, walker.shelf
    lines = [line for line in state.lines if line.strip() and not line.startswith(("#", "//"))]
    told = {image["reference"]: image for image in done["images"]}
    count = len(told) + len(done["invalid_lines"]) + done["stats"]["duplicates"]
    require(count == len(lines), f"{len(lines)} lines, but {count} are told: {done.data}")
    require(len(told) == len(done["images"]), "an image is told twice")
    expected = {reference: shelf.status(reference, state) for reference in told}
    is_failure = FAILED in expected.values() or bool(done["invalid_lines"])
    is_failure = (is_failure and not state.options.get("allow_partial")) or SAVED not in expected.values()
    require(done.failed is is_failure, f"it should {'' if is_failure else 'not '}fail, as of {expected}: {done.msg}")
    saved = "fetched" if done.failed else SAVED
    for reference, image in told.items():
        wanted = {SAVED: saved}.get(expected[reference], expected[reference])
        require(image["status"] == wanted, f"{reference} is {image['status']} and should be {wanted}: {image}")
        _require_content(walker, image)
    for name, status in (("failed_images", FAILED), ("skipped_images", SKIPPED)):
        references = sorted(each["reference"] for each in done[name])
        wanted_ones = sorted(each for each in told if expected[each] == status)
        require(references == wanted_ones, f"{name} are {references} instead of {wanted_ones}")


def _require_content(walker: Walker, image: Mapping[str, Any]) -> None:
    """Digests and platforms are those that the registry has under the reference now."""
    pushed = walker.shelf.image_of(image["reference"], walker.state)
    if pushed is None or image["status"] not in (SAVED, "fetched"):
        return
    require(image["digest"] == pushed.digest, f"{image['reference']} is told as {image['digest']}: {pushed.digest}")
    found = [platform["digest"] for platform in image["platforms"]]
    wanted = [platform.digest for platform in walker.shelf.wanted(pushed, walker.state)]
    require(found == wanted, f"{image['reference']} has the platforms {found} instead of {wanted}")


def require_true(walker: Walker, done: Result) -> None:
    """Require that the archive is whole, holds just what the run says, and has the mode that was asked for.

    :raises Violation: it is not so
    :raises AssertionError: it is not so
    """
    options = walker.state.options
    dest = Path(done["dest"])
    archive = check_archive(dest, part_digits=options.get("part_digits") or 0)
    saved = [image["reference"] for image in done["images"] if image["status"] == SAVED]
    require([each["reference"] for each in archive.lock["images"]] == saved, "the lock file names other images")
    require(list(archive.references) == saved, "the archive holds other images")
    _require_parts(done, archive)
    stats = done["stats"]
    platforms = {each["digest"] for image in archive.lock["images"] for each in image["platforms"]}
    counted = (stats["images"], stats["platform_images"])
    require(counted == (len(saved), len(platforms)), f"stats count {counted}: {saved} {platforms}")
    _require_failed_list(walker, done)
    _require_mode(dest, options.get("mode"))
    _require_cache(walker, done, archive)


def _require_parts(done: Result, archive: Archive) -> None:
    """Result, lock file and disk name the same files, sizes and digests."""
    dest = Path(done["dest"])
    root = dest if dest.is_dir() else dest.parent
    told = [(str(Path(part["path"]).relative_to(root)), part["size"], part["sha256"]) for part in done["parts"]]
    locked = [(part["name"], part["size"], part["sha256"]) for part in archive.lock["parts"]]
    require(told == ([] if dest.is_dir() else locked), f"the result names {told[:3]}, the lock file {locked[:3]}")
    require(done["part_count"] == len(locked), f"the result counts {done['part_count']} files, not {len(locked)}")
    lines = (dest.parent / f"{dest.name}.sha256").read_text("utf-8").splitlines()
    prefix = f"{dest.name}/" if dest.is_dir() else ""
    require(lines == [f"{sha256}  {prefix}{name}" for name, _size, sha256 in locked], "other checksums")
    for name, size, sha256 in locked:
        found = (root / name).stat().st_size, file_sha256(root / name)
        require(found == (size, sha256), f"{name} is {found} instead of {size}, {sha256}")
    total = sum(size for _name, size, _sha256 in locked)
    require(done["stats"]["bytes_archive"] == total, f"bytes_archive is {done['stats']['bytes_archive']}, not {total}")


def _require_failed_list(walker: Walker, done: Result) -> None:
    path = walker.failed_list
    failed = [each["reference"] for each in done["failed_images"]]
    failed += [each["line"] for each in done["invalid_lines"]]
    if "failed_list" not in walker.params():
        return
    if not failed:
        require(not path.exists(), "nothing failed, and failed_list is there")
        return
    found = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    require(sorted(found) == sorted(failed), f"failed_list has {found} instead of {failed}")


def _require_mode(dest: Path, mode: str | None) -> None:
    if mode is None:
        return
    files = [path for path in dest.parent.rglob("*") if path.is_file() and not path.is_symlink()]
    other = [str(path) for path in files if stat.S_IMODE(path.stat().st_mode) != int(mode, 8)]
    require(not other, f"not of mode {mode}: {other[:5]}")


def _require_cache(walker: Walker, done: Result, archive: Archive) -> None:
    """Require that the cache holds nothing that is not to be kept."""
    options = walker.state.options
    share = walker.site.cache / "share" / "sha256"
    here = {f"sha256:{path.name}" for path in share.iterdir()} if share.is_dir() else set()
    if options.get("prune_cache"):
        more = here - archive.lock["blobs"].keys()
        require(not more, f"prune_cache has left {sorted(more)[:5]}")
    if options.get("keep_cache") is False and "plan" in done.data and done.changed:
        kept = here & walker.layers_of_archive(archive)
        require(not kept, f"keep_cache=false has left {sorted(kept)[:5]}")


def archive_bytes(folder: Path) -> dict[str, str]:
    """The sha256 of the files of an archive, lock file and checksums, by name; reports tell of what was before."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if ".report." not in path.name
    }
