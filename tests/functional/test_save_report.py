# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report and the script beside an archive: true from run to run, and renewed alone where only they are wrong."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ansible_collections.airgap.images.tests.functional._helpers import contents, saved, snapshot
from ansible_collections.airgap.images.tests.support.archive import archive_files
from ansible_collections.airgap.images.tests.support.module import Result
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import small
from ansible_collections.airgap.images.tests.support.workbench import Workbench

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "report.md").read_text(encoding="utf-8")
SCHEMA: dict[str, Any] = json.loads((DOCS / "schemas" / "report.schema.json").read_bytes())
SUFFIXES = (".report.html", ".report.csv", ".report.json", ".restore.sh")


def rows(result: Result) -> dict[str, tuple[str, str, str]]:
    """Status, change and reason of each repository in the table."""
    text = Path(result["table_file"]).read_bytes().decode()
    found = csv.DictReader(io.StringIO(text, newline=""))
    return {
        row["reference"].rpartition("/")[2].rpartition(":")[0] or row["reference"]: (
            row["status"],
            row["change"],
            row["reason"],
        )
        for row in found
    }


def changes(result: Result) -> dict[str, str]:
    """How each repository stands to the archive before."""
    return {name: change for name, (_status, change, _reason) in rows(result).items()}


def three(registry: Registry) -> list[str]:
    """Three small images."""
    return [push(registry, name, "1", small(seed)).reference for seed, name in enumerate(("one", "two", "three"), 1)]


@pytest.fixture
def images(registry: Registry) -> list[str]:
    return three(registry)


def test_it_says_what_is_new_and_goes_on_to_when_nothing_is(
    registry: Registry, bench: Workbench, images: list[str]
) -> None:
    first = bench.save(images[:2])
    saved(first)
    assert changes(first) == {"one": "new", "two": "new"}
    assert [first[name] for name in ("report_file", "table_file", "facts_file", "restore_file")] == [
        f"{first['dest']}{suffix}" for suffix in SUFFIXES
    ]

    push(registry, "two", "1", small(22))
    second = bench.save(images[1:])
    saved(second)
    assert changes(second) == {"two": "changed", "three": "new", "one": "removed"}

    before = snapshot(bench.dest.parent)
    saved(bench.save(images[1:]), changed=False)
    assert snapshot(bench.dest.parent) == before, "the report still tells of the archive before"

    beside = {path.name: path.read_bytes() for path in bench.dest.parent.iterdir()}
    saved(bench.save(images[1:], force=True))
    assert {path.name: path.read_bytes() for path in bench.dest.parent.iterdir()} == beside, "made again, not newer"


