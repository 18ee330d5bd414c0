"""A release is refused whose parts say different things."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from gates.release import complaints
from gates.versions import CHECKOUT

VERSION = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text("utf-8"))["version"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that a release looks at, with all fragments in the changelog."""
    for name in ("galaxy.yml", "CHANGELOG.rst", "changelogs/changelog.yaml"):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(CHECKOUT / name, target)
    (tmp_path / "changelogs" / "fragments").mkdir()
    return tmp_path


def test_this_version_can_be_released(checkout: Path) -> None:
    assert complaints(f"v{VERSION}", checkout) == []


@pytest.mark.parametrize("tag", [VERSION, f"v{VERSION}.1", "v", "refs/tags/v1"])
def test_the_tag_has_to_be_that_of_the_version(checkout: Path, tag: str) -> None:
    (found,) = complaints(tag, checkout)
    assert f"the tag has to be v{VERSION}" in found


def test_fragments_have_to_be_in_the_changelog(checkout: Path) -> None:
    (checkout / "changelogs" / "fragments" / "new.yml").write_text("---\n", encoding="utf-8")
    (found,) = complaints(f"v{VERSION}", checkout)
    assert "not in the changelog yet: new.yml" in found


def test_a_version_without_notes_is_refused(checkout: Path) -> None:
    text = (checkout / "galaxy.yml").read_text("utf-8")
    (checkout / "galaxy.yml").write_text(text.replace(f"version: {VERSION}", "version: 9.9.9"), encoding="utf-8")
    assert len(complaints("v9.9.9", checkout)) == 2
