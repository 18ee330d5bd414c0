# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory that stays in place: what is new is put among its files, and what is left over is removed."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.output import Output
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._archive.tree import ChangesWriter, TreeWriter
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._base.stop import go_on
from ansible_collections.airgap.images.plugins.module_utils._host.attributes import NoAttributes
from ansible_collections.airgap.images.plugins.module_utils._host.verified_files import VerifiedFiles
from ansible_collections.airgap.images.plugins.module_utils._oci.layout import ROOT, SHARE
from ansible_collections.airgap.images.plugins.module_utils._publish import kept as kept_module
from ansible_collections.airgap.images.plugins.module_utils._publish import staging as staging_module
from ansible_collections.airgap.images.plugins.module_utils._publish.changes import put_changes, remove_others
from ansible_collections.airgap.images.plugins.module_utils._publish.kept import KeptFiles, files_to_keep
from ansible_collections.airgap.images.plugins.module_utils._publish.paths import staging_path
from ansible_collections.airgap.images.plugins.module_utils._publish.published import inspect
from ansible_collections.airgap.images.plugins.module_utils._publish.ready import is_damaged, is_decided
from ansible_collections.airgap.images.plugins.module_utils._publish.staging import Staging
from ansible_collections.airgap.images.tests.unit.fakes import Mode, Nothing, make_options, mark, names_below

ONE, TWO, THREE = "1" * 64, "2" * 64, "3" * 64
Files = Mapping[str, bytes]


def archive(*images: str) -> dict[str, bytes]:
    """The files of an archive of images: for each a folder and a blob, and what names them all."""
    files = {f"{SHARE}/{image}": image.encode() for image in images}
    files.update({f"{image}/index.json": b"{}" for image in images})
    return {**files, "oci-layout": b"layout", "index.json": " ".join(images).encode()}


OLD, NEW = archive(ONE, TWO), archive(TWO, THREE)


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return make_options(tmp_path, compress="dir").output


def write(output: Output, staging: Staging, files: Files, kept: KeptFiles | None) -> tuple[Lock, TreeWriter]:
    root = os.path.join(staging.data, output.name)
    writer = TreeWriter(root, ROOT, Nothing(), link=True)
    if kept is not None:
        shutil.rmtree(root, ignore_errors=True)
        writer = ChangesWriter(root, ROOT, Nothing(), kept, is_checked=lambda _digest, _file: False, check=go_on)
    for name in (ROOT, f"{ROOT}/share", f"{ROOT}/{SHARE}"):
        writer.directory(name)
    for name, raw in files.items():
        folder = name.rpartition("/")[0]
        if folder not in ("", SHARE):
            writer.directory(f"{ROOT}/{folder}")
            writer.link(f"{ROOT}/{folder}/blobs", "../share")
        writer.document(f"{ROOT}/{name}", raw)
    writer.link(f"{ROOT}/blobs", "share")
    return Lock({"compress": "dir"}, (), parts=tuple(staging.name_parts(writer.written))), writer


def publish(output: Output, files: Files, memory: VerifiedFiles, *, changes: bool) -> set[str]:
    """Publish an archive, as a whole or by its changes; returns the names of the files that stayed."""
    kept = None
    if changes:
        kept = files_to_keep(output, inspect(output, memory, verify="digest"), memory, NoAttributes())
        assert kept is not None
    with Staging(output, NoAttributes()).opened(0) as staging:
        staging.clear()
        lock, writer = write(output, staging, files, kept)
        new = writer.new if isinstance(writer, ChangesWriter) else None
        staging.publish(lock, writer.written, None, new=new)
    return set() if new is None else {part.name for part in writer.written} - new


def content(output: Output) -> dict[str, bytes]:
    """The files of the directory, after a check that the archive is right."""
    published = inspect(output, VerifiedFiles(output.directory), verify="digest")
    assert published.lock is not None, published.damage
    assert (published.damage, published.untidy) == ("", ())
    return files_of(output)


