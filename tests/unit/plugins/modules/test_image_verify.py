# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module around the engine: its options, what it returns, and the files that it writes to meanwhile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._verify.options import Params
from ansible_collections.airgap.images.plugins.module_utils._verify.result import Result
from ansible_collections.airgap.images.plugins.module_utils._verify.task import do_task
from ansible_collections.airgap.images.plugins.modules import image_verify
from ansible_collections.airgap.images.tests.unit.carried import carry, change
from ansible_collections.airgap.images.tests.unit.verify_scene import carry_with_parity

RETURNED = yaml.safe_load(image_verify.RETURN)


def params(*src: Path, **changed: Any) -> Params:
    usual: Params = {
        "src": [str(path) for path in src],
        "repair": False,
        "request_file": None,
        "log_file": None,
        "progress_file": None,
    }
    return {**usual, **changed}  # type: ignore[typeddict-item]


def run(given: Params, *, check: bool = False) -> Result:
    return do_task(given, None, check=check, log=Log(debug=False), stop=Stop())


def test_the_options_are_those_of_the_documentation() -> None:
    documented = yaml.safe_load(image_verify.DOCUMENTATION)["options"]
    assert {
        name: {key: value for key, value in option.items() if key != "description"}
        for name, option in documented.items()
    } == image_verify.argument_spec()
    assert {*params()} == {*image_verify.argument_spec()} - {"debug"}


@pytest.mark.parametrize("is_damaged", [False, True])
def test_what_is_returned_is_documented(is_damaged: bool, tmp_path: Path) -> None:
    carried = carry_with_parity(tmp_path)
    if is_damaged:
        change(carried.parts[0], 3)
    returned: Any = run(params(carried.lock_file)).as_returned(check=False)
    assert {*returned} - {"changed"} == {*RETURNED} - {"log"}
    assert returned["succeeded"] is not is_damaged
    (archive,) = returned["archives"]
    documented = RETURNED["archives"]["contains"]
    assert {*archive} == {*documented}
    assert all({*file} == {*documented["parts"]["contains"]} for file in (*archive["parts"], *archive["parity"]))
    assert all({*one} == {*RETURNED["damaged_images"]["contains"]} for one in returned["damaged_images"])
    assert bool(returned["damaged_images"]) is is_damaged
    assert all({*one} == {*RETURNED["requests"]["contains"]} for one in returned["requests"])
    assert {*returned["stats"]} == {*RETURNED["stats"]["contains"]}
    json.dumps(returned)


def test_of_a_directory_only_what_is_wrong_is_listed(tmp_path: Path) -> None:
    carried = carry(tmp_path, "dir")
    change(carried.dest / "index.json", 3)
    returned: Any = run(params(carried.lock_file)).as_returned(check=False)
    assert [part["name"] for part in returned["archives"][0]["parts"]] == ["index.json"]
    assert returned["stats"]["parts"] == len(carried.lock.parts)
    assert "No image needs what is lost, but the archive cannot be unpacked" in returned["msg"]


def test_the_log_and_the_progress_are_written_while_it_goes_on(tmp_path: Path) -> None:
    carried = carry(tmp_path)
    carried.parts[2].unlink()
    log, progress = tmp_path / "log", tmp_path / "progress.json"
    given = params(carried.lock_file, log_file=str(log), progress_file=str(progress))
    run(given, check=True)
    assert not log.exists() and not progress.exists()
    run(given)
    assert f"ERROR [-] {carried.parts[2].name} is missing" in log.read_text("utf-8")
    told = json.loads(progress.read_bytes())
    assert told["ended"] and told["stage"] == "images" and told["images"]["failed"] == 1
    assert told["bytes"]["done"] == told["bytes"]["of"] > 0


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"src": []}, "src: names no archive"),
        ({"src": ["/a\0b"]}, "src: .* is not a valid path"),
        ({"request_file": "/a\0b"}, "request_file: .* is not a valid path"),
    ],
)
def test_what_cannot_work_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        run(params(Path("/srv/a"), **changed))


def test_a_progress_file_is_no_other_file_of_the_task(tmp_path: Path) -> None:
    carried = carry(tmp_path)
    path = str(tmp_path / "request.json")
    with pytest.raises(OptionError, match="is also another file of this task"):
        run(params(carried.lock_file, request_file=path, progress_file=path))
