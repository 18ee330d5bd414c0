# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files on their way to a host: tried again, checked there, and shown."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.airgap.images.plugins.module_utils._base.errors import StorageError
from ansible_collections.airgap.images.plugins.plugin_utils._carry import sending
from ansible_collections.airgap.images.plugins.plugin_utils._carry.cargo import Item, temporary_of
from ansible_collections.airgap.images.plugins.plugin_utils._carry.convoy import position_in
from ansible_collections.airgap.images.plugins.plugin_utils._carry.sending import Patience, batches, send
from ansible_collections.airgap.images.plugins.plugin_utils._display.line import Line
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker


class Recorder(Ticker):
    """Keeps every line, whether one is due or not."""

    def __init__(self) -> None:
        super().__init__("host", is_silent=False)
        self.lines: list[str] = []

    def tick(self, make: Callable[[], Line | None], step: str = "") -> None:
        self.lines.append(str(make()))

    def warn(self, text: str) -> None:
        self.lines.append(text)


class Host:
    """A connection, and the host behind it: a folder. The first transfers break off, or arrive damaged."""

    transport = "local"

    def __init__(self, *, broken: int = 0, broken_again: int = 0, damaged: int = 0) -> None:
        self.broken = broken
        self.broken_again = broken_again
        self.damaged = damaged
        self.source_damage = b""
        self.put: list[str] = []
        self.resets = self.checks = 0

    def get_option(self, option: str) -> object:
        raise AssertionError(option)

    set_option = get_option  # type: ignore[assignment]

    def put_file(self, in_path: str, out_path: str) -> None:
        self.put.append(out_path)
        if self.broken:
            self.broken -= 1
            raise AnsibleConnectionFailure("broken pipe")
        self.broken, self.broken_again = self.broken_again, 0
        Path(out_path).write_bytes(b"damaged" if self.damaged else Path(in_path).read_bytes())
        self.damaged = max(0, self.damaged - 1)

    def reset(self) -> None:
        self.resets += 1

    def receive(self, directory: str, items: Sequence[Item], host: str) -> list[Item]:
        self.checks += 1
        wrong = []
        for item in items:
            path = Path(directory, temporary_of(item.name, host))
            if hashlib.sha256(path.read_bytes()).hexdigest() == item.sha256:
                path.rename(Path(directory, item.name))
            else:
                path.unlink()
                wrong.append(item)
        return wrong


def run(folder: Path, host: Host, *, retries: int = 1) -> list[str]:
    """Send two files; returns the lines that were shown."""
    (folder / "in").mkdir()
    items = []
    for name, raw in (("a.part0", b"0" * 100), ("a.part1", b"1" * 50)):
        (folder / name).write_bytes(raw)
        items.append(Item(str(folder / name), name, len(raw), hashlib.sha256(raw).hexdigest()))
    if host.source_damage:
        (folder / "a.part0").write_bytes(host.source_damage)
    ticker = Recorder()
    send(
        items,
        str(folder / "in"),
        host,
        host,
        host="one",
        patience=Patience(retries, 0),
        ticker=ticker,
    )
    return ticker.lines


def there(folder: Path) -> set[str]:
    return {path.name for path in (folder / "in").iterdir()}


def test_files_arrive_under_another_name_first(tmp_path: Path) -> None:
    host = Host()
    lines = run(tmp_path, host)
    assert there(tmp_path) == {"a.part0", "a.part1"}
    assert [Path(path).name for path in host.put] == [temporary_of(name, "one") for name in ("a.part0", "a.part1")]
    assert any(line.startswith("copying file 2 of 2 to the host, a.part1, 100 bytes of 150 bytes") for line in lines)


@pytest.mark.parametrize(
    ("host", "words"), [(Host(broken=1), "broken pipe"), (Host(damaged=1), "does not have the right sha256")]
)
def test_a_transfer_is_tried_again(tmp_path: Path, host: Host, words: str) -> None:
    lines = run(tmp_path, host)
    assert there(tmp_path) == {"a.part0", "a.part1"}
    assert [words in line for line in lines].count(True) == 1
    assert len(host.put) == 3


def test_a_file_that_is_damaged_on_the_controller_is_not_sent_again(tmp_path: Path) -> None:
    host = Host()
    host.source_damage = b"1" + b"0" * 99
    said = r"cannot copy to one: \S+/a\.part0 is damaged on the controller: .* Carry it across again, or run the role"
    with pytest.raises(StorageError, match=said):
        run(tmp_path, host, retries=3)
    assert [Path(path).name for path in host.put] == [temporary_of(name, "one") for name in ("a.part0", "a.part1")]
    assert there(tmp_path) == {"a.part1"}


def test_the_source_of_a_file_that_arrives_damaged_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    real = sending.sha256_of
    monkeypatch.setattr(sending, "sha256_of", lambda path: read.append(path) or real(path))
    run(tmp_path, Host(damaged=3), retries=3)
    assert read.count(str(tmp_path / "a.part0")) == 1 and there(tmp_path) == {"a.part0", "a.part1"}


def test_small_files_are_checked_together(tmp_path: Path) -> None:
    host = Host()
    run(tmp_path, host)
    assert host.checks == 1


@pytest.mark.parametrize(("most", "groups"), [(100, [[40, 60], [70], [300], [1]]), (1, [[40], [60], [70], [300], [1]])])
def test_batches(most: int, groups: list[list[int]]) -> None:
    items = [Item("", str(number), size, "") for number, size in enumerate((40, 60, 70, 300, 1))]
    assert [[item.size for item in batch] for batch in batches(items, most=most)] == groups


def test_a_link_that_breaks_now_and_then_gets_all_across(tmp_path: Path) -> None:
    """Tries are counted from the last file that has arrived."""
    host = Host(broken=1, broken_again=1)
    run(tmp_path, host)
    assert there(tmp_path) == {"a.part0", "a.part1"}


def test_what_does_not_arrive_ends_it(tmp_path: Path) -> None:
    host = Host(broken=9)
    with pytest.raises(StorageError, match=r"cannot copy to one: .*a\.part0: broken pipe"):
        run(tmp_path, host)
    assert (len(host.put), host.resets) == (2, 2)
    assert there(tmp_path) == set()


def test_hosts_that_share_a_disk_write_to_different_files() -> None:
    assert temporary_of("a.part0", "one") != temporary_of("a.part0", "two")


def test_the_position_of_the_program_that_sends_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "part"
    path.write_bytes(b"x" * 1000)
    script = "import sys; f = open(sys.argv[1], 'rb', 0); f.read(700); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert position_in(str(path)) == 700
        assert position_in(str(tmp_path / "other")) == 0
        process.communicate()
    assert position_in(str(path)) == 0
