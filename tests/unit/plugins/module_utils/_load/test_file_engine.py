# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of images, written from archives in every form, read with Python's own tar reader."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    BusyError,
    ImagesError,
    Interrupted,
    OptionError,
    StorageError,
)
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_size
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._host.files import temporary_of
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._load import file_engine
from ansible_collections.airgap.images.plugins.module_utils._load.contents import Content
from ansible_collections.airgap.images.plugins.module_utils._load.file_engine import write_images
from ansible_collections.airgap.images.plugins.module_utils._load.file_options import read_file_options
from ansible_collections.airgap.images.plugins.module_utils._load.file_result import FileResult
from ansible_collections.airgap.images.plugins.module_utils._load.image_file import FileImage
from ansible_collections.airgap.images.plugins.module_utils._load.naming import target_of
from ansible_collections.airgap.images.plugins.module_utils._load.params import Params
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor, digest_of
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference
from ansible_collections.airgap.images.plugins.module_utils._source.archive import Archive
from ansible_collections.airgap.images.plugins.modules.image_load import RETURN, argument_spec
from ansible_collections.airgap.images.tests.unit.bundles import DIGESTS, FEBRUARY, JANUARY, MARCH, bundle, full
from ansible_collections.airgap.images.tests.unit.carried import FORMS, Carried, carry, change


def write(carried: Carried, dest: Path, *, check: bool = False, stop: Stop | None = None, **params: Any) -> FileResult:
    """Write a file with the options of the module."""
    defaults = {name: option.get("default") for name, option in argument_spec().items()}
    usual = {"src": [str(carried.lock_file)], "to": "containerd_images", "dest": str(dest)}
    values: Params = {**defaults, **usual, **params}  # type: ignore[typeddict-item]
    return write_images(read_file_options(values, check=check), log=Log(debug=False), stop=stop or Stop())


def content_of(path: Path) -> dict[str, bytes]:
    """The files of a tar by name; each blob has the digest that is its name."""
    with tarfile.open(path) as tar:
        members = {one.name: tar.extractfile(one) for one in tar.getmembers() if one.isfile()}
        content = {name: file.read() for name, file in members.items() if file is not None}
    for name, raw in content.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{digest_of(raw)[7:]}"
    return content


def named_in(path: Path) -> dict[str, str]:
    """The digest of each name of the layout."""
    entries = json.loads(content_of(path)["index.json"])["manifests"]
    names = {one["annotations"]["io.containerd.image.name"]: one["digest"] for one in entries}
    assert [*names] == [one["annotations"]["org.opencontainers.image.ref.name"] for one in entries]
    return names


@pytest.mark.parametrize("form", FORMS)
def test_all_images_of_an_archive_in_any_form(tmp_path: Path, form: str) -> None:
    """The same file, whatever it is made from: with or without offsets, or without a lock file."""
    carried = carry(tmp_path / "carried", form)
    result = write(carried, tmp_path / "new" / "images.tar")
    assert (result.changed, result.is_failure) == (True, False)
    assert result.sentence(check=False).startswith(f"wrote 3 images to {tmp_path}/new/images.tar: ")
    assert [one.action for one in result.images] == ["written"] * 3
    content = content_of(tmp_path / "new" / "images.tar")
    assert named_in(tmp_path / "new" / "images.tar") == {str(one.reference): one.digest for one in result.images}
    assert content["oci-layout"] == b'{"imageLayoutVersion":"1.0.0"}'
    locked = {image.loaded_digest or image.digest for image in carried.lock.images}
    assert {one.digest for one in result.images} == locked, "as in a registry"
    other = carry(tmp_path / "other", "none")
    other.strip_lock()
    write(other, tmp_path / "other.tar", src=[str(other.dest)])
    assert (tmp_path / "other.tar").read_bytes() == (tmp_path / "new" / "images.tar").read_bytes()


def test_what_is_returned_is_documented(tmp_path: Path) -> None:
    documented = yaml.safe_load(RETURN)
    for check in (True, False):
        returned = write(carry(tmp_path / "carried"), tmp_path / "images.tar", check=check).as_returned(check=check)
        of_registry = {name for name, value in documented.items() if "O(to=registry)" in value["returned"]}
        assert {*returned} - {"changed"} == {*documented} - of_registry - {"log"}
        image, *_others = returned["images"]  # type: ignore[misc]
        assert {*image} == {*documented["images"]["contains"]}


