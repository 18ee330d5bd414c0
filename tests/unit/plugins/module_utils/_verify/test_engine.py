# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import LockedBase, Requirement
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock
from ansible_collections.airgap.images.plugins.module_utils._base.errors import ImagesError, Interrupted, OptionError
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._verify.engine import make_again
from ansible_collections.airgap.images.tests.unit.carried import FORMS, carry, change
from ansible_collections.airgap.images.tests.unit.verify_scene import (
    carry_with_parity,
    parity_of,
    states,
    touched,
    verified,
)


@pytest.mark.parametrize("form", FORMS)
def test_a_whole_archive(form: str, tmp_path: Path) -> None:
    carried = carry(tmp_path, form)
    result = verified(carried.lock_file)
    assert not result.is_failure and not result.changed and states(result) == {}
    assert result.size == sum(part.size for part in carried.lock.parts)
    (verdict,) = result.verdicts
    assert all(one.found_sha256 == one.part.sha256 for one in verdict.archive.parts)
    assert f"of {carried.dest.name} " in result.sentence(check=False)


@pytest.mark.parametrize("form", FORMS)
def test_each_kind_of_damage(form: str, tmp_path: Path) -> None:
    """A byte changed, one cut off, and a file removed, which is all of an archive in one file."""
    carried = carry(tmp_path, form)
    path = carried.dest / carried.lock.parts[-1].name if form == "dir" else carried.parts[-1]
    name = carried.lock.parts[-1].name
    change(path, path.stat().st_size // 2)
    result = verified(carried.lock_file)
    assert states(result) == {name: "damaged"} and result.is_failure
    assert f"{name} is damaged: its sha256 begins with " in result.sentence(check=False)
    size = path.stat().st_size
    os.truncate(path, size - 1)
    result = verified(carried.lock_file)
    assert states(result) == {name: "damaged"}
    assert f"it has {size - 1} bytes instead of {size}" in result.sentence(check=False)
    path.unlink()
    if len(carried.lock.parts) > 1:
        result = verified(carried.lock_file)
        assert states(result) == {name: "missing"} and f"{name} is missing" in result.sentence(check=False)
    else:
        with pytest.raises(ImagesError, match="none of its parts"):
            verified(carried.lock_file)


def test_a_wrong_size_is_found_before_anything_is_read(tmp_path: Path) -> None:
    carried = carry(tmp_path)
    os.truncate(carried.parts[0], 5)
    result = verified(carried.lock_file)
    assert result.size == sum(part.size for part in carried.lock.parts[1:])
    assert result.verdicts[0].archive.parts[0].found_size == 5


def test_parts_in_several_directories(tmp_path: Path) -> None:
    carried = carry(tmp_path)
    stick = tmp_path / "stick"
    stick.mkdir()
    moved = carried.parts[2]
    os.rename(moved, stick / moved.name)
    assert states(verified(carried.lock_file)) == {moved.name: "missing"}
    assert states(verified(carried.lock_file, stick)) == {}


def test_checksums_instead_of_a_lock_file(tmp_path: Path) -> None:
    carried = carry(tmp_path)
    carried.lock_file.unlink()
    assert not verified(carried.dest.parent).is_failure
    change(carried.parts[1], 10)
    result = verified(carried.dest.parent, request_file=str(tmp_path / "request.json"))
    assert states(result) == {carried.parts[1].name: "damaged"}
    assert not result.verdicts[0].harm.is_known and not result.request_files
    assert f"because {carried.dest.name} has no lock file" in result.sentence(check=False)


def test_a_lost_part_is_made_again(tmp_path: Path) -> None:
    carried = carry_with_parity(tmp_path)
    before = {path: path.read_bytes() for path in carried.parts}
    times = {path: path.stat().st_mtime_ns for path in carried.parts}
    for number, path in enumerate(carried.parts):
        change(path, 3)
        if number % 2:
            path.unlink()
        result = verified(carried.lock_file)
        assert "Run again with repair=true" in result.sentence(check=False) and not result.changed
        foreseen = verified(carried.lock_file, repair=True, check=True)
        assert not foreseen.is_failure and foreseen.changed and "would make" in foreseen.sentence(check=True)
        result = verified(carried.lock_file, repair=True)
        assert not result.is_failure and result.changed and [one.path for one in result.repaired] == [str(path)]
        assert states(result) == {} and touched(result) == {}
        assert f"made {path.name} again from {parity_of(carried).name}; all " in result.sentence(check=False)
        assert path.read_bytes() == before[path]
        untouched = [each for each in carried.parts if each != path and times[each] != each.stat().st_mtime_ns]
        assert untouched == []
        times[path] = path.stat().st_mtime_ns
    again = verified(carried.lock_file, repair=True)
    assert not again.changed and "repair" not in again.seconds, "nothing is lost, so no repair is shown"
    assert "repair" in result.seconds
    assert sorted(carried.dest.parent.glob(".*")) == []


def test_one_part_of_each_parity_file(tmp_path: Path) -> None:
    carried = carry_with_parity(tmp_path, part_size="30000B")
    assert len(carried.parts) >= 40
    before = [path.read_bytes() for path in carried.parts]
    change(carried.parts[2], 3)
    carried.parts[5].unlink()
    result = verified(carried.lock_file, repair=True)
    assert not result.is_failure and len(result.repaired) == 2
    assert [path.read_bytes() for path in carried.parts] == before


def test_two_parts_of_one_parity_file_are_left(tmp_path: Path) -> None:
    carried = carry_with_parity(tmp_path)
    for number in (0, 2):
        change(carried.parts[number], 3)
    before = [path.read_bytes() for path in carried.parts]
    request = tmp_path / "request.json"
    result = verified(carried.lock_file, repair=True, request_file=str(request))
    names = f"{carried.parts[0].name}, {carried.parts[2].name}"
    said = f"{names} belong to the same parity file {parity_of(carried).name}, from which only one of them can be made"
    assert result.is_failure and said in result.sentence(check=False) and str(request) in result.sentence(check=False)
    assert result.verdicts[0].wish.request.parts == (0, 2)  # type: ignore[union-attr]
    assert [path.read_bytes() for path in carried.parts] == before


@pytest.mark.parametrize("fate", ["missing", "damaged"])
def test_a_parity_file_that_is_lost(fate: str, tmp_path: Path) -> None:
    """Alone it is no failure. Damaged, it is made again as well. With a part, nothing can be made again."""
    carried = carry_with_parity(tmp_path)
    path = parity_of(carried)
    before = path.read_bytes()
    if fate == "missing":
        path.unlink()
    else:
        change(path, 7)
    result = verified(carried.lock_file)
    assert not result.is_failure and states(result) == {path.name: fate}
    assert bool([*result.warnings()]) is (fate == "damaged")
    lost = carried.parts[1]
    whole = lost.read_bytes()
    change(lost, 3)
    result = verified(carried.lock_file, repair=True)
    assert result.is_failure and not result.changed
    assert f"{lost.name} cannot be made again because {path.name} is {fate}" in result.sentence(check=False)
    lost.write_bytes(whole)
    result = verified(carried.lock_file, repair=True)
    assert result.changed is (fate == "damaged") and path.exists() is (fate == "damaged")
    assert fate == "missing" or path.read_bytes() == before


def test_parity_on_another_stick(tmp_path: Path) -> None:
    carried = carry_with_parity(tmp_path)
    stick = tmp_path / "stick"
    stick.mkdir()
    os.rename(parity_of(carried), stick / parity_of(carried).name)
    whole = carried.parts[0].read_bytes()
    change(carried.parts[0], 1)
    assert verified(carried.lock_file, repair=True).is_failure
    assert not verified(carried.lock_file, stick, repair=True).is_failure
    assert carried.parts[0].read_bytes() == whole


def test_a_run_that_is_stopped_after_a_repair_has_changed_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried = carry_with_parity(tmp_path, part_size="30000B")
    change(carried.parts[0], 3)
    change(carried.parts[1], 3)
    stop = Stop()

    def make_and_stop(*given: object) -> object:
        made = make_again(*given)  # type: ignore[arg-type]
        stop.request("stopped")
        return made

    monkeypatch.setattr(f"{verified.__globals__['verify'].__module__}.make_again", make_and_stop)
    with pytest.raises(Interrupted) as error:
        verified(carried.lock_file, repair=True, stop=stop)
    assert error.value.changed
    assert states(verified(carried.lock_file)) == {carried.parts[1].name: "damaged"}


def test_a_request_file_that_is_something_else_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    carried = carry(tmp_path)
    other = tmp_path / "notes.txt"
    other.write_text("mine", encoding="utf-8")
    with pytest.raises(OptionError, match="would be replaced"):
        verified(carried.lock_file, request_file=str(other))
    assert other.read_text(encoding="utf-8") == "mine"


def test_a_bundle_needs_nothing_of_its_base(tmp_path: Path) -> None:
    """What it leaves out is the business of a load; its own parts say which of its images they carry."""
    carried = carry_with_parity(tmp_path)
    layer = max(carried.blobs, key=lambda digest: len(carried.blobs[digest]))
    requires = {layer: Requirement(len(carried.blobs[layer]), ("reg.lan/a",), "old.tar.gz", ("old.tar.gz.part0",))}
    blobs, offsets = (
        {digest: value for digest, value in each.items() if digest != layer}
        for each in (carried.lock.blobs, carried.lock.offsets)
    )
    parity = read_lock(carried.lock_file.read_bytes(), path="").parity
    carried.write_lock(
        base=(LockedBase("old.tar.gz", 64 * "a", True),),
        requires=requires,
        blobs=blobs,
        offsets=offsets,
        parity=parity,
    )
    assert not verified(carried.lock_file).is_failure
    place = carried.lock.offsets[layer].position
    number = next(n for n in range(len(carried.parts)) if (n + 1) * 100_000 > place + 300_000)
    whole = carried.parts[number].read_bytes()
    change(carried.parts[number], 3)
    result = verified(carried.lock_file)
    assert states(result) == {carried.parts[number].name: "damaged"} and touched(result) == {}
    assert result.verdicts[0].harm.is_known
    assert not verified(carried.lock_file, repair=True).is_failure and carried.parts[number].read_bytes() == whole


def test_a_whole_part_under_the_name_of_a_lost_one_is_left(tmp_path: Path) -> None:
    """It was part 3 in the archive of another month, or two files were confused."""
    carried = carry_with_parity(tmp_path, part_size="30000B")
    lost, other = carried.parts[3], carried.parts[len(carried.parts) - 1]
    whole = lost.read_bytes()
    os.replace(other, lost)
    parity = read_lock(carried.lock_file.read_bytes(), path="").parity
    held = lost.read_bytes()
    for part_at in (None, "image"):
        carried.write_lock(parity=parity, options={**carried.lock.options, "part_at": part_at})
        result = verified(carried.lock_file, repair=True)
        said = f"{lost.name} cannot be made again because {lost} is {other.name}; give that file its name"
        assert result.is_failure and said in result.sentence(check=False)
        assert lost.read_bytes() == held
        other.unlink(missing_ok=True)
    os.replace(lost, other)
    result = verified(carried.lock_file, repair=True)
    assert not result.is_failure and lost.read_bytes() == whole and other.read_bytes() == held


def test_two_parts_whose_names_were_confused_are_left(tmp_path: Path) -> None:
    carried = carry_with_parity(tmp_path, part_size="30000B")
    one, two = carried.parts[0], carried.parts[1]
    before = [one.read_bytes(), two.read_bytes()]
    one.write_bytes(before[1])
    two.write_bytes(before[0])
    result = verified(carried.lock_file, repair=True)
    assert result.is_failure and not result.repaired
    assert f"{two} is {one.name}" in result.sentence(check=False)
    assert [one.read_bytes(), two.read_bytes()] == before[::-1]
