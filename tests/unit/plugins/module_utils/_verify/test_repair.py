# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._base.errors import BusyError, ImagesError
from ansible_collections.airgap.images.plugins.module_utils._host.files import temporary_of
from ansible_collections.airgap.images.plugins.module_utils._source.find import find_archives
from ansible_collections.airgap.images.plugins.module_utils._verify.compare import compare_files
from ansible_collections.airgap.images.plugins.module_utils._verify.repair import Plan, make_again, plan_repairs
from ansible_collections.airgap.images.plugins.module_utils._verify.state import CheckedArchive
from ansible_collections.airgap.images.tests.unit.carried import Carried, change
from ansible_collections.airgap.images.tests.unit.verify_scene import carry_with_parity, parity_of, reading, verified


def plan_of(carried: Carried) -> Plan:
    (found,) = find_archives([str(carried.lock_file)])
    checked = compare_files([*found.parts, *found.parity], reading())
    archive = CheckedArchive(
        found, tuple(checked[part] for part in found.parts), tuple(checked[part] for part in found.parity)
    )
    (plan,) = plan_repairs(archive).plans
    return plan


def left(carried: Carried) -> list[str]:
    return sorted(path.name for path in carried.dest.parent.iterdir() if path.name.startswith("."))


def test_it_is_not_used_if_it_is_not_what_the_lock_file_says(tmp_path: Path) -> None:
    """Another part is changed after it was checked."""
    carried = carry_with_parity(tmp_path)
    change(carried.parts[0], 3)
    before, plan = carried.parts[0].read_bytes(), plan_of(carried)
    change(carried.parts[1], 3)
    with pytest.raises(ImagesError, match="does not have the sha256 of the lock file"):
        make_again(plan, reading())
    assert carried.parts[0].read_bytes() == before and left(carried) == []


@pytest.mark.parametrize("was_missing", [False, True])
def test_what_was_put_there_meanwhile_is_left(was_missing: bool, tmp_path: Path) -> None:
    carried = carry_with_parity(tmp_path)
    change(carried.parts[0], 3)
    if was_missing:
        carried.parts[0].unlink()
    plan = plan_of(carried)
    carried.parts[0].unlink(missing_ok=True)
    carried.parts[0].write_bytes(b"another")
    with pytest.raises(ImagesError, match="and is left; run again"):
        make_again(plan, reading())
    assert carried.parts[0].read_bytes() == b"another" and left(carried) == []


def test_two_runs_do_not_make_one_file(tmp_path: Path) -> None:
    carried = carry_with_parity(tmp_path)
    whole = carried.parts[0].read_bytes()
    change(carried.parts[0], 3)
    plan = plan_of(carried)
    temporary = Path(temporary_of(str(carried.parts[0])))
    with temporary.open("wb") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="another run makes"):
            make_again(plan, reading())
    assert temporary.exists()
    make_again(plan, reading())  # what a killed run has left is taken over
    assert carried.parts[0].read_bytes() == whole and left(carried) == []


def test_a_link_in_the_place_of_the_new_file_is_not_followed(tmp_path: Path) -> None:
    carried = carry_with_parity(tmp_path)
    change(carried.parts[0], 3)
    plan, victim = plan_of(carried), tmp_path / "victim"
    victim.write_bytes(b"mine")
    os.symlink(victim, temporary_of(str(carried.parts[0])))
    make_again(plan, reading())
    assert victim.read_bytes() == b"mine" and left(carried) == []


def test_parity_files_that_do_not_fit_the_parts_are_not_used(tmp_path: Path) -> None:
    carried = carry_with_parity(tmp_path)
    change(carried.parts[0], 3)
    (found,) = find_archives([str(carried.lock_file)])
    checked = compare_files([*found.parts, *found.parity], reading())
    parity = tuple(checked[part] for part in found.parity)
    archive = CheckedArchive(found, tuple(checked[part] for part in found.parts), (*parity, *parity))
    assert plan_repairs(archive).plans == ()
    assert parity_of(carried).exists()


def test_a_file_that_does_not_have_the_name_of_a_part_is_never_replaced(tmp_path: Path) -> None:
    """Whatever a lock file from outside says."""
    carried = carry_with_parity(tmp_path)
    whole = parity_of(carried).read_bytes()
    mine = carried.dest.parent / "notes.txt"
    mine.write_bytes(b"mine")
    carried.write_lock(parity=(Part(mine.name, len(whole), hashlib.sha256(whole).hexdigest()),))
    result = verified(carried.lock_file, repair=True)
    assert (mine.read_bytes(), result.repaired, result.changed) == (b"mine", (), False)