def spoil(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(bytes(raw))


def make_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


HARMS: dict[str, Callable[[Path], object]] = {"gone": os.unlink, "damaged": spoil, "a link": make_link}


@dataclass(frozen=True)
class Standing:
    """A registry, a cache, and an archive of its images to which the last one came later."""

    registry: Registry
    images: list[str]
    directory: Path


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    directory = tmp_path_factory.mktemp("standing")
    with Workbench(directory) as bench:
        registry = bench.registry()
        images = three(registry)
        for wanted in (images[:2], images):
            saved(bench.save(wanted, env={"HOME": str(directory)}))
        yield Standing(registry, images, directory)


@pytest.mark.each_value
@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_wrong_is_written_again_and_nothing_else(
    standing: Standing, bench: Workbench, suffix: str, harm: Callable[[Path], object]
) -> None:
    """The archive is not touched; what was new is known while the facts are as they were written."""
    registry, images = standing.registry, standing.images
    shutil.copytree(standing.directory / "cache", bench.cache, symlinks=True)
    shutil.copytree(standing.directory / "out", bench.dest.parent)
    parts = snapshot(*archive_files(bench.dest))
    right = contents(bench.dest.parent)
    harm(Path(f"{bench.dest}{suffix}"))

    would = bench.save(images, check=True)
    assert would.changed
    assert "does not match the lock file" in would["reason"]
    assert not Path(f"{bench.dest}{suffix}.new").exists()

    registry.clear()
    result = bench.save(images)
    saved(result)
    assert "does not match the lock file" in result["reason"]
    assert not registry.blob_gets()
    assert snapshot(*archive_files(bench.dest)) == parts
    now = {name: digest for name, digest in contents(bench.dest.parent).items() if name != "elsewhere"}
    assert not Path(f"{bench.dest}{suffix}").is_symlink()
    if suffix == ".report.json":
        assert changes(result) == {"one": "", "two": "", "three": ""}, "that is not known any more"
    else:
        assert changes(result) == {"one": "same", "two": "same", "three": "new"}
        assert now == right
    saved(bench.save(images), changed=False)


def test_the_facts_are_what_schema_and_page_say(registry: Registry, bench: Workbench, images: list[str]) -> None:
    saved(bench.save(images[:2]))
    push(registry, "two", "1", small(22))
    result = bench.save([*images[1:], f"{registry.host}/no/such:1", "NO/REFERENCE"], allow_partial=True)
    document = json.loads(Path(result["facts_file"]).read_bytes())
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(closed(SCHEMA)).validate(document)
    rows = re.findall(r"^\| `([a-z_.0-9]+)` \|", PAGE.partition("## The facts")[2].partition("## ")[0], re.M)
    assert list(document) == [row for row in rows if "." not in row]
    assert list(document["facts"]) == [row.partition(".")[2] for row in rows if "." in row]
    before = document["facts"]["before"]
    assert [len(before[name]) for name in ("added", "changed", "removed")] == [1, 1, 1]
    assert [len(document["facts"][name]) for name in ("repositories", "failed", "invalid")] == [2, 1, 1]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate({**document, "version": 2})


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without room for members that it does not name."""
    parts = {name: {**part, "additionalProperties": False} for name, part in schema["$defs"].items()}
    parts = {name: part if "properties" in part else schema["$defs"][name] for name, part in parts.items()}
    return {**schema, "$defs": parts, "additionalProperties": False}


def test_a_report_of_an_earlier_release_is_renewed(registry: Registry, bench: Workbench, images: list[str]) -> None:
    """It kept the facts in its page, sealed."""
    result = bench.save(images)
    saved(result)
    parts, right = snapshot(*archive_files(bench.dest)), contents(bench.dest.parent)
    page, facts = Path(result["report_file"]), Path(result["facts_file"])
    page.write_bytes(page.read_bytes().replace(b"<head>", b'<head>\n<meta name="seal" content="lock:0">', 1))
    facts.unlink()
    registry.clear()
    renewed = bench.save(images)
    saved(renewed)
    assert renewed["reason"] == "report and script renewed, as another release made them"
    assert not registry.blob_gets() and snapshot(*archive_files(bench.dest)) == parts
    assert json.loads(facts.read_bytes())["facts"] is None
    assert set(contents(bench.dest.parent)) == set(right)
    saved(bench.save(images), changed=False)


def test_what_failed_is_in_it_with_its_reason(registry: Registry, bench: Workbench, images: list[str]) -> None:
    missing = f"{registry.host}/no/such:1"
    result = bench.save([*images, missing, "NO/REFERENCE"], allow_partial=True)
    assert not result.failed
    table = rows(result)
    assert table["one"][:2] == ("saved", "new")
    assert table["such"][0] == "failed"
    assert "does not exist" in table["such"][2]
    assert [row[0] for row in table.values()].count("invalid") == 1
    page = Path(result["report_file"]).read_text(encoding="utf-8")
    assert "Partial" in page
    assert "NO/REFERENCE" in page

    push(registry, "no/such", "1", small(9))
    whole = bench.save([*images, missing])
    saved(whole)
    assert changes(whole) == {"one": "same", "two": "same", "three": "same", "such": "new"}
    assert "Partial" not in Path(whole["report_file"]).read_text(encoding="utf-8")


@pytest.mark.thorough
def test_a_run_that_fails_leaves_the_report_of_the_archive_that_stands(
    registry: Registry, bench: Workbench, images: list[str]
) -> None:
    saved(bench.save(images))
    before = snapshot(bench.dest.parent)
    assert bench.save([*images, f"{registry.host}/no/such:1"]).failed
    assert snapshot(bench.dest.parent) == before


def test_files_get_the_mode_of_the_task(bench: Workbench, images: list[str]) -> None:
    result = bench.save(images, mode="0640")
    saved(result)
    paths = [Path(result[name]) for name in ("report_file", "table_file", "facts_file", "restore_file", "lock_file")]
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o640] * 5
    paths[0].chmod(0o600)
    again = bench.save(images, mode="0640")
    saved(again)
    assert again["reason"] == "mode or owner differed"
    assert paths[0].stat().st_mode & 0o777 == 0o640
