# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archive and cache on a USB stick: no links, no modes, no time of change, one name for ``A`` and ``a``, short files.

The stick is exFAT, mounted for real. FAT32's limit of file sizes is the process's (RLIMIT_FSIZE).
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import flip, for_skopeo, holds, outcomes, snapshot
from ansible_collections.airgap.images.tests.support.archive import file_sha256
from ansible_collections.airgap.images.tests.support.disks import exfat_disk
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.faults import Hold
from ansible_collections.airgap.images.tests.support.module import Result, start_module
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import big
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

MIB = 1024 * 1024
SIZE = 64 * MIB
THOROUGH = pytest.mark.thorough
KINDS = ("gzip", "gzip in parts", "dir")


def of_kinds(*few: str) -> pytest.MarkDecorator:
    """Kinds of archives; the test command has a few of them."""
    kinds = [kind if kind in few else pytest.param(kind, marks=THOROUGH) for kind in KINDS]
    return pytest.mark.parametrize("kind", kinds)


@pytest.fixture(scope="module")
def inserted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A stick that only this user may read and write."""
    folder = tmp_path_factory.mktemp("usb")
    with exfat_disk(folder / "stick", folder / "stick.img", SIZE) as path:
        yield path


@pytest.fixture
def stick(inserted: Path) -> Iterator[Path]:
    """An empty folder of the stick."""
    folder = inserted / "folder"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def params(kind: str) -> dict[str, Any]:
    """The options of a kind of archive."""
    compress, _, parts = kind.partition(" in ")
    return {"compress": compress, **({"part_size": "16K"} if parts else {})}


def names(root: Path) -> list[str]:
    """All that is below a directory."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


@of_kinds("dir")
def test_the_same_archive_as_elsewhere_and_nothing_the_second_time(
    source: Source, bench: Workbench, stick: Path, kind: str
) -> None:
    images = [source["oci/index:1"], source["docker/list:1"]]
    elsewhere = bench.save(images, dest=bench.directory / "out" / "images", **params(kind))
    assert not elsewhere.failed
    places = {"dest": stick / "images", "cache_dir": stick / "cache", **params(kind)}
    foreseen = bench.save(images, check=True, **places)
    assert foreseen.changed and names(stick) == []
    done = bench.save(images, **places)
    assert not done.failed and done.changed, done.msg
    assert done["notes"] == foreseen["notes"] != []
    assert Path(done["lock_file"]).read_bytes() == Path(elsewhere["lock_file"]).read_bytes()
    seen = names(stick)
    for check in (True, False):
        again = bench.save(images, check=check, **places)
        assert not again.failed and not again.changed, again["reason"]
        assert again["notes"] == done["notes"]
    assert names(stick) == seen
    assert [path.name for path in stick.rglob(".*")] == [".lock"]


def test_without_login_file_or_key_on_the_stick(source: Source, bench: Workbench, stick: Path) -> None:
    """While skopeo has them, they are in a directory that is this user's alone; a killed run's goes with the next."""
    image, hold = source["oci/index:1"], Hold()
    proxy = bench.proxy(source.registry, for_skopeo(image, hold))
    secret = "s3cr3t-of-the-stick"  # nobody else's
    reference = f"{proxy.host}/{image.repository}:{image.tag}"
    places = {"dest": stick / "images", "cache_dir": stick / "cache"}
    login = {"registries": [{"host": proxy.host, "username": "me", "password": secret}]}
    pair = bench.authority.client()
    certificates = {"ca_path": bench.authority.ca_path, "client_cert": pair.certificate, "client_key": pair.key}
    running = bench.start([reference], **places, **login, **certificates)
    proxy.wait_for(lambda seen: any(each.action is hold for each in seen))
    (login_file,) = [path for place in private_places() for path in place.glob(".airgap-images-*/auth.json")]
    private = login_file.parent
    assert list(private.glob("*.certs/option.key"))
    for path in (login_file, private):
        found = path.stat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode) & 0o077) == (os.geteuid(), 0)
    assert list(stick.glob("cache/.run-*")), "nothing is fetched"
    assert not [path for path in stick.rglob("*") if path.name == "auth.json" or path.suffix in (".certs", ".key")]
    running.kill(children=True)
    hold.release()
    assert login_file.exists()
    result = bench.save([reference], **places, **login)
    assert not result.failed, result.msg
    assert not private.exists()
    assert not [path for place in private_places() for path in place.glob(f"{private.name.rpartition('-')[0]}-*")]
    assert not holds(stick, secret)


