# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images to save, from a list or a lock file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock, LockedImage, LockedPlatform
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import write_lock
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import OCI_INDEX, OCI_MANIFEST
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import (
    Repository,
    SourceRegistry,
    parse_reference,
)
from ansible_collections.airgap.images.plugins.module_utils._save.image_set import Pin, read_image_set
from ansible_collections.airgap.images.tests.unit.fakes import AMD64, make_options

D1, D2, D3 = ("sha256:" + two * 32 for two in ("ab", "cd", "ef"))


def locked(reference: str, digest: str, *platforms: tuple[str, str]) -> LockedImage:
    images = tuple(LockedPlatform(stored, source, OCI_MANIFEST, 1, AMD64) for stored, source in platforms)
    return LockedImage(parse_reference(reference), digest, OCI_INDEX, images, ())


LOCK = Lock(
    {"arch": ["s390x"], "os": ["linux"], "include_foreign_layers": True, "fail_on_missing_platform": True},
    (locked("reg.lan/a:1", D1, (D2, D2), (D1, D3)), locked("b", D2, (D2, D2))),
)


def wanted_of(path: Path, lock: Lock, **options: Any) -> Any:
    path.write_bytes(write_lock(lock))
    return read_image_set(make_options(images=[], from_lock=str(path), **options).selection, None)


def test_a_list(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("b\nA\n")
    selection = make_options(images=["a"], list_files=[str(tmp_path / "list")]).selection
    wanted = read_image_set(selection, None)
    assert [str(image.reference) for image in wanted.list.images] == [
        "docker.io/library/a:latest",
        "docker.io/library/b:latest",
    ]
    assert [line.text for line in wanted.list.invalid] == ["A"]
    assert [image.pin for image in wanted.images] == [None, None]
    assert wanted.selection == selection


@pytest.mark.parametrize("known", [2, 3])
def test_images_of_a_lock_file_are_named_by_their_origins(tmp_path: Path, known: int) -> None:
    """Unless these are of another number of images."""
    given = [f"image_save_from_lock_file, item {number}" for number in range(1, known + 1)]
    wanted = wanted_of(tmp_path / "x", LOCK, origins=given)
    own = [f"{tmp_path}/x:{number}" for number in (1, 2)]
    assert [str(image.origin) for image in wanted.list.images] == (given if known == 2 else own)


@pytest.mark.parametrize("way", ["list", "lock file"])
def test_mirrors_and_the_registry_for_all(tmp_path: Path, way: str) -> None:
    if way == "list":
        selection = make_options(images=["reg.lan/a:1", "b"]).selection
    else:
        (tmp_path / "x").write_bytes(write_lock(LOCK))
        selection = make_options(images=[], from_lock=str(tmp_path / "x")).selection
    mirrors = {"docker.io": SourceRegistry("mirror.lan", "hub")}
    wanted = read_image_set(selection, None, mirrors)
    assert [image.repository for image in wanted.images] == [
        Repository("reg.lan", "a"),
        Repository("mirror.lan", "hub/library/b", "docker.io/library/b"),
    ]
    assert [image.pin is None for image in wanted.images] == [way == "list"] * 2
    elsewhere = read_image_set(selection, SourceRegistry("all.lan"), mirrors)
    assert {image.repository.registry for image in elsewhere.images} == {"all.lan"}


@pytest.mark.parametrize("images", [[], ["", "# comment", "  "]])
def test_nothing_at_all(images: list[str]) -> None:
    with pytest.raises(OptionError, match="images and list_files name no image"):
        read_image_set(make_options(images=images).selection, None)


def test_a_list_of_invalid_lines_is_something() -> None:
    assert len(read_image_set(make_options(images=["A"]).selection, None).list.invalid) == 1


def test_a_lock_file_pins_its_images(tmp_path: Path) -> None:
    path = tmp_path / "a.lock.json"
    wanted = wanted_of(path, LOCK)
    assert [(image.number, str(image.reference)) for image in wanted.list.images] == [
        (1, "reg.lan/a:1"),
        (2, "docker.io/library/b:latest"),
    ]
    assert str(wanted.list.images[1].origin).startswith(f"{path}")
    assert [image.pin for image in wanted.images] == [Pin(D1, frozenset([D2, D3])), Pin(D2, frozenset([D2]))]


def test_a_lock_file_says_which_platforms(tmp_path: Path) -> None:
    selection = wanted_of(tmp_path / "x", LOCK, arch=["amd64"]).selection
    assert str(selection.platforms) == "s390x on linux"
    assert selection.include_foreign_layers is True
    assert selection.fail_on_missing_platform is True


@pytest.mark.parametrize("recorded", ["auto", "none"])
def test_a_lock_file_says_what_refers_to_its_images(tmp_path: Path, recorded: str) -> None:
    """Whatever the option says; the lock file names all that is to be saved."""
    image, other = LOCK.images
    options = {**LOCK.options, **({"referrers": "auto"} if recorded == "auto" else {})}
    lock = replace(LOCK, options=options, images=(image, replace(other, refers_to=D1)))
    wanted = wanted_of(tmp_path / "x", lock, referrers="none" if recorded == "auto" else "auto")
    assert wanted.selection.referrers == recorded
    assert [one.listed.refers_to for one in wanted.images] == ["", D1]
    assert [one.listed.place for one in wanted.images] == [(1, 1), (2, 2)]


BAD: dict[str, tuple[bytes | None, str]] = {
    "missing": (None, "from_lock: cannot read {path} on the target: No such file"),
    "no lock file": (b"{}", "from_lock: {path} is not a lock file"),
    "without images": (write_lock(Lock(LOCK.options, ())), "from_lock: {path} names no image"),
    "without platforms": (write_lock(Lock({}, LOCK.images)), "from_lock: "),
    "with platforms that are none": (write_lock(Lock({**LOCK.options, "arch": [1]}, LOCK.images)), "from_lock: "),
}


@pytest.mark.parametrize(("raw", "said"), BAD.values(), ids=BAD)
def test_lock_files_that_are_of_no_use(tmp_path: Path, raw: bytes | None, said: str) -> None:
    path = tmp_path / "x"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(OptionError) as caught:
        read_image_set(make_options(images=[], from_lock=str(path)).selection, None)
    assert str(caught.value).startswith(said.format(path=path))