def test_again_is_no_change(tmp_path: Path) -> None:
    carried, dest = carry(tmp_path / "carried"), tmp_path / "images.tar"
    would = write(carried, dest, check=True)
    assert (would.changed, would.is_written, dest.exists()) == (True, True, False)
    assert would.sentence(check=True).startswith(f"would write 3 images to {dest}: ")
    assert "reg.lan/a:1 sha256:" in str(would.as_diff()["after"])
    write(carried, dest)
    before = os.stat(dest)
    assert before.st_size == would.size
    for check in (True, False):
        again = write(carried, dest, check=check, check_target="blobs")
        assert (again.changed, again.sentence(check=check)) == (False, f"{dest} already has 3 images")
        assert again.as_diff()["after"] == ""
    assert os.stat(dest).st_mtime_ns == before.st_mtime_ns
    assert sorted(os.listdir(tmp_path)) == ["carried", "images.tar"]


def test_a_part_of_the_images_and_other_names(tmp_path: Path) -> None:
    carried, dest = carry(tmp_path / "carried"), tmp_path / "images.tar"
    write(carried, dest)
    whole = dest.stat().st_size
    rules: dict[str, Any] = {"registry": "site.lan:5000", "rewrites": [{"from": "reg.lan", "to": "x"}]}
    result = write(carried, dest, exclude=["reg.lan/a:1"], **rules)
    assert (result.changed, result.left_out) == (True, 1)
    assert [*named_in(dest)] == ["site.lan:5000/x/b:1", "site.lan:5000/x/c:1"]
    assert dest.stat().st_size < whole


def test_docker_finds_one_platform_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried, dest = carry(tmp_path / "carried"), tmp_path / "images.tar"
    machine = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((*machine[:4], "aarch64")))
    result = write(carried, dest)
    listed = json.loads(content_of(dest)["manifest.json"])
    assert [one["RepoTags"] for one in listed] == [["reg.lan/a:1"], ["reg.lan/b:1"]]
    for one in listed:
        config = json.loads(content_of(dest)[one["Config"]])
        assert config["architecture"] == "arm64"
        assert set(one["Layers"]) <= set(content_of(dest))
    assert result.notes == (
        "podman load and docker load do not find 1 of 3 images in the file, which have no image for arm64 on linux: "
        "reg.lan/c:1",
    )


def test_a_damaged_part_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    carried, dest = carry(tmp_path / "carried"), tmp_path / "images.tar"
    write(carried, dest, images=["reg.lan/c:1"])
    before = dest.read_bytes()
    change(carried.parts[1], 5000)
    failed_list = tmp_path / "failed.txt"
    result = write(carried, dest, failed_list=str(failed_list))
    assert result.is_failure and "failed, so" in result.sentence(check=False)
    assert carried.parts[1].name in result.sentence(check=False)
    assert {one.action for one in result.images} == {"failed", "not_written"}
    assert dest.read_bytes() == before
    assert not os.path.lexists(temporary_of(str(dest)))
    left = [line for line in failed_list.read_text().splitlines() if not line.startswith("#")]
    assert left == [str(one.reference) for one in result.images if one.action == "failed"]
    with pytest.raises(ImagesError, match=rf"{re.escape(carried.parts[1].name)}.* Nothing was loaded"):
        write(carried, dest, verify="first")


def test_what_no_archive_has_or_is_no_reference_keeps_the_file_from_being_written(tmp_path: Path) -> None:
    carried, dest = carry(tmp_path / "carried"), tmp_path / "images.tar"
    result = write(carried, dest, images=["reg.lan/a:1", "reg.lan/z:1", "b b b"])
    assert result.is_failure and not dest.exists()
    assert result.sentence(check=False).startswith(f"2 of 3 images failed, so {dest} was left as it was: ")
    assert [one.action for one in result.images] == ["not_written", "failed"]


