# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cache and archive in directories that others may write to, and what they may have put there.

Run as root, because root is who has most to lose by it, and because only root can play two users.
"""

from __future__ import annotations

import itertools
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._host.files import temporary_of
from ansible_collections.airgap.images.tests.functional._helpers import cached, check, for_skopeo, saved
from ansible_collections.airgap.images.tests.support.archive import file_sha256
from ansible_collections.airgap.images.tests.support.faults import Hold
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

OTHER = 4242
"""A user of this host who is not to be trusted."""

SECRET = "s3cr3t-of-root"


@pytest.fixture
def common() -> Iterator[Path]:
    """A folder that every user can get to."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def shared(path: Path, mode: int, owner: int = 0) -> Path:
    """A directory that others may write to."""
    path.mkdir(parents=True)
    path.chmod(mode)
    os.chown(path, owner, owner)
    return path


def as_other(*command: str | Path) -> str:
    """Return the output of a command that the other user runs."""
    become = ["setpriv", f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups", "--"]
    return subprocess.run([*become, *command], capture_output=True, text=True, check=False).stdout


class Victim:
    """Files of root's, which nothing may happen to."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "of-root"
        self.folder.mkdir(0o700)
        self.file = self.folder / "precious"
        self.file.write_text(f"{SECRET}\n", encoding="utf-8")
        self.file.chmod(0o600)
        self._before = self._seen()

    def _seen(self) -> tuple[object, ...]:
        found = self.file.stat()
        names = sorted(path.name for path in self.folder.iterdir())
        return names, found.st_ino, found.st_mode, found.st_uid, found.st_mtime_ns, file_sha256(self.file)

    def assert_untouched(self) -> None:
        assert self._seen() == self._before


@pytest.fixture
def victim(common: Path) -> Victim:
    return Victim(common)


Plant = Callable[[Path, Victim], object]
PLANTED: dict[str, Plant] = {
    "link": lambda path, victim: path.symlink_to(victim.file),
    "dangling link": lambda path, victim: path.symlink_to(victim.folder / "not-yet"),
    "link to a directory": lambda path, victim: path.symlink_to(victim.folder),
    "second name": lambda path, victim: os.link(victim.file, path),
    "FIFO": lambda path, victim: os.mkfifo(path, 0o666),
    "endless device": lambda path, victim: os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5)),
    "directory": lambda path, victim: path.mkdir(),
}
MORE = ("dangling link", "link to a directory", "endless device")
EACH_KIND = [pytest.param(kind, marks=pytest.mark.thorough) if kind in MORE else kind for kind in PLANTED]
KINDS = pytest.mark.parametrize("kind", EACH_KIND)


def plant(kind: str, path: Path, victim: Victim) -> None:
    """Puts something of the other user's in the place of a file of ours."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    PLANTED[kind](path, victim)
    if kind != "second name":
        os.chown(path, OTHER, OTHER, follow_symlinks=False)


BY_TURNS = "each in turn"
EACH_ALONE = [BY_TURNS, *(pytest.param(kind, marks=pytest.mark.thorough) for kind in PLANTED)]


def plant_all(kind: str, paths: Sequence[Path], victim: Victim) -> None:
    """Puts something in the place of each of these: of this kind, or of one kind after the other."""
    kinds = list(PLANTED) if kind == BY_TURNS else [kind]
    for path, each in zip(paths, itertools.cycle(kinds)):
        plant(each, path, victim)


def run(bench: Workbench, *args: Any, **params: Any) -> Any:
    """A run that must not wait for what nobody will ever write."""
    return bench.start(*args, **params).wait(60)


@pytest.mark.each_value
@pytest.mark.parametrize(("mode", "owner"), [(0o777, 0), (0o777, OTHER), (0o1777, OTHER)])
@pytest.mark.parametrize("exists", [False, True])
def test_a_cache_that_others_could_exchange_is_refused(
    source: Source, bench: Workbench, common: Path, mode: int, owner: int, exists: bool
) -> None:
    place = shared(common / "open", mode, owner)
    cache = place / "cache"
    if exists:
        cache.mkdir(0o700)
    result = bench.save([source["oci/plain:1"]], cache_dir=cache)
    assert result.failed and not result.changed
    who = f"{place} belongs to user {OTHER}, who" if mode & stat.S_ISVTX else "anyone"
    told = f"{who} can replace what is in " + ("it" if mode & stat.S_ISVTX else str(place))
    assert f"cache_dir {cache}: {told}" in result.msg
    assert "set another cache_dir" in result.msg
    assert [path.name for path in place.iterdir()] == ["cache"] * exists
    assert not exists or not list(cache.iterdir())
    assert not list(bench.dest.parent.iterdir())


@pytest.mark.parametrize("what", ["directory", "link", "second link"])
def test_a_cache_that_others_put_there_is_refused(source: Source, bench: Workbench, common: Path, what: str) -> None:
    """In a directory like /tmp, the name may be taken already."""
    place = shared(common / "tmp", 0o1777)
    theirs = shared(common / "theirs", 0o755, OTHER) if what == "directory" else shared(common / "ours", 0o700)
    cache = place / "cache"
    if what == "directory":
        theirs.rename(cache)
    else:
        cache.symlink_to(theirs)
        os.chown(cache, OTHER, OTHER, follow_symlinks=False)
    if what == "second link":
        (common / "way").symlink_to(cache)
        cache = common / "way"
    result = bench.save([source["oci/plain:1"]], cache_dir=cache)
    assert result.failed and f"{place / 'cache'} was put there by user {OTHER}" in result.msg
    assert not list((place / "cache").iterdir())


def test_a_cache_of_somebody_else_is_refused(source: Source, bench: Workbench, common: Path) -> None:
    cache = shared(common / "cache", 0o755, OTHER)
    result = bench.save([source["oci/plain:1"]], cache_dir=cache)
    assert result.failed and f"{cache} belongs to user {OTHER}" in result.msg
    assert not list(cache.iterdir())


def test_nothing_new_is_no_reason_to_believe_an_open_cache(source: Source, bench: Workbench) -> None:
    """Its notes say which parts need not be read again."""
    images = [source["oci/plain:1"]]
    saved(bench.save(images))
    bench.cache.chmod(0o777)
    result = bench.save(images)
    assert result.failed and f"anyone can write to {bench.cache} (mode 0777)" in result.msg
    bench.cache.chmod(0o750)
    saved(bench.save(images), changed=False)


def test_beside_others_in_a_directory_with_the_sticky_bit(source: Source, bench: Workbench, common: Path) -> None:
    """Nothing of the cache, and no credential, can be read by another user at any time."""
    place = shared(common / "tmp", 0o1777)
    image, hold = source["oci/index:1"], Hold()
    proxy = bench.proxy(source.registry, for_skopeo(image, hold))
    login = {"registries": [{"host": proxy.host, "username": "me", "password": SECRET}]}
    reference = f"{proxy.host}/{image.repository}:{image.tag}"
    running = bench.start([reference], dest=place / "images.tar.gz", cache_dir=place / "cache", **login)
    proxy.wait_for(lambda seen: any(each.action is hold for each in seen))
    assert list((place / "cache").glob(".run-*/auth.json")), "skopeo has no login file"
    readable = as_other("find", place, "-readable", "-type", "f").split()
    assert readable == []
    assert as_other("find", place, "-writable", "-not", "-type", "l").split() == [str(place)]
    hold.release()
    saved(running.wait())
    assert as_other("find", place / "cache", "-readable") == ""
    assert as_other("find", place, "-writable", "-not", "-type", "l").split() == [str(place)]


@pytest.mark.parametrize("kind", EACH_ALONE)
def test_what_was_planted_in_a_cache(source: Source, bench: Workbench, victim: Victim, kind: str) -> None:
    """It was open once. What is replaced is made anew, and what it led to is left alone."""
    image = source["oci/gzip:1"]
    saved(bench.save([image]))
    folder = image.platforms[0].digest.partition(":")[2]
    layers = [cached(bench.cache, layer.digest) for layer in image.platforms[0].layers]
    names = ["oci-layout", "index.json", "saved-images-list.json", "verified.json", "verified.json.new", ".lock"]
    names += [".run-verified", ".run-planted", f"{folder}/index.json", f"{folder}/accepted", f"{folder}/oci-layout"]
    paths = [*(bench.cache / name for name in names), *layers[:2], cached(bench.cache, image.digest)]
    plant_all(kind, paths, victim)
    saved(run(bench, [image, source["oci/plain:1"]], username="me", password=SECRET + "2"))
    victim.assert_untouched()
    for path in [*(bench.cache / name for name in ("oci-layout", "index.json", ".lock")), *layers]:
        assert path.is_file() and not path.is_symlink() and path.stat().st_nlink == 1, path
        assert path.stat().st_uid == 0 and not path.stat().st_mode & 0o022
    assert not list(bench.cache.glob(".run-*"))
    saved(run(bench, [image, source["oci/plain:1"]]), changed=False)


@pytest.mark.parametrize("name", ["share", "share/sha256"])
def test_links_in_place_of_the_directories_of_a_cache(
    source: Source, bench: Workbench, victim: Victim, name: str
) -> None:
    saved(bench.save([source["oci/plain:1"]]))
    plant("link to a directory", bench.cache / name, victim)
    result = run(bench, [source["oci/gzip:1"]])
    assert result.failed and f"{bench.cache / name} is a link" in result.msg
    victim.assert_untouched()
    check(bench.dest)


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        *(pytest.param(kind, None, marks=pytest.mark.thorough) for kind in (*MORE, "link", "FIFO")),
        ("second name", None),
        pytest.param("link", "30K", marks=pytest.mark.thorough),
        pytest.param("FIFO", "30K", marks=pytest.mark.thorough),
        (BY_TURNS, "30K"),
    ],
)
def test_what_was_planted_beside_an_archive(
    source: Source, bench: Workbench, common: Path, victim: Victim, kind: str, parts: str | None
) -> None:
    """The name is replaced, whether or not an archive has it, and the victim is left alone."""
    place = shared(common / "open", 0o777, OTHER)
    dest = place / "images.tar.gz"
    names = [dest.name] if parts is None else [f"{dest.name}.part{number}" for number in range(3)]
    if kind == "link to a directory":
        names = [name for name in names if name != dest.name]  # that is refused, as any directory is
    names += [f"{dest.name}.sha256", f"{dest.name}.lock.json"]
    for _time in range(2):
        plant_all(kind, [place / name for name in names], victim)
        saved(run(bench, [source["oci/plain:1"]], dest=dest, part_size=parts))
        victim.assert_untouched()
    assert {(path.stat().st_uid, path.stat().st_mode & 0o022) for path in place.iterdir()} == {(0, 0)}


