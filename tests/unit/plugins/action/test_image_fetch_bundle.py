# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small files that come together: what a host can send instead of them, and what can go wrong on the way."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.airgap.images.plugins.action.image_fetch import ActionModule
from ansible_collections.airgap.images.plugins.module_utils._archive.bundle import BUNDLE
from ansible_collections.airgap.images.plugins.modules import image_fetch as image_fetch_module
from ansible_collections.airgap.images.plugins.plugin_utils._fetch import bundle
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.host import Host
from ansible_collections.airgap.images.tests.unit.fetch_scene import Scene, blob_of, snapshot

COUNT = 40
LOCK, SUMS = "images.lock.json", "images.sha256"
CONTENTS = [f"content {number}".encode() * (number + 1) for number in range(COUNT)]
LAYOUT = {"index.json": b"{}", "oci-layout": b"1", **{blob_of(content): content for content in CONTENTS}}
NAMES = [f"images/{name}" for name in LAYOUT]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A host with an archive of many small files, over a connection that is not local."""
    made = Scene(tmp_path, monkeypatch)
    made.connection.transport = "container"
    made.save(LAYOUT, name="images", compress="dir")
    return made


def fetch(scene: Scene, **more: Any) -> dict[str, Any]:
    return scene.fetch(src=str(scene.host / "images"), **more)


def assert_whole(scene: Scene) -> None:
    """All is there by its name, and nothing else."""
    files = {f"images/{name}": content for name, content in LAYOUT.items()}
    for name in (LOCK, SUMS):
        files[name] = (scene.host / name).read_bytes()
    found = [path for path in scene.media.rglob("*") if path.is_file() and "blobs" not in path.parts]
    assert {str(path.relative_to(scene.media)): path.read_bytes() for path in found} == files


def final_names(scene: Scene) -> list[str]:
    """The files on the controller, without the hidden directory."""
    return [path.name for path in scene.media.iterdir() if path.name != ".images.fetching"]


def test_small_files_come_together(scene: Scene) -> None:
    result = fetch(scene)
    assert scene.connection.fetched == [LOCK, BUNDLE]
    assert scene.bundles == [[*NAMES, SUMS]]
    assert_whole(scene)
    assert result["changed"] is True
    assert sorted(result["transferred"]) == sorted([*NAMES, LOCK, SUMS])
    assert scene.looked == [f"images{suffix}" for suffix in image_fetch_module.BESIDE.values()], (
        "nothing is asked twice"
    )
    before = snapshot(scene.media)
    again = fetch(scene)
    assert (again["changed"], scene.connection.fetched) == (False, [])
    assert snapshot(scene.media) == before


def test_a_few_come_one_by_one(scene: Scene) -> None:
    few = dict(list(LAYOUT.items())[: bundle.FEW - 2])
    scene.save(few, name="images", compress="dir")
    fetch(scene)
    assert len(scene.connection.fetched) == len(few) + 2
    assert scene.bundles == []


def test_on_the_controller_itself_they_come_one_by_one(scene: Scene) -> None:
    scene.connection.transport = "local"
    fetch(scene)
    assert scene.bundles == []
    assert_whole(scene)


def test_large_files_come_by_themselves(scene: Scene) -> None:
    large = b"x" * bundle.SMALL
    scene.save({**LAYOUT, blob_of(large): large}, name="images", compress="dir")
    fetch(scene)
    assert scene.connection.fetched == [LOCK, BUNDLE, os.path.basename(blob_of(large))]
    assert (scene.media / "images" / blob_of(large)).read_bytes() == large


def test_several_bundles(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "LARGEST", 10_000)
    fetch(scene)
    assert len(scene.bundles) > 2
    assert [name for each in scene.bundles for name in each] == [*NAMES, SUMS]
    assert scene.connection.fetched == [LOCK, *[BUNDLE] * len(scene.bundles)]
    assert_whole(scene)


def test_only_missing_files_come(scene: Scene) -> None:
    fetch(scene)
    missing = NAMES[3:30]
    for name in missing:
        (scene.media / name).unlink()
    fetch(scene)
    assert scene.bundles[1:] == [missing]
    assert scene.connection.fetched == [BUNDLE]
    assert_whole(scene)


def test_check_mode_asks_for_no_bundle(scene: Scene) -> None:
    result = fetch(scene, check=True)
    assert (result["changed"], scene.bundles, scene.media.exists()) == (True, [], False)
    assert not scene.remote_tmp.exists()


def test_the_list_of_names_is_kept_out_of_the_log_of_the_host(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: list[Any] = []
    seen: list[bool] = []
    real_init, real_bundle = ActionModule.__init__, scene._bundle

    def keep(action: Any, task: Any, *arguments: Any) -> None:
        tasks.append(task)
        real_init(action, task, *arguments)

    monkeypatch.setattr(ActionModule, "__init__", keep)

    def note(src: str, files: list[dict[str, Any]]) -> dict[str, Any]:
        seen.append(tasks[0].no_log)
        return real_bundle(src, files)

    monkeypatch.setattr(scene, "_bundle", note)
    fetch(scene)
    assert (seen, tasks[0].no_log) == ([True], False)


# --- what a host can send instead


Entries = list[tuple[tarfile.TarInfo, bytes]]
SECRET = b"written by the host"


def entry(name: str, content: bytes = SECRET, kind: bytes = tarfile.REGTYPE, target: str = "") -> Any:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.type, info.linkname = len(content), 0o644, kind, target
    return info, content


def renamed(entries: Entries, name: str) -> Entries:
    entries[5][0].name = name
    return entries


def with_content(entries: Entries, content: bytes) -> Entries:
    info = entries[5][0]
    info.size = len(content)
    entries[5] = (info, content)
    return entries


LIES: dict[str, Callable[[Entries], Entries]] = {
    "another name": lambda entries: renamed(entries, "images/share/sha256/other"),
    "a path upwards": lambda entries: renamed(entries, "../../outside"),
    "an absolute path": lambda entries: renamed(entries, "/outside"),
    "another order": lambda entries: [*entries[:5], entries[6], entries[5], *entries[7:]],
    "one is missing": lambda entries: entries[:5] + entries[6:],
    "one more in between": lambda entries: [*entries[:5], entry("images/more"), *entries[5:]],
    "one twice": lambda entries: [*entries[:5], entries[4], *entries[5:]],
    "a link": lambda entries: [*entries[:5], entry(NAMES[5], b"", tarfile.SYMTYPE, "/etc/passwd"), *entries[6:]],
    "a hard link": lambda entries: [*entries[:5], entry(NAMES[5], b"", tarfile.LNKTYPE, NAMES[0]), *entries[6:]],
    "a device": lambda entries: [*entries[:5], entry(NAMES[5], b"", tarfile.CHRTYPE), *entries[6:]],
    "a FIFO": lambda entries: [*entries[:5], entry(NAMES[5], b"", tarfile.FIFOTYPE), *entries[6:]],
    "a directory": lambda entries: [*entries[:5], entry(NAMES[5], b"", tarfile.DIRTYPE), *entries[6:]],
    "a longer content": lambda entries: with_content(entries, SECRET * 100),
    "a shorter content": lambda entries: with_content(entries, b"x"),
    "nothing": lambda entries: [],
}


def rewrite(path: Path, change: Callable[[Entries], Entries]) -> None:
    """Replace a bundle by one of other members, of no other size where that is possible."""
    size = path.stat().st_size
    with tarfile.open(path) as tar:
        entries: Entries = [(each, tar.extractfile(each).read()) for each in tar.getmembers()]  # type: ignore[union-attr]
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for info, content in change(entries):
            tar.addfile(info, io.BytesIO(content))
    raw = made.getvalue()
    path.write_bytes(raw[:size].ljust(size, b"\0"))


def lie(scene: Scene, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]) -> None:
    """Have the host change each bundle before it is transferred."""
    real = scene._bundle

    def lying(src: str, files: list[dict[str, Any]]) -> dict[str, Any]:
        said = real(src, files)
        change(scene.remote_tmp / BUNDLE)
        return said

    monkeypatch.setattr(scene, "_bundle", lying)


@pytest.mark.parametrize("name", LIES)
def test_anything_else_is_refused(scene: Scene, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    outside = snapshot(scene.media.parent.parent / "host")
    lie(scene, monkeypatch, lambda path: rewrite(path, LIES[name]))
    message = scene.refused(src=str(scene.host / "images"))
    expected = NAMES[0] if name == "nothing" else NAMES[5]
    assert message.startswith(f"build1 did not send the files that it was asked for: expected {expected} (")
    assert final_names(scene) == []
    for path in scene.media.rglob("*"):
        assert path.is_dir() or (path.is_file() and not path.is_symlink())
        assert path.is_dir() or SECRET not in path.read_bytes()
    assert not list(scene.media.parent.rglob("outside*"))
    assert snapshot(scene.media.parent.parent / "host") == outside
    monkeypatch.undo()
    monkeypatch.setenv("ANSIBLE_HOME", str(scene.media.parent.parent / "ansible"))
    assert "failed" not in fetch(scene)
    assert_whole(scene)


def test_a_name_of_the_host_is_shown_without_control_characters(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    lie(scene, monkeypatch, lambda path: rewrite(path, lambda entries: renamed(entries, "\x1b[31mred\u202e")))
    assert "found the file '\\x1b[31mred\\x202e' (" in scene.refused(src=str(scene.host / "images"))


def test_one_file_more_at_the_end_is_refused(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the place of the end, as the transfer is cut off at the size that was asked for."""

    def add(path: Path) -> None:
        raw = path.read_bytes()
        path.write_bytes(raw[:-1024] + entry("images/more", b"")[0].tobuf() + bytes(512))

    lie(scene, monkeypatch, add)
    message = scene.refused(src=str(scene.host / "images"))
    assert "expected no further file, found the file 'images/more' (0 bytes)" in message