def test_damage_of_the_file_is_found_where_it_is_looked_for(tmp_path: Path) -> None:
    carried, dest = carry(tmp_path / "carried"), tmp_path / "images.tar"
    write(carried, dest)
    good = dest.read_bytes()
    change(dest, len(good) // 2)  # within a blob
    assert not write(carried, dest, check=True).changed
    assert write(carried, dest, check_target="blobs").changed
    assert dest.read_bytes() == good
    change(dest, good.index(b"io.containerd"))
    assert write(carried, dest).changed
    assert dest.read_bytes() == good
    dest.write_bytes(good[:-512])
    assert write(carried, dest).changed


def test_a_killed_run_is_replaced_and_another_one_is_not(tmp_path: Path) -> None:
    carried, dest = carry(tmp_path / "carried"), tmp_path / "images.tar"
    left = Path(temporary_of(str(dest)))
    left.write_bytes(b"x" * 10_000_000)
    with left.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match=rf"another run writes {dest}\. Let it end"):
            write(carried, dest)
    assert left.exists() and not dest.exists()
    write(carried, dest)
    assert named_in(dest) and not left.exists()


def test_a_run_that_is_ended_leaves_nothing(tmp_path: Path) -> None:
    carried, dest = carry(tmp_path / "carried"), tmp_path / "images.tar"
    stop = Stop()
    stop.request("stopped")
    with pytest.raises(Interrupted):
        write(carried, dest, stop=stop)
    assert os.listdir(tmp_path) == ["carried"]


def test_a_full_disk_is_known_before_the_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried, dest = carry(tmp_path / "carried"), tmp_path / "images.tar"

    monkeypatch.setattr(file_engine, "free_bytes", lambda _path: 1000)
    with pytest.raises(ImagesError, match=f"not enough space for {tmp_path}: "):
        write(carried, dest)
    assert os.listdir(tmp_path) == ["carried"]


@pytest.mark.parametrize("kind", ["foreign", "link", "directory"])
def test_what_is_not_ours_is_left_alone(tmp_path: Path, kind: str) -> None:
    carried, dest = carry(tmp_path / "carried"), tmp_path / "images.tar"
    if kind == "foreign":
        dest.write_bytes(b"something else")
    elif kind == "link":
        dest.symlink_to(tmp_path / "elsewhere")
    else:
        dest.mkdir()
    error = OptionError if kind == "foreign" else StorageError
    with pytest.raises(error, match=rf"dest: .*{dest}"):
        write(carried, dest)
    assert dest.is_symlink() or dest.is_dir() or dest.read_bytes() == b"something else"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"receipt": "/x/r"}, "receipt cannot be used with to=containerd_images"),
        (
            {"keep_registry": True, "rewrites": [{"from": "a.lan", "to": "b"}], "index": "source"},
            "index=source and keep_registry without registry and rewrites without registry cannot be used",
        ),
        ({"create_projects": True}, "create_projects cannot be used"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(tmp_path: Path, params: dict[str, Any], said: str) -> None:
    carried = Carried(tmp_path / "none", None, {})  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=said):
        write(carried, tmp_path / "images.tar", **params)


def test_the_name_of_the_file_is_one_that_is_read(tmp_path: Path) -> None:
    carried = Carried(tmp_path / "none", None, {})  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"dest: '/x/images\.tar\.gz' does not end with \.tar"):
        write(carried, Path("/x/images.tar.gz"))


def test_an_image_by_tag_and_digest_has_both_names() -> None:
    """Kubernetes looks for it by the digest alone."""

    digest = "sha256:" + 64 * "a"
    names = {
        text: FileImage(
            parse_reference(text), target_of(parse_reference(text), None), Content((), Descriptor("", digest, 1))
        ).names
        for text in ("reg.lan/a:1", f"reg.lan/a@{digest}", f"reg.lan/a:1@{digest}")
    }
    assert [*names.values()] == [
        ("reg.lan/a:1",),
        (f"reg.lan/a@{digest}",),
        ("reg.lan/a:1", f"reg.lan/a@{digest}"),
    ]


