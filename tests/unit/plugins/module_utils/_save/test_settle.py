# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settling an archive that stays."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.part_files import PartWriter
from ansible_collections.airgap.images.plugins.module_utils._base.errors import BusyError, OptionError, SpaceError
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._host.attributes import Attributes, NoAttributes
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._host.verified_files import VerifiedFiles
from ansible_collections.airgap.images.plugins.module_utils._publish.paths import staging_path
from ansible_collections.airgap.images.plugins.module_utils._publish.published import inspect
from ansible_collections.airgap.images.plugins.module_utils._publish.staging import Staging
from ansible_collections.airgap.images.plugins.module_utils._save import settle as settle_module
from ansible_collections.airgap.images.plugins.module_utils._save.decide import Action, Decision
from ansible_collections.airgap.images.plugins.module_utils._save.result import Outcome
from ansible_collections.airgap.images.plugins.module_utils._save.run import Run
from ansible_collections.airgap.images.plugins.module_utils._save.settle import clear_interrupted, settle
from ansible_collections.airgap.images.tests.unit.fakes import Mode, make_options, make_run

KEEP, RECORD = Decision(Action.KEEP, "nothing changed"), Decision(Action.RECORD, "stale parts")


class Bench:
    """A published archive of two parts, and a run that looks at it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.memory = VerifiedFiles(str(folder))
        self.lock = self._publish()

    def run(self, attributes: Attributes | None = None, **options: Any) -> Run:
        made = make_options(self.folder, compress="none", part_size="4B", **options)
        given = {"memory": self.memory, "attributes": attributes or NoAttributes()}
        return make_run(made, Cache(str(self.folder)), Log(debug=True), **given)

    def settle(self, run: Run, decision: Decision, wanted: Lock | None = None) -> Outcome:
        published = inspect(run.options.output, self.memory, verify="digest")
        return settle(run, published, wanted or self.lock, decision, ())

    def _publish(self) -> Lock:
        output = self.run().options.output
        with Staging(output, NoAttributes()).opened(0) as staging:
            writer = PartWriter(staging.data, output.part_size)
            writer.write(b"abcdef")
            writer.finish()
            files = writer.files.written
            lock = Lock({}, (), parts=tuple(staging.name_parts(files)))
            staging.publish(lock, files, None)
        return lock


def parity_wanted(bench: Bench) -> Lock:
    return replace(bench.lock, options={"parity": True})


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def standing(bench: Bench) -> dict[str, tuple[int, int]]:
    """Inode and time of every file."""
    folder = bench.folder / "out"
    return {name: (os.stat(folder / name).st_ino, os.stat(folder / name).st_mtime_ns) for name in os.listdir(folder)}


def test_nothing_is_touched_when_nothing_changed(bench: Bench) -> None:
    before = standing(bench)
    result = bench.settle(bench.run(), KEEP)
    assert (result.changed, result.reason, result.lock) == (False, "nothing changed", bench.lock)
    assert standing(bench) == before


def test_what_stands_beside_it_is_renewed(bench: Bench) -> None:
    (bench.folder / "out/images.tar.part7").write_text("stale")
    (bench.folder / "out/images.tar.sha256").unlink()
    result = bench.settle(bench.run(), RECORD, replace(bench.lock, failed=("x",)))
    assert result.changed is True
    published = inspect(bench.run().options.output, bench.memory, verify="digest")
    assert published.lock == result.lock == replace(bench.lock, failed=("x",))
    assert (published.damage, published.untidy) == ("", ())


def test_in_check_mode_it_is_only_told(bench: Bench) -> None:
    (bench.folder / "out/images.tar.part7").write_text("stale")
    before = standing(bench)
    result = bench.settle(bench.run(check=True), RECORD)
    assert result.changed is True
    assert standing(bench) == before


def test_files_get_the_mode_that_is_asked_for(bench: Bench) -> None:
    bench.memory.save()
    result = bench.settle(bench.run(Mode(0o640)), KEEP)
    assert (result.changed, result.reason) == (True, "mode or owner differed")
    modes = {stat.S_IMODE(os.stat(bench.folder / "out" / name).st_mode) for name in os.listdir(bench.folder / "out")}
    assert modes == {0o640}
    assert all(bench.memory.known(str(bench.folder / "out" / part.name)) for part in bench.lock.parts)
    again = bench.settle(bench.run(Mode(0o640)), KEEP)
    assert (again.changed, again.reason) == (False, "nothing changed")


def test_nothing_was_interrupted(bench: Bench) -> None:
    assert clear_interrupted(bench.run()) is False
    assert bench.run().log.lines == []


def leave_behind(bench: Bench, *, ready: bool) -> str:
    """A staging directory as a killed run leaves it."""
    run = bench.run()
    path = staging_path(run.options.output)
    with Staging(run.options.output, run.attributes).opened(0) as staging:
        Path(staging.data, "0").write_bytes(b"half")
        if ready:
            staging._make_record_ready(replace(bench.lock, failed=("new",)), None)
        os.rename(path, f"{path}.kept")
    os.rename(f"{path}.kept", path)
    return path


def test_what_a_killed_run_had_begun_is_removed(bench: Bench) -> None:
    path = leave_behind(bench, ready=False)
    run = bench.run()
    assert clear_interrupted(run) is False
    assert not os.path.exists(path)
    assert "removing what it left" in run.log.lines[0]


def test_what_a_killed_run_had_finished_is_put_in_place(bench: Bench) -> None:
    path = leave_behind(bench, ready=True)
    run = bench.run()
    assert clear_interrupted(run) is True
    assert not os.path.exists(path)
    assert "completing what it left" in run.log.lines[0]
    published = inspect(run.options.output, bench.memory, verify="digest")
    assert published.lock == replace(bench.lock, failed=("new",))


@pytest.mark.parametrize("ready", [False, True])
def test_check_mode_leaves_it_there(bench: Bench, ready: bool) -> None:
    path = leave_behind(bench, ready=ready)
    run = bench.run(check=True)
    assert clear_interrupted(run) is ready
    assert os.path.isdir(path)


def test_a_run_that_is_still_at_work_is_not_disturbed(bench: Bench) -> None:
    run = bench.run()
    with Staging(run.options.output, run.attributes).opened(0), pytest.raises(BusyError):
        clear_interrupted(run)


def parts_of(bench: Bench) -> dict[str, tuple[int, int]]:
    return {name: place for name, place in standing(bench).items() if ".part0" in name or ".part1" in name}


def test_parity_files_are_made_from_parts_that_stay(bench: Bench) -> None:
    before = parts_of(bench)
    outcome = bench.settle(bench.run(parity=True), RECORD, parity_wanted(bench))
    made = bench.folder / "out" / "images.tar.parity"
    assert made.read_bytes() == bytes(a ^ b for a, b in zip(b"abcd", b"ef\0\0"))
    assert [file.name for file in outcome.lock.parity] == ["images.tar.parity"]
    assert outcome.archive_bytes == len(b"abcdef")
    assert parts_of(bench) == before
    published = inspect(bench.run(parity=True).options.output, bench.memory, verify="digest")
    assert (published.damage, published.untidy, published.lock) == ("", (), outcome.lock)


@pytest.mark.parametrize("content", [None, b"abc", b"abcd"])
def test_only_the_damaged_parity_file_is_made_again(bench: Bench, content: bytes | None) -> None:
    bench.settle(bench.run(parity=True), RECORD, parity_wanted(bench))
    made = bench.folder / "out" / "images.tar.parity"
    whole, before = made.read_bytes(), parts_of(bench)
    made.unlink()
    if content is not None:
        made.write_bytes(content)
    bench.settle(bench.run(parity=True), RECORD, parity_wanted(bench))
    assert made.read_bytes() == whole
    assert parts_of(bench) == before


def test_a_parity_file_that_is_whole_stays_when_others_are_renewed(bench: Bench) -> None:
    bench.settle(bench.run(parity=True), RECORD, parity_wanted(bench))
    before = standing(bench)["images.tar.parity"]
    (bench.folder / "out" / "images.tar.sha256").unlink()
    bench.settle(bench.run(parity=True), RECORD, parity_wanted(bench))
    assert standing(bench)["images.tar.parity"] == before


def test_parity_files_go_when_they_are_no_longer_wanted(bench: Bench) -> None:
    bench.settle(bench.run(parity=True), RECORD, parity_wanted(bench))
    before = parts_of(bench)
    outcome = bench.settle(bench.run(), RECORD)
    assert outcome.lock.parity == ()
    assert not (bench.folder / "out" / "images.tar.parity").exists()
    assert parts_of(bench) == before


def test_check_mode_makes_no_parity_files(bench: Bench) -> None:
    before = standing(bench)
    outcome = bench.settle(bench.run(parity=True, check=True), RECORD, parity_wanted(bench))
    assert outcome.changed and standing(bench) == before


def test_no_parity_for_a_single_part(bench: Bench) -> None:
    wanted = replace(parity_wanted(bench), parts=bench.lock.parts[:1])
    published = replace(inspect(bench.run().options.output, bench.memory, verify="digest"), lock=wanted)
    with pytest.raises(OptionError, match="at least 2 parts are needed, but all of the archive \\(4 bytes\\) fits"):
        settle(bench.run(parity=True), published, wanted, RECORD, ())


def test_parity_files_need_room(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle_module, "free_bytes", lambda _path: 3)
    with pytest.raises(SpaceError, match="4 bytes are needed, 3 bytes are free"):
        bench.settle(bench.run(parity=True), RECORD, parity_wanted(bench))