def test_bytes_between_files_are_refused(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(path: Path) -> None:
        raw = bytearray(path.read_bytes())
        raw[512 + 2] = 1  # behind the two bytes of index.json
        path.write_bytes(bytes(raw))

    lie(scene, monkeypatch, fill)
    assert "expected images/index.json (2 bytes), found more bytes" in scene.refused(src=str(scene.host / "images"))


def test_a_bundle_that_is_too_large_is_refused(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    lie(scene, monkeypatch, lambda path: path.write_bytes(path.read_bytes() + b"x" * 10_000) and None)
    message = scene.refused(src=str(scene.host / "images"))
    assert message.startswith("build1 sent more than ") and "the transfer was cut off" in message
    assert not (scene.media / ".images.fetching" / ".airgap-images-bundle").exists()


def test_a_wrong_content_is_fetched_again_by_itself(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    lie(
        scene,
        monkeypatch,
        lambda path: rewrite(path, lambda entries: with_content(entries, b"z" * entries[5][0].size)),
    )
    fetch(scene)
    assert scene.connection.fetched == [LOCK, BUNDLE, os.path.basename(NAMES[5])]
    assert_whole(scene)


def test_a_file_that_has_changed_on_the_host_is_named(scene: Scene) -> None:
    (scene.host / NAMES[5]).write_bytes(b"changed")
    message = scene.refused(src=str(scene.host / "images"), retries=0)
    assert message.startswith(
        f"cannot fetch {scene.host / NAMES[5]} from build1: what arrived does not have the sha256"
    )
    assert scene.connection.fetched == [LOCK, BUNDLE, os.path.basename(NAMES[5])]


def test_a_file_that_is_gone_is_named(scene: Scene) -> None:
    (scene.host / NAMES[5]).unlink()
    message = scene.refused(src=str(scene.host / "images"))
    assert message == f"{scene.host / NAMES[5]} no longer exists on build1; save the archive again"


@pytest.mark.parametrize(
    "answer",
    [{}, {"left_out": "x"}, {"left_out": None}, {"failed": True, "msg": "no space", "left_out": []}],
)
def test_a_host_that_makes_no_bundle(scene: Scene, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]) -> None:
    monkeypatch.setattr(scene, "_bundle", lambda src, files: answer)
    fetch(scene)
    assert BUNDLE not in scene.connection.fetched
    assert_whole(scene)


def test_a_host_that_leaves_everything_out(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [{"x": 1}, 7, "unknown", *NAMES, SUMS]
    monkeypatch.setattr(scene, "_bundle", lambda src, files: {"left_out": names})
    fetch(scene)
    assert BUNDLE not in scene.connection.fetched
    assert_whole(scene)


# --- what can go wrong


def cut(scene: Scene, size: int) -> Callable[[str], None]:
    """A connection that is lost after so many bytes of a bundle, or before so many from its end."""

    def lose(path: str) -> None:
        os.truncate(path, size if size >= 0 else os.path.getsize(path) + size)
        raise AnsibleConnectionFailure("Connection reset by peer")

    return lose


def test_a_transfer_that_breaks_off_keeps_what_is_whole(scene: Scene) -> None:
    scene.connection.faults[BUNDLE] = [cut(scene, 10 * 1024 + 600)]
    fetch(scene)
    assert scene.connection.fetched == [LOCK, BUNDLE, BUNDLE]
    first, second = scene.bundles
    assert len(second) < len(first) - 5
    assert second == first[-len(second) :]
    assert scene.connection.resets == 1
    assert_whole(scene)


def test_a_transfer_that_breaks_off_at_its_end_is_not_repeated(scene: Scene) -> None:
    scene.connection.faults[BUNDLE] = [cut(scene, -1024)]
    fetch(scene)
    assert scene.connection.fetched == [LOCK, BUNDLE]
    assert len(scene.looked) == len(image_fetch_module.BESIDE), "nothing is asked twice"
    assert_whole(scene)


def test_a_transfer_that_brings_nothing_is_not_repeated(scene: Scene) -> None:
    scene.connection.faults[BUNDLE] = [cut(scene, 100)]
    fetch(scene)
    assert scene.connection.fetched[:2] == [LOCK, BUNDLE]
    assert len(scene.connection.fetched) == 2 + len(NAMES) + 1
    assert_whole(scene)


def test_a_transfer_that_leaves_no_file_gives_its_own_reason(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(Host, "say", lambda _host, text: said.append(text))

    def refuse(path: str) -> None:
        os.unlink(path)
        raise AnsibleConnectionFailure("Connection reset by peer")

    scene.connection.faults[BUNDLE] = [refuse]
    fetch(scene)
    assert [text for text in said if "did not arrive together" in text and "Connection reset by peer" in text]
    assert_whole(scene)


@pytest.mark.parametrize("size", [0, 511, 512, 513, 10 * 1024, 30_000])
def test_a_transfer_that_ends_early_without_an_error(scene: Scene, size: int) -> None:
    scene.connection.faults[BUNDLE] = [lambda path: os.truncate(path, size)]
    fetch(scene)
    assert_whole(scene)


def test_holes_in_what_has_arrived(scene: Scene) -> None:
    """sftp may write the end before the middle."""

    def lose(path: str) -> None:
        raw = Path(path).read_bytes()
        Path(path).write_bytes(raw[:5000] + bytes(3000) + raw[8000:])
        raise AnsibleConnectionFailure("Connection reset by peer")

    scene.connection.faults[BUNDLE] = [lose]
    fetch(scene)
    assert_whole(scene)


def test_a_killed_run_leaves_what_has_arrived(scene: Scene) -> None:
    """The bytes of the bundle that have come in are used, though nobody took the files out."""

    def kill(path: str) -> None:
        os.truncate(path, 10 * 1024 + 600)
        raise KeyboardInterrupt

    scene.connection.faults[BUNDLE] = [kill]
    with pytest.raises(KeyboardInterrupt):
        fetch(scene)
    assert final_names(scene) == []
    fetch(scene)
    assert len(scene.bundles[1]) < len(scene.bundles[0]) - 5
    assert_whole(scene)


@pytest.mark.parametrize("error", [AnsibleError("cannot create temporary directory"), AnsibleConnectionFailure("lost")])
def test_a_host_without_a_temporary_directory(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, error: AnsibleError
) -> None:
    def fail() -> str:
        raise error

    monkeypatch.setattr(scene, "_make_tmp_path", fail)
    fetch(scene)
    assert BUNDLE not in scene.connection.fetched
    assert_whole(scene)


@pytest.mark.parametrize(
    "made", ["Good bye", "", "/", "/srv/it's", "/srv/secret", "/srv/ansible-tmp-1.5-2-3'", "/srv/ansible-tmp-1.5-2-x"]
)
def test_a_host_does_not_choose_the_temporary_directory(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, made: str
) -> None:
    """Login shells may print more than they are asked for, and a host may mean harm."""
    monkeypatch.setattr(scene, "_make_tmp_path", lambda: made)
    fetch(scene)
    assert scene.bundles == []
    assert BUNDLE not in scene.connection.fetched
    assert_whole(scene)


def test_only_the_last_name_of_the_temporary_directory_counts(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene._make_tmp_path()
    monkeypatch.setattr(scene, "_make_tmp_path", lambda: f"/etc/{scene.remote_tmp.name}/")
    fetch(scene)
    assert scene.connection.fetched == [LOCK, BUNDLE]
    assert_whole(scene)


@pytest.mark.parametrize("remote_tmp", ["$HOME/.ansible/tmp", "~other/tmp", "tmp", "/srv/it's", "~/.ansible/tmp"])
def test_a_temporary_directory_that_only_the_host_can_find(scene: Scene, remote_tmp: str) -> None:
    """The last one could be found over ssh."""
    scene.connection.remote_tmp = remote_tmp
    fetch(scene)
    assert scene.bundles == []
    assert_whole(scene)


def test_a_host_with_little_space(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_fetch_module, "free_bytes", lambda path: 64 * 1024 * 1024)
    fetch(scene)
    assert len(scene.bundles) == 1
    assert BUNDLE not in scene.connection.fetched
    assert list(scene.remote_tmp.iterdir()) == []
    assert_whole(scene)


def test_a_controller_without_space_for_a_bundle(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is removed before the files come one by one, which tell whether the disk is full."""

    def fail(path: str) -> None:
        os.truncate(path, 5000)
        raise AnsibleError("write error: No space left on device")

    scene.connection.faults[BUNDLE] = [fail, lambda path: fail(path)]
    fetch(scene)
    assert not (scene.media / ".images.fetching").exists()
    assert_whole(scene)


def test_the_sha256_of_each_file_is_checked(scene: Scene) -> None:
    """Not a bit of it may be another."""

    def flip(path: str) -> None:
        raw = bytearray(Path(path).read_bytes())
        place = raw.index(CONTENTS[30])
        raw[place] ^= 1
        Path(path).write_bytes(bytes(raw))

    scene.connection.faults[BUNDLE] = [flip]
    fetch(scene)
    assert scene.connection.fetched == [LOCK, BUNDLE, hashlib.sha256(CONTENTS[30]).hexdigest()]
    assert_whole(scene)


def test_a_task_cannot_set_what_is_collected(scene: Scene) -> None:
    """That option is the controller's."""
    with pytest.raises(AnsibleError, match="bundle"):
        fetch(scene, bundle=[{"name": "a", "size": 1}])
