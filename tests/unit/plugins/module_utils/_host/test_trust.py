# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which directories are trusted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._host import trust
from ansible_collections.airgap.images.plugins.module_utils._host.trust import (
    distrust,
    distrust_directory,
    is_exposed,
)

OTHER = os.geteuid() + 4242


def owned_by(monkeypatch: pytest.MonkeyPatch, *others: Path) -> None:
    """Has these look as if they were somebody else's, which only root could make them."""
    real, real_l = os.stat, os.lstat
    inodes = {(found.st_dev, found.st_ino) for found in map(real_l, others)}

    def changed(found: os.stat_result) -> os.stat_result:
        if (found.st_dev, found.st_ino) not in inodes:
            return found
        values = list(found)
        values[4] = OTHER
        return os.stat_result(values)

    monkeypatch.setattr(trust.os, "stat", lambda path: changed(real(path)))
    monkeypatch.setattr(trust.os, "lstat", lambda path: changed(real_l(path)))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory in which a cache may be."""
    path = tmp_path / "place"
    path.mkdir(0o755)
    return path


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o775, 0o2775])
def test_a_directory_of_ones_own(place: Path, mode: int) -> None:
    place.chmod(mode)
    assert not distrust(str(place))
    assert not distrust(str(place / "to" / "be" / "made"))
    assert not list(place.iterdir())


def test_everyone_may_write_above_it(place: Path) -> None:
    (place / "cache").mkdir()
    place.chmod(0o777)
    for path in (place / "cache", place / "not-yet", place / "cache" / "deeper"):
        assert distrust(str(path)) == f"anyone can replace what is in {place} (mode 0777)"
    assert distrust(str(place)) == f"anyone can write to {place} (mode 0777)"
    assert [path.name for path in place.iterdir()] == ["cache"], "the probe is left"


def test_the_sticky_bit_keeps_what_is_there(place: Path) -> None:
    (place / "cache").mkdir()
    place.chmod(0o1777)
    assert not distrust(str(place / "cache"))
    assert not distrust(str(place / "not-yet"))
    assert distrust(str(place)) == f"anyone can write to {place} (mode 1777)"


def test_who_owns_a_sticky_directory_may_exchange_what_is_in_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "cache").mkdir()
    place.chmod(0o1777)
    owned_by(monkeypatch, place)
    assert distrust(str(place / "cache")) == f"{place} belongs to user {OTHER}, who can replace what is in it"


def test_what_others_put_into_a_sticky_directory(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "theirs").mkdir()
    (place / "link").symlink_to(place / "theirs")
    place.chmod(0o1777)
    owned_by(monkeypatch, place / "theirs", place / "link")
    for name in ("theirs", "theirs/cache", "link", "link/cache"):
        told = distrust(str(place / name))
        assert told == f"{place / name.partition('/')[0]} was put there by user {OTHER}"


def test_a_cache_of_somebody_else(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owned_by(monkeypatch, place)
    assert distrust(str(place)) == distrust_directory(str(place)) == f"{place} belongs to user {OTHER}"
    assert not distrust(str(place / "below")), "a home of somebody else is for the task's user to choose"


@pytest.mark.parametrize("target", ["open/cache", "../place/open/cache", "/absolute"])
def test_links_on_the_way_are_looked_at(place: Path, target: str) -> None:
    (place / "open").mkdir()
    (place / "open" / "cache").mkdir()
    (place / "open").chmod(0o777)
    (place / "link").symlink_to(target.replace("/absolute", str(place / "open" / "cache")))
    (place / "twice").symlink_to("link")
    for name in ("link", "twice", "twice/below", "./link"):
        assert "anyone can replace" in distrust(f"{place}/{name}")
    (place / "open").chmod(0o755)
    assert not distrust(str(place / "twice"))


def test_links_in_a_circle(place: Path) -> None:
    (place / "one").symlink_to("two")
    (place / "two").symlink_to("one")
    with pytest.raises(OSError, match="Too many levels"):
        distrust(str(place / "one"))


def test_a_file(place: Path) -> None:
    (place / "file").touch()
    for path in (place / "file", place / "file" / "below"):
        with pytest.raises(NotADirectoryError):
            distrust(str(path))


def test_a_filesystem_without_modes(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as exFAT and FAT: the mount says who may write there, and to whom all belongs."""
    (place / "cache").mkdir()
    device = place.stat().st_dev
    monkeypatch.setattr(trust, "_make_probe", lambda _directory: trust._Made(device, os.geteuid(), False))
    assert not distrust(str(place / "cache"))
    place.chmod(0o777)
    (place / "cache").chmod(0o777)
    said = "all files there have one owner and mode, which their mount says"
    remedy = f"; {said}: mount it with uid={os.geteuid()},umask=077"
    assert distrust(str(place / "cache")) == f"anyone can replace what is in {place} (mode 0777{remedy})"
    assert distrust_directory(str(place)) == f"anyone can write to {place} (mode 0777{remedy})"
    assert not is_exposed(str(place)), "whoever may write there, the mount has let in"
    monkeypatch.setattr(trust, "_make_probe", lambda _directory: trust._Made(device + 1, os.geteuid(), False))
    assert distrust(str(place / "cache")) == f"anyone can replace what is in {place} (mode 0777)"
    assert is_exposed(str(place))
    monkeypatch.setattr(trust, "_make_probe", lambda _directory: None)
    assert distrust(str(place / "cache")) == f"anyone can replace what is in {place} (mode 0777)"
    assert is_exposed(str(place))


def test_a_mount_that_gives_all_files_to_somebody_else(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No export that calls us by another number: that user may write there."""
    device = place.stat().st_dev
    owned_by(monkeypatch, place)
    monkeypatch.setattr(trust, "_make_probe", lambda _directory: trust._Made(device, OTHER, False))
    assert f"{place} belongs to user {OTHER}; all files there" in distrust(str(place))
    assert not is_exposed(str(place))


def test_an_export_that_maps_users(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS with root_squash: what root makes there is nobody's, and so is the directory."""
    device = place.stat().st_dev
    owned_by(monkeypatch, place)
    assert distrust(str(place))
    monkeypatch.setattr(trust, "_make_probe", lambda directory: trust._Made(device, OTHER, True))
    assert not distrust(str(place))


def test_the_probe_says_what_is_made_of_files_here(place: Path) -> None:
    made = trust._make_probe(str(place))
    assert made == trust._Made(place.stat().st_dev, os.geteuid(), keeps_modes=True)
    assert not list(place.iterdir())
    assert trust._make_probe(str(place / "missing")) is None


def test_a_place_below_tmp_is_looked_at_without_a_trace(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run with nothing new, and one in check mode, write nothing."""
    place.chmod(0o1777)
    monkeypatch.setattr(trust, "_make_probe", lambda _directory: pytest.fail("a file was made"))
    for path in (place / "cache", place / "to" / "be" / "made"):
        assert not distrust(str(path))
    (place / "cache").mkdir()
    assert not distrust(str(place / "cache"))