def files_of(output: Output) -> dict[str, bytes]:
    root = Path(output.dest)
    paths = (path for path in root.rglob("*") if path.is_file() and not path.parent.is_symlink())
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def memory_of(output: Output) -> VerifiedFiles:
    return VerifiedFiles(output.directory)


def test_only_what_is_new_is_written(output: Output) -> None:
    publish(output, OLD, memory_of(output), changes=False)
    root = Path(output.dest)
    before = {name: mark(root / name) for name in (f"{SHARE}/{TWO}", f"{TWO}/index.json", "oci-layout")}
    times = os.lstat(root / f"{SHARE}/{TWO}").st_ctime_ns
    stayed = publish(output, NEW, memory_of(output), changes=True)
    assert content(output) == NEW
    assert stayed == {f"{SHARE}/{TWO}", f"{TWO}/index.json", "oci-layout"}
    assert {name: mark(root / name) for name in before} == before
    assert os.lstat(root / f"{SHARE}/{TWO}").st_ctime_ns == times, "it was not even linked"
    assert os.readlink(root / THREE / "blobs") == "../share"
    assert not (root / ONE).exists()
    assert not os.path.exists(staging_path(output))


def test_what_is_foreign_is_removed(output: Output) -> None:
    publish(output, OLD, memory_of(output), changes=False)
    root = Path(output.dest)
    (root / "foreign/deep").mkdir(parents=True)
    (root / TWO / "foreign").write_bytes(b"x")
    (root / SHARE / "foreign").symlink_to("/etc")
    publish(output, NEW, memory_of(output), changes=True)
    assert content(output) == NEW
    assert not [name for name in names_below(root) if "foreign" in name]


def test_a_file_that_was_touched_is_written_anew(output: Output) -> None:
    publish(output, OLD, memory_of(output), changes=False)
    memory = memory_of(output)
    kept = files_to_keep(output, inspect(output, memory, verify="digest"), memory, NoAttributes())
    assert kept is not None
    sha256 = hashlib.sha256(TWO.encode()).hexdigest()
    assert kept.has(f"{SHARE}/{TWO}", sha256)
    assert not kept.has(f"{SHARE}/{TWO}", "0" * 64)
    Path(output.dest, SHARE, TWO).write_bytes(b"x" * 64)
    assert not kept.has(f"{SHARE}/{TWO}", sha256)
    assert not kept.has(f"{SHARE}/{THREE}", sha256)


def test_nothing_is_kept_behind_a_link(output: Output, tmp_path: Path) -> None:
    publish(output, OLD, memory_of(output), changes=False)
    os.rename(Path(output.dest, TWO), tmp_path / "moved")
    Path(output.dest, TWO).symlink_to(tmp_path / "moved")
    memory = memory_of(output)
    kept = files_to_keep(output, inspect(output, memory, verify="digest"), memory, NoAttributes())
    assert kept is not None
    assert not kept.has(f"{TWO}/index.json", hashlib.sha256(b"{}").hexdigest())
    assert not kept.has_link(f"{TWO}/blobs", "../share")
    assert kept.has_link("blobs", "share")
    assert not kept.has_link("blobs", "elsewhere")
    publish(output, NEW, memory, changes=True)
    assert content(output) == NEW
    assert not Path(output.dest, TWO).is_symlink()
    assert sorted(os.listdir(tmp_path / "moved")) == ["blobs", "index.json"]


def damaged(output: Output) -> None:
    os.unlink(Path(output.dest, SHARE, TWO))


def linked(output: Output) -> None:
    os.rename(Path(output.dest, "share"), Path(output.directory, "share"))
    Path(output.dest, "share").symlink_to("../share")


@pytest.mark.parametrize("harm", [damaged, linked])
def test_a_directory_that_is_not_as_it_should_be_is_written_as_a_whole(
    output: Output, harm: Callable[[Output], None]
) -> None:
    publish(output, OLD, memory_of(output), changes=False)
    harm(output)
    memory = memory_of(output)
    assert files_to_keep(output, inspect(output, memory, verify="digest"), memory, NoAttributes()) is None