def private_places() -> list[Path]:
    """Where a directory may be made for what is private."""
    return [Path(path) for path in ("/run", f"/run/user/{os.geteuid()}", "/dev/shm", "/tmp", "/var/tmp")]  # noqa: S108


@of_kinds("dir")
def test_a_mode_is_silent_and_no_change(source: Source, bench: Workbench, stick: Path, kind: str) -> None:
    images = [source["oci/plain:1"]]
    wanted = {"dest": stick / "images", "mode": "0640", "owner": "daemon", "group": "daemon", **params(kind)}
    foreseen = bench.save(images, check=True, **wanted)
    result = bench.save(images, **wanted)
    assert not result.failed and foreseen.changed and result.changed, result.msg
    for check in (True, False):
        again = bench.save(images, check=check, **wanted)
        assert not again.failed and not again.changed, again["reason"]
    without = {name: value for name, value in wanted.items() if name not in ("mode", "owner", "group")}
    assert not bench.save(images, check=True, **without).changed


@pytest.mark.parametrize(
    ("options", "why"),
    [("umask=000", "anyone can"), pytest.param("uid=4242,umask=022", "belongs to user", marks=THOROUGH)],
)
def test_a_cache_is_refused_where_the_mount_lets_others_write(
    source: Source, bench: Workbench, workdir: Path, options: str, why: str
) -> None:
    """And an archive is not: the mount is the user's own choice, and says who may write to it."""
    images = [source["oci/plain:1"]]
    with exfat_disk(workdir / "open", workdir / "open.img", SIZE, options=options) as place:
        for check in (True, False):
            result = bench.save(images, dest=place / "images", cache_dir=place / "cache", check=check)
            assert result.failed and not result.changed
            assert f"cannot use cache_dir {place / 'cache'}: " in result.msg and why in result.msg
            assert f"mount it with uid={os.geteuid()},umask=077" in result.msg
            assert names(place) == []
        result = bench.save(images, dest=place / "images")
        assert not result.failed, result.msg
        assert not bench.save(images, dest=place / "images").changed


@pytest.mark.parametrize("kind", [pytest.param("gzip in parts", marks=THOROUGH), "dir"])
def test_a_change_that_leaves_all_times_alone_is_seen(source: Source, bench: Workbench, stick: Path, kind: str) -> None:
    """There the time of change is that of the content, which anybody may set."""
    images = [source["oci/index:1"]]
    places = {"dest": stick / "images", **params(kind)}
    first = bench.save(images, **places)
    assert not first.failed and not bench.save(images, **places).changed
    part = max(json.loads(Path(first["lock_file"]).read_text("utf-8"))["parts"], key=lambda part: int(part["size"]))
    path = (stick / "images" if kind == "dir" else stick) / part["name"]
    before = path.stat()
    flip(path, keep_times=True)
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )
    for check in (True, False):
        result = bench.save(images, check=check, **places)
        assert not result.failed and result.changed and "does not have the sha256" in result["reason"], result["reason"]
    assert file_sha256(path) == part["sha256"]


@of_kinds("gzip in parts")
def test_an_archive_by_another_spelling_is_refused(source: Source, bench: Workbench, stick: Path, kind: str) -> None:
    images = [source["oci/plain:1"]]
    first = bench.save(images, dest=stick / "Images", **params(kind))
    assert not first.failed
    before = snapshot(stick)
    for check in (True, False):
        result = bench.save([source["oci/gzip:1"]], dest=stick / "iMAGES", check=check, **params(kind))
        assert result.failed and "treats both spellings as one name" in result.msg
        assert f"would overwrite {Path(first['dest']).name}" in result.msg
    assert snapshot(stick) == before
    assert not bench.save(images, dest=stick / "Images", check=True, **params(kind)).changed


