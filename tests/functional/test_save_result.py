# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of the module, and its log."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.yaml import yaml_load

from ansible_collections.airgap.images.tests.functional._helpers import assert_counts, saved, write_list
from ansible_collections.airgap.images.tests.support.faults import Respond, Rule
from ansible_collections.airgap.images.tests.support.module import COLLECTION
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (?P<level>DEBUG|INFO|WARNING|ERROR) "
    r"\[(?:-|image (?P<image>\d+)(?:\.(?P<platform>\d+))?)\] (?P<text>\S.*)"
)

ADDED_BY_ANSIBLE = {"invocation", "uid", "gid", "owner", "group", "mode", "state", "size", "secontext", "warnings"}
ADDED_BY_ANSIBLE |= {"failed", "diff", "exception", "deprecations"}


def documentation(name: str) -> dict[str, Any]:
    """DOCUMENTATION or RETURN of the module."""
    text = (COLLECTION / "plugins" / "modules" / "image_save.py").read_text(encoding="utf-8")
    found = re.search(rf'^{name} = r"""\n(.*?)^"""', text, re.MULTILINE | re.DOTALL)
    assert found
    parsed: dict[str, Any] = yaml_load(found[1])
    return parsed


KINDS = {"bool": bool, "str": str, "int": int, "list": list, "dict": dict, "float": float}


def assert_documented(value: Any, described: dict[str, Any], where: str) -> None:
    """The type is right, and so is all that is inside."""
    assert value.__class__ is KINDS[described["type"]], f"{where}: {value!r}"
    if "contains" not in described:
        return
    several: list[Any] = value if isinstance(value, list) else [value]
    for each in several:
        assert set(each) == set(described["contains"]), where
        for key, inner in each.items():
            assert_documented(inner, described["contains"][key], f"{where}.{key}")


def assert_all_documented(data: dict[str, Any], *, absent: set[str]) -> None:
    """Every key that is returned is described, and every one that is described is returned but for ``absent``."""
    described = documentation("RETURN")
    assert set(data) - ADDED_BY_ANSIBLE == set(described) - absent
    for key, about in described.items():
        if key in data:
            assert_documented(data[key], about, key)


def test_everything_that_is_returned_is_documented(source: Source, bench: Workbench, workdir: Path) -> None:
    """In a run with images that are saved, skipped, failed and no reference; the lines add up."""
    lines = [
        source["docker/list:1"].reference,
        source["docker/arm64:1"].reference,
        f"{source.registry.host}/no/where:1",
        "no reference",
        source["docker/list:1"].reference,
        source["oci/nested:1"].reference,
        source["charts/app:1.2.3"].reference,
    ]
    params: dict[str, Any] = {"list_files": [write_list(workdir / "list.txt", lines)], "arch": ["amd64"]}
    failing = bench.save([], debug=True, **params)
    assert failing.failed
    assert_all_documented(failing.data, absent={"bundle"})
    assert_counts(failing, len(lines))
    result = bench.save([], allow_partial=True, **params)
    saved(result)
    assert_all_documented(result.data, absent={"log", "bundle"})
    assert_counts(result, len(lines))
    assert [each["status"] for each in result["images"]] == ["saved", "skipped", "failed", "failed", "saved"]
    assert (result["stats"]["images"], result["stats"]["duplicates"]) == (2, 1)
    assert all(seconds >= 0 for seconds in result["stats"]["seconds"].values())
    again = bench.save([], allow_partial=True, **params)
    assert not again.changed
    assert_all_documented(again.data, absent={"log", "plan", "bundle"})
    foreseen = bench.save([], allow_partial=True, check=True, force=True, **params)
    assert_all_documented(foreseen.data, absent={"log", "bundle"})


def test_the_samples_are_of_the_kind_that_is_returned() -> None:
    for key, described in documentation("RETURN").items():
        assert_documented(described["sample"], described, key)


def read_log(text: str) -> list[re.Match[str]]:
    """Every line, in the form that is documented, its time in order."""
    found = [LINE.fullmatch(line) for line in text.splitlines()]
    assert found and None not in found, [line for line in text.splitlines() if not LINE.fullmatch(line)]
    lines = [each for each in found if each]
    for each in lines:
        datetime.strptime(each["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
    return lines


@pytest.mark.parametrize("debug", [False, True])
def test_every_line_of_the_log_says_which_image_it_is_about(
    source: Source, bench: Workbench, workdir: Path, debug: bool
) -> None:
    """Among copies at once, one of which meets a fault that heals and one that does not."""
    index, single, broken = source["oci/index:1"], source["oci/gzip:1"], source["oci/zstd:1"]
    heals = Rule(Respond(503), path=f"/blobs/{index.platform('arm64').layers[-1].digest}", times=1)
    stays = Rule(Respond(404), path=f"/blobs/{broken.platforms[0].layers[-1].digest}")
    proxy = bench.proxy(source.registry, heals, stays)
    images = [f"{proxy.host}/{each.repository}:1" for each in (single, index, broken)]
    log = workdir / "run.log"
    log.write_text("2026-01-01T00:00:00.000Z INFO [-] of an earlier run\n", encoding="utf-8")
    result = bench.save(images, log_file=log, debug=debug, retry_delay=0.01, allow_partial=True)
    saved(result)
    lines = read_log(log.read_text(encoding="utf-8"))
    assert lines[0]["text"] == "of an earlier run", "the log was not appended to"
    about = {(each["image"], each["platform"]) for each in lines if each["platform"]}
    assert about == {("1", "1"), ("2", "1"), ("2", "2"), ("3", "1")}
    again = [each for each in lines if "503" in each["text"]]
    assert again and {(each["image"], each["platform"]) for each in again} == {("2", "2")}
    failed = [each for each in lines if each["level"] in ("ERROR", "WARNING") and each["image"] == "3"]
    assert failed
    assert any(each["level"] == "DEBUG" for each in lines) is debug
    assert ("log" in result.data) is debug
    if debug:
        assert result["log"] == [each[0] for each in lines[1:]][-len(result["log"]) :]


def test_a_log_that_can_not_be_written_is_named(source: Source, bench: Workbench) -> None:
    result = bench.save([source["oci/gzip:1"]], log_file="/nowhere/at/all/run.log")
    assert result.failed and "/nowhere/at/all" in result.msg
    assert not list(bench.dest.parent.iterdir())


def test_paths_may_have_blanks_and_letters_of_any_kind(source: Source, bench: Workbench) -> None:
    folder = bench.directory / "späce and, 'quotes'"
    image = source["oci/index:1"]
    params: dict[str, Any] = {
        "dest": folder / "images: all.tar.gz",
        "cache_dir": folder / "the cache",
        "log_file": folder / "run: 1.log",
        "failed_list": folder / "failed: 1.txt",
        "part_size": "30K",
    }
    saved(bench.save([image], **params))
    assert not bench.save([image], **params).changed


def test_a_colon_in_the_cache_s_path_is_refused(source: Source, bench: Workbench) -> None:
    """skopeo would read what follows it as a tag."""
    cache = bench.directory / "the:cache"
    result = bench.save([source["oci/gzip:1"]], cache_dir=cache)
    assert result.failed and str(cache) in result.msg and "cache_dir" in result.msg
    assert not cache.exists() and not list(bench.dest.parent.iterdir())
