# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of all hosts of a call, which are put together once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.plugin_utils._lists.selection import Source
from ansible_collections.airgap.images.plugins.plugin_utils._lists.sharing import share_out
from ansible_collections.airgap.images.plugins.plugin_utils._stage import pool as pool_module
from ansible_collections.airgap.images.plugins.plugin_utils._stage.pool import Pool, read_shares

HOSTS = ["north", "east"]


def by_name(lines: Sequence[str]) -> dict[str, list[str]]:
    return share_out(lines, HOSTS)


def put(pool: Pool, **lines: str) -> None:
    for host, text in lines.items():
        pool.put(host, [Source("list", text)])


def test_each_line_falls_to_one_host(tmp_path: Path) -> None:
    pool = Pool(str(tmp_path), "call")
    put(pool, north="a/b:1\na/b:2\nno reference", east="c/d:1\na/b:1\nx/y:1")
    chosen, shares = read_shares(pool.share(HOSTS, HOSTS, share_out=by_name, include=[], exclude=["^x/"]))
    assert chosen.lines == ["a/b:1", "a/b:2", "no reference", "c/d:1"]
    assert chosen.excluded == ["docker.io/x/y:1"] and [line["line"] for line in chosen.invalid] == ["no reference"]
    assert sorted(line for share in shares.values() for line in share) == sorted(chosen.lines)
    assert [*shares] == HOSTS


def test_it_is_worked_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(str(tmp_path), "call")
    put(pool, north="a/b:1", east="c/d:1")
    path = pool.share(HOSTS, HOSTS, share_out=by_name, include=["b"], exclude=[])
    monkeypatch.setattr(pool_module, "choose", None)
    assert Pool(str(tmp_path), "call").share(HOSTS, HOSTS, share_out=by_name, include=["b"], exclude=[]) == path
    with pytest.raises(TypeError):  # other expressions of a host are a choice of their own
        pool.share(HOSTS, HOSTS, share_out=by_name, include=["d"], exclude=[])


def test_a_host_that_has_failed_has_a_share_and_no_list(tmp_path: Path) -> None:
    pool = Pool(str(tmp_path), "call")
    put(pool, north="a/b:1", east="c/d:1")
    chosen, shares = read_shares(pool.share(HOSTS, HOSTS[:1], share_out=by_name, include=[], exclude=[]))
    assert chosen.lines == ["a/b:1"] and [*shares] == HOSTS


def test_a_host_that_fails_meanwhile_changes_no_share(tmp_path: Path) -> None:
    """Ansible starts a task on a few hosts at a time; all of them have to get a share of the same list."""
    pool = Pool(str(tmp_path), "call")
    put(pool, north="a/b:1", east="c/d:1")
    path = pool.share(HOSTS, HOSTS, share_out=by_name, include=[], exclude=[])
    assert pool.share(HOSTS, HOSTS[:1], share_out=by_name, include=[], exclude=[]) == path
    assert read_shares(path)[0].lines == ["a/b:1", "c/d:1"]


def test_a_host_that_did_not_read_is_named(tmp_path: Path) -> None:
    """Neither lists of another call, nor of another run, are taken for its."""
    put(Pool(str(tmp_path), "before"), north="a/b:1", east="c/d:1")
    pool = Pool(str(tmp_path), "call")
    put(pool, north="a/b:1")
    with pytest.raises(OptionError, match=r"^image_save_distribute: east did not read any list"):
        pool.share(HOSTS, HOSTS, share_out=by_name, include=[], exclude=[])


def test_names_of_hosts_are_no_paths(tmp_path: Path) -> None:
    pool = Pool(str(tmp_path / "run"), "../call")
    put(pool, **{"../north": "a/b:1"})
    pool.share(["../north"], ["../north"], share_out=lambda lines: {}, include=[], exclude=[])
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