@pytest.mark.parametrize("options", [{"force": True}, {"compress": "none"}, {"mode": "0640"}])
def test_where_nothing_is_kept(output: Output, tmp_path: Path, options: dict[str, Any]) -> None:
    publish(output, OLD, memory_of(output), changes=False)
    memory = memory_of(output)
    published = inspect(output, memory, verify="digest")
    other = make_options(tmp_path, **{"compress": "dir", **options}).output
    assert files_to_keep(other, published, memory, NoAttributes()) is None


def test_nothing_is_kept_where_changes_cannot_be_seen(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stick:
        tells_changes = False

    publish(output, OLD, memory_of(output), changes=False)
    memory = memory_of(output)
    published = inspect(output, memory, verify="digest")
    monkeypatch.setattr(kept_module, "filesystem_of", lambda _path: Stick())
    assert files_to_keep(output, published, memory, NoAttributes()) is None


def test_a_file_that_would_get_another_mode_is_not_kept(output: Output) -> None:
    publish(output, OLD, memory_of(output), changes=False)
    memory = memory_of(output)
    kept = files_to_keep(output, inspect(output, memory, verify="digest"), memory, Mode(0o600))
    assert kept is not None
    assert not kept.has("oci-layout", hashlib.sha256(b"layout").hexdigest())


def removed(path: Path) -> None:
    path.unlink()


def changed(path: Path) -> None:
    path.write_bytes(b"x" * path.stat().st_size)


def other(path: Path) -> None:
    path.with_name("other").write_bytes(b"x" * path.stat().st_size)
    path.with_name("other").replace(path)


def same_behind_link(path: Path) -> None:
    moved = path.rename(path.parents[2] / "moved")
    path.symlink_to(moved)


def other_link(path: Path) -> None:
    path.parents[1].joinpath("blobs").unlink()
    path.parents[1].joinpath("blobs").symlink_to(path.parents[2])


def no_link(path: Path) -> None:
    path.parents[1].joinpath("blobs").unlink()


LOST = [removed, changed, other, same_behind_link]


def listed(output: Output) -> KeptFiles:
    """The files that stay, as they are noted while an archive is written."""
    memory = memory_of(output)
    kept = files_to_keep(output, inspect(output, memory, verify="digest"), memory, NoAttributes())
    assert kept is not None
    assert kept.has(f"{TWO}/index.json", hashlib.sha256(b"{}").hexdigest())
    assert kept.has(f"{SHARE}/{TWO}", hashlib.sha256(TWO.encode()).hexdigest())
    assert kept.has_link("blobs", "share")
    assert kept.missing() == ""
    return kept


@pytest.mark.parametrize("harm", LOST)
def test_a_file_that_was_to_stay_and_is_lost_meanwhile_is_found(output: Output, harm: Callable[[Path], None]) -> None:
    publish(output, OLD, memory_of(output), changes=False)
    kept = listed(output)
    path = Path(output.dest, SHARE, TWO)
    harm(path)
    assert kept.missing() == str(path)


@pytest.mark.parametrize("harm", [other_link, no_link])
def test_a_link_that_was_to_stay_and_is_lost_meanwhile_is_found(output: Output, harm: Callable[[Path], None]) -> None:
    publish(output, OLD, memory_of(output), changes=False)
    kept = listed(output)
    harm(Path(output.dest, "share", "sha256"))
    assert kept.missing() == os.path.join(output.dest, "blobs")


@pytest.mark.parametrize("folder", ["", TWO, "share", SHARE])
def test_a_directory_that_is_a_link_now_is_found(output: Output, tmp_path: Path, folder: str) -> None:
    """The files behind it are the same."""
    publish(output, OLD, memory_of(output), changes=False)
    kept = listed(output)
    path = Path(output.dest, folder)
    os.rename(path, tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    assert kept.missing() == os.path.join(output.dest, TWO, "index.json")


def test_a_file_that_only_got_another_name_stays(output: Output, tmp_path: Path) -> None:
    """Another archive may link the same blob from the cache at any time, which changes its ctime."""
    publish(output, OLD, memory_of(output), changes=False)
    kept = listed(output)
    os.link(Path(output.dest, SHARE, TWO), tmp_path / "another")
    assert kept.missing() == ""


class Killed(BaseException):
    """The end of a run in the middle of it."""


CHANGES = ("mkdir", "rename", "rmdir", "symlink", "unlink")


@contextmanager
def killed_after(changes: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Have a run change nothing any more after some changes, as if killed; yields what is left of them."""
    left = [changes]

    def or_stop(change: Callable[..., None]) -> Callable[..., None]:
        def changed(*arguments: Any, **more: Any) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            change(*arguments, **more)

        return changed

    with monkeypatch.context() as patch, suppress(Killed):
        for name in CHANGES:
            patch.setattr(os, name, or_stop(getattr(os, name)))
        yield left


def killed_publishing(output: Output, files: Files, at: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Publish changes in a run that is killed; returns whether it came to that."""
    memory = memory_of(output)
    with killed_after(at, monkeypatch) as left:
        publish(output, files, memory, changes=True)
    return left[0] < 0


def completed(output: Output, at: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Complete in a run that is killed; returns whether it came to its end."""
    with killed_after(at, monkeypatch) as left, Staging(output, NoAttributes()).opened(0):
        pass
    return left[0] >= 0


def decide(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a run killed as soon as the new archive is decided."""
    at = 0
    while not is_decided(output):
        killed_publishing(output, NEW, at, monkeypatch)
        at += 1


def test_a_killed_run_leaves_the_old_archive_or_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decisions: list[bool] = []
    for at in range(100):
        output = make_options(tmp_path / str(at), compress="dir").output
        publish(output, OLD, memory_of(output), changes=False)
        was_killed = killed_publishing(output, NEW, at, monkeypatch)
        decided = is_decided(output)
        if not decided:
            assert content(output) in (OLD, NEW)
        found = files_of(output)
        assert all(found[name] in (OLD.get(name), NEW.get(name)) for name in found)
        # Whatever index.json names at any moment is there.
        for image in found["index.json"].decode().split():
            assert found[f"{SHARE}/{image}"] == image.encode()
            assert found[f"{image}/index.json"] == b"{}"
        with Staging(output, NoAttributes()).opened(0):
            pass
        assert content(output) in (OLD, NEW)
        assert not os.path.exists(staging_path(output))
        if decided:
            assert content(output) == NEW
        decisions.append(decided)
        if not was_killed:
            break
    assert sum(decisions) > 5
    assert not was_killed


def test_a_run_that_completes_may_be_killed_as_well(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(output, OLD, memory_of(output), changes=False)
    decide(output, monkeypatch)
    kills = 0
    while not completed(output, kills, monkeypatch):
        kills += 1  # the next one gets a step further
    assert kills > 3
    assert content(output) == NEW


def test_changes_are_of_no_use_without_their_directory(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(output, OLD, memory_of(output), changes=False)
    decide(output, monkeypatch)
    shutil.rmtree(output.dest)
    assert is_damaged(output)
    with Staging(output, NoAttributes()).opened(0):
        pass
    assert not os.path.exists(output.dest)
    assert not os.path.exists(staging_path(output))


THIRD = archive(ONE, "4" * 64)


def copied_away(output: Output, place: Path) -> None:
    """Make a backup of an archive, its directory and the files beside it."""
    shutil.copytree(output.directory, place, symlinks=True)


def put_back(output: Output, backup: Path) -> None:
    """Restore a backup, in place of what is there."""
    shutil.rmtree(output.dest)
    for path in Path(output.directory).iterdir():
        if not path.is_dir():
            path.unlink()
    shutil.copytree(backup, output.directory, symlinks=True, dirs_exist_ok=True)


@pytest.fixture
def third(tmp_path: Path) -> Path:
    """A backup of another archive of the same name."""
    output = make_options(tmp_path / "third", compress="dir").output
    publish(output, THIRD, memory_of(output), changes=False)
    copied_away(output, tmp_path / "backup of the third")
    return tmp_path / "backup of the third"


def killed_at_each_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Output, Path]]:
    """Yield an archive with each moment at which a run is killed that has decided; and a backup from before it."""
    for at in range(100):
        output = make_options(tmp_path / str(at), compress="dir").output
        publish(output, OLD, memory_of(output), changes=False)
        backup = tmp_path / f"backup {at}"
        copied_away(output, backup)
        if not killed_publishing(output, NEW, at, monkeypatch):
            return
        if is_decided(output):
            yield output, backup


def test_a_foreign_directory_is_never_taken_for_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = 0
    for output, _backup in killed_at_each_moment(tmp_path, monkeypatch):
        moments += 1
        away = Path(output.directory, "away")
        away.mkdir()
        os.rename(output.dest, away / "archive")
        os.rename(output.lock_file, away / "lock")
        Path(output.dest).mkdir()
        Path(output.dest, "precious").write_bytes(b"precious")
        with pytest.raises(OptionError, match="that this module did not make"):
            inspect(output, memory_of(output), verify="digest")
        assert not is_decided(output)
        shutil.rmtree(output.dest)
        os.rename(away / "archive", output.dest)
        os.rename(away / "lock", output.lock_file)
        assert is_decided(output), "it goes on as soon as the archive is back"
        shutil.copytree(output.dest, away / "archive", symlinks=True)
        os.rename(output.lock_file, away / "lock")
        shutil.rmtree(output.dest)
        Path(output.dest).mkdir()
        Path(output.dest, "precious").write_bytes(b"precious")
        with Staging(output, NoAttributes()).opened(0):
            pass
        assert files_of(output) == {"precious": b"precious"}
        assert not os.path.exists(output.lock_file)
    assert moments > 5


def test_another_archive_that_was_restored_stays(tmp_path: Path, third: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = 0
    for output, _backup in killed_at_each_moment(tmp_path, monkeypatch):
        moments += 1
        put_back(output, third)
        assert is_damaged(output)
        assert content(output) == THIRD
        with Staging(output, NoAttributes()).opened(0):
            pass
        assert content(output) == THIRD
        assert not os.path.exists(staging_path(output))
    assert moments > 5


def test_the_old_archive_that_was_restored_stays_or_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was moved into the directory before is not there any more."""
    found: list[dict[str, bytes]] = []
    for output, backup in killed_at_each_moment(tmp_path, monkeypatch):
        put_back(output, backup)
        with Staging(output, NoAttributes()).opened(0):
            pass
        found.append(content(output))
    assert OLD in found
    assert NEW in found
    assert all(one in (OLD, NEW) for one in found)


def test_a_killed_run_is_not_completed_without_a_file_that_was_to_stay(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(output, OLD, memory_of(output), changes=False)
    decide(output, monkeypatch)
    lock = Path(output.lock_file).read_bytes()
    os.unlink(Path(output.dest, SHARE, TWO))
    assert is_damaged(output)
    with Staging(output, NoAttributes()).opened(0):
        pass
    assert Path(output.lock_file).read_bytes() == lock
    assert not os.path.exists(staging_path(output))


def test_changes_that_are_dropped_are_never_taken_up_again(
    output: Output, third: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run that removes them may be killed as well."""
    publish(output, OLD, memory_of(output), changes=False)
    decide(output, monkeypatch)
    put_back(output, third)
    kills = 0
    while not completed(output, kills, monkeypatch):
        kills += 1
        assert not is_decided(output)
        assert content(output) == THIRD
    assert kills > 5
    assert content(output) == THIRD


def test_files_beside_a_directory_are_not_put_beside_another(
    output: Output, third: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive stays as a whole, and only its record was to be written again."""
    publish(output, OLD, memory_of(output), changes=False)
    lock = inspect(output, memory_of(output), verify="digest").lock
    assert lock is not None
    with monkeypatch.context() as patch, suppress(Killed):
        patch.setattr(staging_module, "roll_forward", _killed)
        with Staging(output, NoAttributes()).opened(0) as staging:
            staging.publish_beside(lock, None)
    assert is_decided(output)
    os.rename(output.lock_file, f"{output.lock_file}.away")
    with pytest.raises(OptionError, match="that this module did not make"):
        inspect(output, memory_of(output), verify="digest")
    put_back(output, third)
    with Staging(output, NoAttributes()).opened(0):
        pass
    assert content(output) == THIRD


def _killed(*_arguments: object) -> None:
    raise Killed


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """New files."""
    root = tmp_path / "source"
    for name in ("share/sha256/new", "folder/index.json", "index.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"new")
    (root / "folder/blobs").symlink_to("../share")
    os.chmod(root / "index.json", 0o640)
    return root


def test_files_come_after_directories(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "target"
    (target / "share/sha256").mkdir(parents=True)
    moved: list[str] = []
    rename = os.rename
    monkeypatch.setattr(os, "rename", lambda name, *other, **more: (moved.append(name), rename(name, *other, **more)))
    put_changes(str(source), str(target))
    assert moved == ["folder", "new", "index.json"]


def test_a_link_in_the_way_is_replaced_and_not_followed(source: Path, tmp_path: Path) -> None:
    target, elsewhere = tmp_path / "target", tmp_path / "elsewhere"
    target.mkdir()
    (elsewhere / "sha256").mkdir(parents=True)
    (target / "share").symlink_to(elsewhere)
    (target / "index.json").symlink_to(elsewhere / "document")
    put_changes(str(source), str(target))
    assert (target / "share/sha256/new").read_bytes() == b"new"
    assert not (target / "share").is_symlink()
    assert (target / "index.json").read_bytes() == b"new"
    assert names_below(elsewhere) == ["sha256"]


def test_a_link_in_place_of_the_directory_is_refused(source: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "target").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError) as caught:
        put_changes(str(source), str(tmp_path / "target"))
    assert caught.value.errno in (errno.ELOOP, errno.ENOTDIR)
    assert names_below(tmp_path / "elsewhere") == []


def test_other_kinds_in_the_way_are_replaced(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "share/sha256").mkdir(parents=True)
    (target / "folder").write_bytes(b"a file")
    (target / "index.json/deep").mkdir(parents=True)
    put_changes(str(source), str(target))
    assert names_below(target) == [
        "folder",
        "folder/blobs",
        "folder/index.json",
        "index.json",
        "share",
        "share/sha256",
        "share/sha256/new",
    ]


def test_what_the_kernel_cannot_rename_is_copied(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "target"
    (target / "share/sha256").mkdir(parents=True)
    (target / "index.json").write_bytes(b"old")
    rename = os.rename

    def only_within(name: str, other: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        if src_dir_fd != dst_dir_fd:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(name, other, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "rename", only_within)
    for _time in range(2):  # what was copied is still in its place
        put_changes(str(source), str(target))
    assert {name: (target / name).read_bytes() for name in ("share/sha256/new", "folder/index.json", "index.json")} == {
        "share/sha256/new": b"new",
        "folder/index.json": b"new",
        "index.json": b"new",
    }
    assert stat.S_IMODE(os.stat(target / "index.json").st_mode) == 0o640
    assert os.readlink(target / "folder/blobs") == "../share"


def test_others_are_removed_wherever_they_are(tmp_path: Path) -> None:
    names = ["share/sha256/a", "folder/index.json", "index.json", "old/index.json", "folder/more", "share/more"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    parts = tuple(Part(name, 1, "0" * 64) for name in names[:3])
    remove_others(str(tmp_path), Lock({}, (), parts=parts))
    assert names_below(tmp_path) == ["folder", "folder/index.json", "index.json", "share", "share/sha256", names[0]]
