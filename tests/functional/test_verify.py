# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives whose parts are lost or changed on the way: found, made again, and asked for."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import saved
from ansible_collections.airgap.images.tests.functional._load import load, loaded, lock_of
from ansible_collections.airgap.images.tests.functional._role import Site, assert_well, failure, on
from ansible_collections.airgap.images.tests.support.module import Result, run_module
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.target import gaps
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

ROLE = "airgap.images.image_verify"
SHOW = {"name": "Show the result", "ansible.builtin.debug": {"var": "image_verify_result"}}
NAMES = ("oci/index:1", "docker/list:1", "oci/gzip:1", "oci/many-layers:1", "charts/app:1.2.3")
PARTS = 11


@dataclass(frozen=True)
class Archive:
    """An archive in eleven parts, with a parity file.

    :param files: the content of all its files, by name.
    """

    lock: Path
    files: dict[str, bytes]

    @property
    def parts(self) -> list[str]:
        return [part["name"] for part in json.loads(self.lock.read_bytes())["parts"]]

    def copied(self, folder: Path) -> Archive:
        """A copy that may be damaged."""
        shutil.copytree(self.lock.parent, folder)
        return Archive(folder / self.lock.name, self.files)

    def content(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.lock.parent.iterdir()}


@pytest.fixture(scope="module")
def archive(seeded_source: Source, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """It must not be written to."""
    images = [seeded_source[name] for name in NAMES]
    with Workbench(tmp_path_factory.mktemp("archive")) as bench:
        saved(bench.save(images))
        size = bench.dest.stat().st_size
        with Workbench(tmp_path_factory.mktemp("parts")) as parts:
            saved(parts.save(images, part_size=f"{-(-size // PARTS)}B", parity=True))
            lock = lock_of(parts.dest)
            made = Archive(lock, {path.name: path.read_bytes() for path in lock.parent.iterdir()})
            assert len(made.parts) == PARTS
            yield made


def verify(*src: Path, check: bool = False, **params: Any) -> Result:
    """Runs ``image_verify``."""
    return run_module({"src": [str(path) for path in src], **params}, check=check, module="image_verify")


def remove(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def turn(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 4
    path.write_bytes(raw)


@pytest.mark.each_value
@pytest.mark.parametrize("harm", [remove, truncate, turn])
@pytest.mark.parametrize("number", range(PARTS))
def test_any_part_that_is_lost_is_found_and_made_again(
    number: int, harm: Any, archive: Archive, tmp_path: Path
) -> None:
    """With the images that need it, and the request for it, which is gone when the part is there again."""
    own = archive.copied(tmp_path / "own")
    name, request = own.parts[number], tmp_path / "request.json"
    harm(own.lock.parent / name)
    found = verify(own.lock.parent, request_file=str(request))
    assert found.failed and name in found.msg and str(request) in found.msg
    (told,) = found["archives"]
    states = {part["name"]: part["state"] for part in told["parts"] if part["state"] != "ok"}
    assert states == {name: "missing" if harm is remove else "damaged"}
    assert json.loads(request.read_bytes())["parts"] == [number]
    assert told["images_known"] and all(one["parts"] == [name] for one in found["damaged_images"])
    done = verify(own.lock.parent, repair=True, request_file=str(request))
    assert not done.failed and done.changed and done["repaired"] == [str(own.lock.parent / name)]
    assert own.content() == own.files and not request.exists()


def test_all_images_but_those_that_are_named_can_be_loaded(
    archive: Archive, registry: Registry, tmp_path: Path
) -> None:
    """For two parts that cannot be made again, as they belong to the same parity file; and all of them afterwards."""
    own = archive.copied(tmp_path / "own")
    for number in (1, 6):
        turn(own.lock.parent / own.parts[number])
    before = own.content()
    found = verify(own.lock, repair=True)
    assert found.failed and not found.changed and own.content() == before
    assert "belong to the same parity file" in found.msg
    touched = {one["reference"] for one in found["damaged_images"]}
    result = load(own.lock, registry)
    failed = {one["reference"] for one in result["failed_images"]}
    assert failed == touched and 0 < len(failed) < len(NAMES)
    (own.lock.parent / own.parts[6]).write_bytes(own.files[own.parts[6]])
    assert verify(own.lock, repair=True).changed and own.content() == own.files
    loaded(load(own.lock, registry))
    assert gaps(registry) == []


def play(**variables: Any) -> dict[str, Any]:
    """A play with the role that shows its result."""
    named = {f"image_verify_{name}": value for name, value in variables.items()}
    task = {"name": "The role", "ansible.builtin.include_role": {"name": ROLE}}
    tasks = [{"name": "All of it", "block": [task], "always": [SHOW]}]
    return {"name": "Verify", "hosts": "all", "gather_facts": False, "vars": named, "tasks": tasks}


def handed_over(done: Any, host: str) -> dict[str, Any]:
    (shown,) = [each for each in on(done, host) if each.task == SHOW["name"] and each.status == "ok"]
    value: dict[str, Any] = shown.data["image_verify_result"]
    return value


def test_parts_on_hosts(archive: Archive, site: Site) -> None:
    """What each of two hosts lacks is asked for in one file on the controller."""
    inventory = site.inventory("north", "south")
    asked = site.folder / "asked"
    for host, number in (("north", 2), ("south", 7)):
        own = archive.copied(site.on_host(host, "media"))
        own.lock.parent.chmod(0o777)
        turn(own.lock.parent / own.parts[number])
    wanted = play(src=["{{ work }}/media"], request_file=f"{asked}/", repair="", log_file="{{ omit }}")
    done = site.run(inventory, {}, plays=[wanted])
    (request,) = asked.iterdir()
    assert request.name == f"{archive.lock.name.removesuffix('.lock.json')}.request.json"
    assert json.loads(request.read_bytes())["parts"] == [2, 7]
    for host, number in (("north", 2), ("south", 7)):
        result = handed_over(done, host)
        assert result["failed"] and result["request_files"] == [str(request)]
        told = failure(done, host)
        assert archive.parts[number] in told and "request_file" not in told
        assert f"carry {request} out from the controller and name it in image_save_request" in told

    repairing = play(src=["{{ work }}/media"], request_file=f"{asked}/", repair=True)
    assert_well(site.run(inventory, {}, plays=[repairing]))
    assert [*asked.iterdir()] == []
    for host in inventory:
        assert Archive(site.on_host(host, "media") / archive.lock.name, {}).content() == archive.files


def test_parts_on_the_controller(archive: Archive, site: Site) -> None:
    """They are read there, once for all hosts, by nobody else than the user who runs Ansible."""
    inventory = site.inventory("north", "south")
    own = archive.copied(site.folder / "stick")
    turn(own.lock.parent / own.parts[0])
    wanted = play(controller_src=[str(own.lock.parent)], repair=True, request_file=str(site.folder / "request.json"))
    wanted["become"] = True
    foreseen = site.run(inventory, {}, plays=[wanted], options=["--check"])
    assert_well(foreseen)
    assert handed_over(foreseen, "south")["changed"] and own.content() != own.files
    done = site.run(inventory, {}, plays=[wanted])
    assert_well(done)
    for host in inventory:
        assert handed_over(done, host)["repaired"] == [str(own.lock.parent / own.parts[0])]
    assert own.content() == own.files
    assert (own.lock.parent / own.parts[0]).owner() == Path.home().owner()
    for number in (0, 5):
        turn(own.lock.parent / own.parts[number])
    failed = site.run(inventory, {}, plays=[wanted])
    assert f"{own.parts[0]}, {own.parts[5]} belong to the same parity file" in failure(failed, "north")
    assert "the verification on the controller failed; the message of north says why" in failure(failed, "south")
    assert handed_over(failed, "south")["msg"] == handed_over(failed, "north")["msg"]
