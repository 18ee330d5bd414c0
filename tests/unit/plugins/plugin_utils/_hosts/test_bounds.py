# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that do not grow beyond a size."""

from __future__ import annotations

import errno
import json
import resource
import signal
import subprocess
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.json import Json, canonical
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.bounds import MOST_VALUES, no_file_beyond

KINDS = (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)


def limits() -> list[tuple[int, int]]:
    return [resource.getrlimit(kind) for kind in KINDS]


def test_this_process_gets_an_error(tmp_path: Path) -> None:
    before = limits()
    with pytest.raises(OSError) as caught, no_file_beyond(1000), (tmp_path / "a").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 300)
    assert caught.value.errno == errno.EFBIG
    assert (tmp_path / "a").stat().st_size == 1000
    assert limits() == before


def test_a_process_that_it_starts_is_killed(tmp_path: Path) -> None:
    """And leaves no memory of itself behind."""
    command = ["dd", "if=/dev/zero", f"of={tmp_path / 'a'}", "bs=300", "count=99"]
    with no_file_beyond(1000):
        done = subprocess.run(command, cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGXFSZ
    assert (tmp_path / "a").stat().st_size == 1000
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_just_as_much_is_written(tmp_path: Path) -> None:
    with no_file_beyond(1000):
        (tmp_path / "a").write_bytes(b"x" * 1000)
    (tmp_path / "b").write_bytes(b"x" * 1001)


def test_limits_that_are_lower_stay() -> None:
    before = limits()
    with no_file_beyond(1000):
        inside = limits()
        with no_file_beyond(2000):
            assert limits() == inside
        assert limits() == inside
    assert [soft for soft, _hard in inside] == [1000, 0]
    assert [hard for _soft, hard in inside] == [hard for _soft, hard in before], "so that it can be raised again"
    assert limits() == before


def test_a_lock_file_has_fewer_values_than_are_read() -> None:
    """For each of its members there are more bytes than 64 MiB have for each value that is read."""
    digest = "sha256:" + "ab" * 32
    kind = "application/vnd.oci.image.index.v1+json"
    names: Json = {"architecture": "arm", "os": "linux"}
    platform: Json = {"digest": digest, "media_type": kind, "size": 1, "platform": names}
    image: Json = {"reference": "a/b:c", "digest": digest, "media_type": kind, "platforms": [platform], "notes": []}
    lists: dict[str, Json] = {
        "images": [image] * 9,
        "blobs": {f"{digest}{number}": 1 for number in range(9)},
        "offsets": {f"{digest}{number}": [1, 0] for number in range(9)},
        "parts": [{"name": "a.part0", "size": 1, "sha256": "ab" * 32}] * 9,
    }
    for each in lists.values():
        raw = canonical(each)
        assert json.loads(raw)
        values = raw.count(b",") + raw.count(b"[") + raw.count(b"{")
        assert len(raw) / values > 64 * 1024 * 1024 / MOST_VALUES
