# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role with the controller's directory on a USB stick: exFAT, and FAT32's limit of file sizes as the process's."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import flip, snapshot
from ansible_collections.airgap.images.tests.functional._role import (
    Site,
    assert_unchanged,
    assert_well,
    failure,
)
from ansible_collections.airgap.images.tests.support.archive import file_sha256
from ansible_collections.airgap.images.tests.support.disks import exfat_disk
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import big
from ansible_collections.airgap.images.tests.support.workbench import Source

MIB = 1024 * 1024
CHECK = ["--check"]


@pytest.fixture
def stick(site: Site) -> Iterator[Site]:
    """The site, whose directory on the controller is a stick."""
    with exfat_disk(site.media, site.folder / "stick.img", 512 * MIB):
        yield site


@pytest.mark.thorough(repeats=True)
@pytest.mark.parametrize("compress", [pytest.param("gzip", marks=pytest.mark.thorough), "dir"])
def test_all_arrives_and_nothing_the_second_time(stick: Site, source: Source, compress: str) -> None:
    """A set of one host or two, with its lock file; a directory comes without its links, and this is told.

    Damage that leaves all times alone is seen. A host whose directory would be that of another one is refused, and the
    archive that is there stays.
    """
    images = [source["oci/index:1"].reference, source["docker/list:1"].reference]
    options = {"compress": compress, "part_size": "30K" if compress == "gzip" else "", "distribute": True}
    if compress == "dir":
        options.update(part_size=None, dest="{{ work }}/out/images")
    variables = {name: value for name, value in stick.variables(images=images, **options).items() if value is not None}
    inventory = stick.inventory("north", *(["south"] if is_full() else []))
    result = stick.run(inventory, variables)
    assert_well(result)
    before = snapshot(stick.media)
    assert str(stick.media / "images.lock.json") in before
    assert not list(stick.media.rglob("blobs"))
    told = [str(each.data.get("msg")) for each in result.tasks if "whose filesystem has no links" in str(each.data)]
    assert bool(told) is (compress == "dir")
    for more in (CHECK, []) if is_full() else ():
        assert_unchanged(stick.run(inventory, variables, options=more))
    assert {path: found[-1] for path, found in snapshot(stick.media).items()} == {
        path: found[-1] for path, found in before.items()
    }

    found = (stick.media / "north").rglob("*.part0" if compress == "gzip" else "sha256/*")
    damaged = max(found, key=lambda path: path.stat().st_size)
    whole = file_sha256(damaged)
    flip(damaged, keep_times=True)
    result = stick.run(inventory, variables)
    assert_well(result)
    assert [each.task for each in result.tasks if each.changed], "the damage was not seen"
    assert file_sha256(damaged) == whole

    before = snapshot(stick.media)
    result = stick.run(stick.inventory("NORTH"), {**variables, "image_save_distribute": False})
    assert result.rc != 0
    assert "north in " in failure(result, "NORTH") and "does not distinguish that name" in failure(result, "NORTH")
    assert snapshot(stick.media) == before


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file of a process that is started here may be larger."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.thorough(repeats=True)
def test_what_is_too_large_for_the_controller_is_refused_before_the_first_byte(site: Site, registry: Registry) -> None:
    image = push(registry, "team/large", "1", big(60, [5 * MIB]))
    variables = site.variables(images=[image.reference])
    inventory = site.inventory("one")
    if is_full():
        assert_well(site.run(inventory, {**variables, "image_save_fetch": False}))
    with files_up_to(4 * MIB):
        for more in (CHECK, []) if is_full() else ([],):
            result = site.run(inventory, variables, options=more, fresh=True)
            assert result.rc != 0
            told = failure(result, "one")
            assert (
                "on the controller supports files of 4194304 bytes (4.0 MiB) at most; save with a part_size of 4M"
                in told
            )
            assert not [path for path in site.media.rglob("*") if path.is_file()]
        if is_full():
            assert_well(site.run(inventory, {**variables, "image_save_part_size": "2M"}, fresh=True))
            site.checked("one")