@pytest.mark.each_value
@pytest.mark.parametrize("option", ["failed_list", "log_file", "progress_file"])
@pytest.mark.parametrize("name", ["images.tar.gz.sha256", "IMAGES.tar.gz.part3"])
def test_two_files_of_one_run_are_no_one_file(
    source: Source, bench: Workbench, stick: Path, option: str, name: str
) -> None:
    result = bench.save(
        [source["oci/plain:1"]], dest=stick / "images.tar.gz", part_size="16K", **{option: stick / name}
    )
    assert result.failed and f"{option}: {stick / name} is the name of a file of the archive" in result.msg
    assert names(stick) == []
    if name.startswith("IMAGES"):
        elsewhere = {"dest": bench.dest, option: bench.dest.parent / name}
        assert not bench.save([source["oci/plain:1"]], part_size="16K", **elsewhere).failed


def test_a_directory_that_would_be_the_cache_is_refused(source: Source, bench: Workbench, stick: Path) -> None:
    places = {"dest": stick / "Images", "cache_dir": stick / "images", "compress": "dir"}
    result = bench.save([source["oci/plain:1"]], **places)
    assert result.failed and "must be apart, and the filesystem treats both spellings" in result.msg
    assert names(stick) == []


def limited(bench: Workbench, images: list[str], size: int, *, check: bool = False, **params: Any) -> Result:
    """A run whose files must not be larger, as on FAT32 none may be of 4 GiB."""
    full = bench.params(images, **params)
    Path(full["dest"]).parent.mkdir(exist_ok=True)
    with start_module(full, check=check, under=["prlimit", f"--fsize={size}", "--"]) as running:
        return running.wait()


@pytest.mark.parametrize("given", [{}, pytest.param({"part_size": "2M"}, marks=THOROUGH)])
def test_a_part_that_could_be_too_large_is_refused_before_the_first_byte(
    bench: Workbench, registry: Registry, given: Mapping[str, Any]
) -> None:
    image = push(registry, "team/large", "1", big(60, [800_000, 800_000]))
    registry.clear()
    for check in (True, False):
        result = limited(bench, [image.reference], MIB, check=check, **given)
        assert result.failed and "set part_size to 1M" in result.msg, result.msg
        assert f"a file in {bench.dest.parent} may have {MIB} bytes (1.0 MiB) at most" in result.msg
        assert not registry.blob_gets()[image.platforms[0].layers[0].digest]
        assert not list(bench.dest.parent.iterdir())
    result = limited(bench, [image.reference], MIB, part_size="1M")
    assert not result.failed, result.msg
    assert len(result["parts"]) == 2


@pytest.mark.thorough(repeats=True)
@pytest.mark.parametrize("compress", ["gzip", pytest.param("dir", marks=THOROUGH)])
def test_an_image_with_a_layer_that_is_too_large_fails_alone_before_the_first_byte(
    bench: Workbench, registry: Registry, compress: str
) -> None:
    large = push(registry, "team/large", "1", big(60, [2 * MIB]))
    small = push(registry, "team/small", "1", big(61, [200_000]))
    registry.clear()
    images = [large.reference, small.reference]
    for check in (True, False) if is_full() else (False,):
        options = {"compress": compress, "allow_partial": True, "part_size": None if compress == "dir" else "1M"}
        result = limited(bench, images, MIB, check=check, **options)
        assert not result.failed, result.msg
        assert outcomes(result)[large.reference] == "failed"
        assert outcomes(result)[small.reference] == "saved"
        reason = result["failed_images"][0]["reason"]
        assert f"may have {MIB} bytes (1.0 MiB) at most. Choose a directory on another filesystem" in reason
    assert not registry.blob_gets()[large.platforms[0].layers[0].digest]


def test_a_directory_takes_its_room_beside_the_cache(bench: Workbench, registry: Registry, workdir: Path) -> None:
    image = push(registry, "team/large", "1", big(60, [5 * MIB]))
    registry.clear()
    with exfat_disk(workdir / "small", workdir / "small.img", 8 * MIB) as place:
        places = {"dest": place / "images", "cache_dir": place / "cache", "compress": "dir"}
        for check in (True, False):
            result = bench.save([image.reference], check=check, **places)
            assert result.failed and f"not enough space for {place / 'cache'} and {place}: 10." in result.msg, (
                result.msg
            )
        assert not registry.blob_gets()[image.platforms[0].layers[0].digest]
        assert not bench.save([image.reference], dest=place / "images", compress="dir").failed