@KINDS
def test_a_staging_directory_of_somebody_else(
    source: Source, bench: Workbench, common: Path, victim: Victim, kind: str
) -> None:
    place = shared(common / "open", 0o777, OTHER)
    staging = place / ".images.tar.gz.staging"
    plant(kind, staging, victim)
    result = run(bench, [source["oci/plain:1"]], dest=place / "images.tar.gz")
    assert result.failed and str(staging) in result.msg
    assert {path.name for path in place.iterdir()} <= {staging.name}  # an empty directory may be removed
    victim.assert_untouched()


def test_a_link_in_place_of_a_lock_file_shows_nothing_of_what_it_leads_to(
    source: Source, bench: Workbench, common: Path, victim: Victim
) -> None:
    """Neither in the result, which others may see, nor in the archive."""
    place = shared(common / "open", 0o777, OTHER)
    for name in ("images.tar.gz", "images.tar.gz.lock.json", "images.tar.gz.sha256"):
        plant("link", place / name, victim)
    result = run(bench, [source["oci/plain:1"]], dest=place / "images.tar.gz", debug=True)
    saved(result)
    assert SECRET not in str(result.data) + result.stderr
    assert SECRET.encode() not in (place / "images.tar.gz.lock.json").read_bytes()


@pytest.mark.each_value
@KINDS
@pytest.mark.parametrize("name", ["failed.txt", Path(temporary_of("failed.txt")).name])
def test_what_was_planted_for_a_failed_list(
    source: Source, bench: Workbench, common: Path, victim: Victim, kind: str, name: str
) -> None:
    place = shared(common / "open", 0o777, OTHER)
    plant(kind, place / name, victim)
    wanted = [source["oci/plain:1"].reference, f"{source.registry.host}/no/such:1"]
    result = run(bench, wanted, failed_list=place / "failed.txt", allow_partial=True)
    victim.assert_untouched()
    text = f"{result.msg} {result.warnings}"
    written = place / "failed.txt"
    if result.failed or "failed_list" in text:
        assert "failed_list" in text and str(written) in text
    else:
        assert "no/such:1" in written.read_text() and written.stat().st_uid == 0 and not written.is_symlink()
    if not result.failed:
        check(bench.dest)
