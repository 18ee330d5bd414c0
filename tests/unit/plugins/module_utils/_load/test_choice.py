# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images that a load is for, of those that archives hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._base.errors import NotInArchive, OptionError
from ansible_collections.airgap.images.plugins.module_utils._load.choice import Chosen, choose
from ansible_collections.airgap.images.plugins.module_utils._load.options import AUTO, NO_REFERRERS
from ansible_collections.airgap.images.plugins.module_utils._source.archive import Archive
from ansible_collections.airgap.images.tests.unit.carried import ONE, THREE, TWO, carry, carry_images, opened
from ansible_collections.airgap.images.tests.unit.fakes import resolved
from ansible_collections.airgap.images.tests.unit.load_scene import load_options


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return carry(tmp_path_factory.mktemp("archive")).open()


def chosen(*archives: Archive, **options: Any) -> Chosen:
    made = load_options(**options)
    return choose(archives, made.choice, made.naming, index=AUTO)


def names(found: Chosen) -> list[str]:
    return [str(one.reference) for one in found.images]


def test_without_lists_all_is_chosen_in_the_order_of_the_archive(archive: Archive) -> None:
    found = chosen(archive)
    assert names(found) == ["reg.lan/a:1", "reg.lan/b:1", "reg.lan/c:1"]
    assert [str(one.target) for one in found.images] == [f"registry.lan:5000/{name}:1" for name in "abc"]
    assert [str(one.listed.origin) for one in found.images] == [f"{archive.path}:{number}" for number in (1, 2, 3)]
    assert (found.absent, found.left_out) == ((), ())


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        (["reg.lan/a:1"], "bc"),
        (["reg.lan/a:2"], "abc"),
        (["reg.lan/a"], "bc"),
        (["reg.lan/a", "reg.lan/b:1"], "c"),
        (["reg.lan"], "abc"),
        (["a"], "abc"),
        ([f"reg.lan/a@sha256:{'0' * 64}"], "abc"),
    ],
)
def test_exclude(archive: Archive, exclude: list[str], left: str) -> None:
    found = chosen(archive, exclude=exclude)
    assert names(found) == [f"reg.lan/{name}:1" for name in left]
    assert len(found.left_out) == 3 - len(left)


def test_the_list_decides_over_order_and_what_is_missing(archive: Archive, tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("# a comment\nreg.lan/c:1\nreg.lan/none:1\nreg.lan/c:1\n")
    found = chosen(archive, images=["reg.lan/b:1"], list_files=[str(listed)])
    assert names(found) == ["reg.lan/b:1", "reg.lan/c:1"]
    assert [str(one.listed.reference) for one in found.absent] == ["reg.lan/none:1"]
    assert isinstance(found.absent[0].error, NotInArchive)
    assert [str(one) for one in found.left_out] == ["reg.lan/a:1"]


def test_what_is_excluded_is_not_missing(archive: Archive) -> None:
    found = chosen(archive, images=["reg.lan/none:1"], exclude=["reg.lan/none"])
    assert (found.images, found.absent) == ((), ())


def test_exclude_must_be_valid(archive: Archive) -> None:
    with pytest.raises(OptionError, match=r"exclude: ':::' is not a valid reference or repository"):
        chosen(archive, exclude=[":::"])


def test_of_two_archives_with_one_reference_the_last_counts(archive: Archive, tmp_path: Path) -> None:
    other = opened(carry(tmp_path, "dir").lock_file)
    found = chosen(archive, other)
    assert [one.archive for one in found.images] == [other] * 3
    assert names(chosen(other, archive)) == names(found)
    assert [one.archive for one in chosen(other, archive).images] == [archive] * 3


def test_names_that_collide_are_refused(archive: Archive) -> None:
    with pytest.raises(OptionError, match="would both be"):
        chosen(archive, rewrites=[{"from": f"reg.lan/{name}", "to": "same"} for name in "ab"])
    assert names(chosen(archive, rewrites=[{"from": "reg.lan/a", "to": "b"}], exclude=["reg.lan/b"])) == [
        "reg.lan/a:1",
        "reg.lan/c:1",
    ]


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Two images, one of which has a signature that was found with it."""

    def recorded(lock: Lock) -> Lock:
        image, signature, other = lock.images
        return replace(lock, images=(image, replace(signature, refers_to=ONE.image.digest), other))

    references = (
        (resolved("reg.lan/a:1", ONE, TWO), (ONE, TWO)),
        (resolved("reg.lan/a:sig", THREE), (THREE,)),
        (resolved("reg.lan/a:2", TWO), (TWO,)),
    )
    return carry_images(tmp_path_factory.mktemp("signed"), references, recorded=recorded).open()


@pytest.mark.parametrize(
    ("options", "tags"),
    [
        ({}, ["1", "sig", "2"]),
        ({"images": ["reg.lan/a:1"]}, ["1", "sig"]),
        ({"images": ["reg.lan/a:2", "reg.lan/a:1"]}, ["2", "1", "sig"]),
        ({"images": ["reg.lan/a:sig", "reg.lan/a:1"]}, ["sig", "1"]),
        ({"images": ["reg.lan/a:2"]}, ["2"]),
        ({"exclude": ["reg.lan/a:1"]}, ["2"]),
        ({"exclude": ["reg.lan/a:sig"]}, ["1", "2"]),
        ({"images": ["reg.lan/a:1"], "exclude": ["reg.lan/a:sig"]}, ["1"]),
    ],
    ids=str,
)
def test_what_was_saved_with_an_image_goes_where_it_goes(
    signed: Archive, options: dict[str, list[str]], tags: list[str]
) -> None:
    assert names(chosen(signed, **options)) == [f"reg.lan/a:{tag}" for tag in tags]


def test_it_can_be_left_out(signed: Archive) -> None:
    made = load_options(images=["reg.lan/a:1"])
    assert names(choose([signed], made.choice, made.naming, index=AUTO, referrers=NO_REFERRERS)) == ["reg.lan/a:1"]


@pytest.mark.parametrize(
    ("options", "tags"),
    [
        ({}, ["1", "sig", "2"]),
        ({"images": ["reg.lan/a:2"]}, ["2", "sig"]),
        ({"images": ["reg.lan/a:1", "reg.lan/a:2"]}, ["1", "sig", "2"]),
        ({"exclude": ["reg.lan/a:1"]}, ["sig", "2"]),
        ({"exclude": ["reg.lan/a:1", "reg.lan/a:2"]}, []),
    ],
    ids=str,
)
def test_what_was_saved_with_several_tags_goes_where_any_of_them_goes(
    tmp_path: Path, options: dict[str, list[str]], tags: list[str]
) -> None:
    def recorded(lock: Lock) -> Lock:
        first, signature, second = lock.images
        return replace(lock, images=(first, replace(signature, refers_to=ONE.image.digest), second))

    image = (ONE, TWO)
    references = (
        (resolved("reg.lan/a:1", *image), image),
        (resolved("reg.lan/a:sig", THREE), (THREE,)),
        (resolved("reg.lan/a:2", *image), image),
    )
    archive = carry_images(tmp_path, references, recorded=recorded).open()
    assert names(chosen(archive, **options)) == [f"reg.lan/a:{tag}" for tag in tags]