def test_bundles_are_completed_from_what_they_rest_on(tmp_path: Path) -> None:
    """In any order, and the file is that of a full archive."""
    first = full(tmp_path, JANUARY, name="jan")
    second = bundle(tmp_path, FEBRUARY, first, name="feb")
    third = bundle(tmp_path, MARCH, second, name="mar")
    src = [str(one.lock_file) for one in (third, first, second)]
    assert not write(first, tmp_path / "a.tar", src=src).is_failure
    write(full(tmp_path, MARCH, name="all"), tmp_path / "b.tar")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    one_pass = bundle(tmp_path, FEBRUARY, full(tmp_path, JANUARY, "gzip level 6", "j"), form="gzip level 6", name="f")
    src = [str(one_pass.lock_file), str(tmp_path / "out" / "j.tar.gz.lock.json")]
    assert not write(first, tmp_path / "c.tar", src=src).is_failure


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_what_no_archive_has_is_named_before_anything_is_written(tmp_path: Path, check: bool) -> None:
    news = bundle(tmp_path, FEBRUARY, full(tmp_path, JANUARY, name="jan"), name="feb")
    dest, asking = tmp_path / "images.tar", tmp_path / "out.request.json"
    dest.write_bytes(b"")
    result = write(news, dest, check=check, request_file=str(asking))
    assert {one.digest for one in result.lacking} == {*DIGESTS[:3]}
    told = result.sentence(check=check)
    total = format_size(sum(one.size for one in result.lacking))
    assert told.startswith(f"3 images need 3 blobs ({total}) that no archive in src has, so {dest} w")
    assert f"{'would not be' if check else 'was not'} written: {result.lacking[0]}, needed by" in told
    assert f"Name jan.tar.gz in src as well; or carry {asking} out" in told
    assert {one.action for one in result.images} == {"failed"}
    assert (dest.read_bytes(), asking.exists()) == (b"", not check)
    assert not write(news, dest, src=[str(news.lock_file), str(tmp_path / "out" / "jan.tar.gz.lock.json")]).is_failure


def test_a_file_of_other_images_leaves_what_was_asked_for(tmp_path: Path) -> None:
    carried = full(tmp_path, FEBRUARY, "none in parts")
    names = carried.open().part_of(DIGESTS[3])
    change(carried.dest.parent / names[len(names) // 2], 100)
    asking = tmp_path / "a.request.json"
    assert write(carried, tmp_path / "images.tar", request_file=str(asking)).is_failure
    before = asking.read_bytes()
    result = write(carried, tmp_path / "images.tar", request_file=str(asking), images=["reg.lan/b:1"])
    assert not result.is_failure and asking.read_bytes() == before, "a still needs it"
    assert (result.requests, result.fulfilled) == ((str(asking),), ())


def test_a_run_that_is_stopped_after_it_wrote_the_file_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried, dest = full(tmp_path, FEBRUARY, "none in parts"), tmp_path / "images.tar"
    names = carried.open().part_of(DIGESTS[3])
    change(carried.dest.parent / names[len(names) // 2], 100)
    asking = tmp_path / "a.request.json"
    assert write(carried, dest, request_file=str(asking)).is_failure
    before = asking.read_bytes()

    def stopped(_self: Archive, _names: object) -> frozenset[str]:
        raise Interrupted("stopped")

    monkeypatch.setattr(Archive, "wrong_among", stopped)
    with pytest.raises(Interrupted) as caught:
        write(carried, dest, request_file=str(asking), images=["reg.lan/b:1"])
    assert caught.value.changed and named_in(dest)
    assert asking.read_bytes() == before


def test_a_damaged_part_is_asked_for(tmp_path: Path) -> None:
    carried = full(tmp_path, JANUARY)
    name = carried.open().part_of(DIGESTS[2])[0]
    change(carried.dest.parent / name, 100)
    asking = tmp_path / "asked"
    result = write(carried, tmp_path / "images.tar", request_file=f"{asking}/")
    (path,) = asking.iterdir()
    assert result.requests == (str(path),)
    assert path.name == f"{carried.dest.name}.request.json"
    assert [carried.lock.parts[number].name for number in json.loads(path.read_bytes())["parts"]] == [name]
    before = path.read_bytes()
    absent = write(carried, tmp_path / "images.tar", request_file=f"{asking}/", images=["reg.lan/none:1"])
    assert absent.is_failure and not absent.changed, "no part was read"
    assert path.read_bytes() == before
    change(carried.dest.parent / name, 100)
    whole = write(carried, tmp_path / "images.tar", request_file=f"{asking}/")
    assert not whole.is_failure
    assert not [*asking.iterdir()]
    lock_sha256 = hashlib.sha256(carried.lock_file.read_bytes()).hexdigest()
    assert (result.fulfilled, absent.fulfilled, whole.fulfilled) == ((), (), (lock_sha256,))
