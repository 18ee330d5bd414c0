# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module: its options, its documentation and what it returns."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import (
    Lock,
    LockedBase,
    LockedImage,
    LockedPlatform,
    LockedSkip,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._base.errors import Interrupted, TransferError
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._host.environment import text_of_environment
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import ImageList, InvalidLine, Origin
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import OCI_INDEX, OCI_MANIFEST
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference
from ansible_collections.airgap.images.plugins.module_utils._save.options import Options
from ansible_collections.airgap.images.plugins.module_utils._save.result import Forecast, Result, Stats
from ansible_collections.airgap.images.plugins.modules import image_save
from ansible_collections.airgap.images.tests.unit.fakes import AMD64, failed_image, listed, module_arguments

DOCUMENTED = yaml.safe_load(image_save.DOCUMENTATION)
RETURNED = yaml.safe_load(image_save.RETURN)
EXAMPLES = yaml.safe_load(image_save.EXAMPLES)
DIGEST = "sha256:" + "ab" * 32
SECRET = re.compile(r"password|secret|token|passphrase")


# -- the documentation says what the specification says


WORDS = ("type", "elements", "choices", "default", "required", "aliases")


def as_documented(option: Mapping[str, Any]) -> dict[str, Any]:
    """An option of the specification in the words of the documentation."""
    words = {name: option[name] for name in WORDS if name in option}
    if "options" in option:
        words["suboptions"] = {name: as_documented(inner) for name, inner in option["options"].items()}
    return words


def without_description(option: Mapping[str, Any]) -> dict[str, Any]:
    words = {name: value for name, value in option.items() if name != "description"}
    if "suboptions" in words:
        words["suboptions"] = {name: without_description(inner) for name, inner in words["suboptions"].items()}
    return words


def test_options_are_documented_as_they_are() -> None:
    specified = {name: as_documented(option) for name, option in image_save.argument_spec().items()}
    assert {name: without_description(option) for name, option in DOCUMENTED["options"].items()} == specified


def test_options_are_documented_in_the_same_order() -> None:
    assert list(DOCUMENTED["options"]) == list(image_save.argument_spec())


def test_the_options_that_most_tasks_need_come_first() -> None:
    """With an example in the description, as ansible-doc shows options in the order of the alphabet."""
    six = ["images", "list_files", "arch", "os", "dest", "part_size"]
    assert list(DOCUMENTED["options"])[: len(six)] == six
    guide = DOCUMENTED["description"][1]
    assert re.findall(r"O\((\w+)\)", guide) == six
    example = yaml.safe_load(re.findall(r"C\((.+)\)", guide)[0])
    assert example.keys() < {*six} and "dest" in example


def test_fallbacks_are_documented() -> None:
    for name, option in image_save.argument_spec().items():
        if "fallback" in option:
            fallback, [variable] = option["fallback"]  # type: ignore[misc]
            assert fallback is text_of_environment
            assert f"E({variable})" in str(DOCUMENTED["options"][name]["description"])


def secrets(options: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name, option in options.items():
        if SECRET.search(name):
            yield option
        yield from secrets(option.get("options", {}))


def test_every_secret_is_kept_from_logs() -> None:
    found = list(secrets(image_save.argument_spec()))
    assert len(found) == 2
    assert all(option["no_log"] is True for option in found)


def test_file_attributes_are_documented() -> None:
    assert "ansible.builtin.files" in DOCUMENTED["extends_documentation_fragment"]


def test_examples_use_options_that_there_are() -> None:
    names = {*image_save.argument_spec(), *basic.FILE_COMMON_ARGUMENTS}
    for task in EXAMPLES:
        assert set(task) == {"name", "airgap.images.image_save"}
        assert set(task["airgap.images.image_save"]) <= names


# -- the module as Ansible runs it


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """The module sets handlers of its own."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before):
        signal.signal(number, handler)


class Saved:
    """Stands in for the engine: takes down what it is asked, and gives a result."""

    def __init__(self) -> None:
        self.options: Options | None = None
        self.result = full_result()
        self.errors: list[Exception] = []

    def __call__(self, options: Options, **more: Any) -> Result:
        self.options = options
        more["log"].info("saving")
        for error in self.errors:
            raise error
        return self.result


def full_result() -> Result:
    """A result in which nothing is empty."""
    platform = LockedPlatform(DIGEST, DIGEST, OCI_MANIFEST, 7, AMD64)
    image = LockedImage(parse_reference("reg.lan/a:1"), DIGEST, OCI_INDEX, (platform,), ("a note",))
    base = (LockedBase("b.tar.gz", "cd" * 32, has_receipt=False),)
    parts, parity = (Part("a.tar.gz", 9, "ab" * 32),), (Part("a.tar.gz.parity", 9, "ab" * 32),)
    lock = Lock({}, (image,), parts=parts, parity=parity, base=base)
    return Result(
        changed=True,
        reason="1 image added",
        listed=ImageList(
            (listed("reg.lan/a:1", 1), listed("reg.lan/b", 2), listed("reg.lan/c", 3)),
            (InvalidLine(Origin("/l", 4), "A", "upper case"),),
            0,
        ),
        failed=(failed_image(listed("reg.lan/b", 2), "404"),),
        skipped=(LockedSkip(parse_reference("reg.lan/c"), DIGEST, "windows only"),),
        stats=Stats(seconds={"plan": 0.1}),
        lock=lock,
        before=lock,
        forecast=Forecast(1, 2, 3, 4, 5, 6, 7),
        allow_partial=True,
    )


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> Saved:
    saved = Saved()
    monkeypatch.setattr(image_save, "save", saved)
    return saved


class Runner:
    """Runs the module and gives what it returns."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, **values: Any) -> dict[str, Any]:
        given = {"dest": str(self._folder / "a"), "images": ["reg.lan/a:1"], **values}
        with module_arguments(self._monkeypatch, **given), pytest.raises(SystemExit):
            image_save.main()
        returned: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return {name: value for name, value in returned.items() if name not in ("invocation", "deprecations")}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(tmp_path, monkeypatch, capsys)


def test_defaults(run: Runner, saved: Saved) -> None:
    run()
    options = saved.options
    assert options is not None
    assert str(options.selection.platforms) == "amd64, arm64 on linux, windows"
    assert (options.output.compress, options.output.part_size, options.output.force) == ("gzip", None, False)
    assert (options.output.allow_partial, options.output.failed_list) == (False, None)
    assert (options.work.jobs, options.work.retries, options.work.retry_delay) == (4, 3, 2.0)
    assert (options.work.timeout, options.work.stall_timeout, options.work.lock_timeout) == (3600, 120, 0)
    assert (options.work.verify, options.work.prune_cache, options.work.skopeo_path) == ("digest", False, "skopeo")
    assert (options.work.insecure_policy, options.access.validate_certs, options.check) == (False, True, False)


def test_what_is_returned_is_documented(run: Runner, saved: Saved) -> None:
    returned = run(debug=True)
    assert set(returned) == set(RETURNED)


@pytest.mark.parametrize("name", [name for name, value in RETURNED.items() if "contains" in value])
def test_what_is_inside_is_documented(run: Runner, saved: Saved, name: str) -> None:
    value, documented = run(debug=True)[name], RETURNED[name]
    items = value if isinstance(value, list) else [value]
    assert items
    for item in items:
        assert set(item) == set(documented["contains"])
        for inner, more in documented["contains"].items():
            if "contains" in more:
                for one in item[inner]:
                    assert set(one) == set(more["contains"])


@pytest.mark.parametrize("name", [name for name, value in RETURNED.items() if "contains" in value])
def test_samples_are_complete(name: str) -> None:
    documented = RETURNED[name]
    samples = documented["sample"] if documented["type"] == "list" else [documented["sample"]]
    assert all(set(sample) == set(documented["contains"]) for sample in samples)


def test_types_are_as_documented(run: Runner, saved: Saved) -> None:
    kinds = {"bool": bool, "str": str, "list": list, "dict": dict, "int": int}
    for name, value in run(debug=True).items():
        assert isinstance(value, kinds[RETURNED[name]["type"]]), name
        assert isinstance(RETURNED[name]["sample"], kinds[RETURNED[name]["type"]]), name


def test_what_is_returned_without_plan_and_debug(run: Runner, saved: Saved) -> None:
    saved.result = replace(full_result(), forecast=None)
    assert set(run()) == set(RETURNED) - {"plan", "log"}


def test_the_difference_is_returned_where_it_is_asked_for(run: Runner, saved: Saved) -> None:
    assert "diff" not in run()
    diff = run(_ansible_diff=True)["diff"]
    assert diff["before"] == diff["after"]


def test_check_mode_is_passed_on(run: Runner, saved: Saved, tmp_path: Path) -> None:
    run(_ansible_check_mode=True, log_file=str(tmp_path / "log"))
    assert saved.options is not None
    assert saved.options.check is True
    assert not (tmp_path / "log").exists()


def test_the_log_is_written(run: Runner, saved: Saved, tmp_path: Path) -> None:
    run(log_file=str(tmp_path / "log"))
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[0].endswith("INFO [-] saving")
    assert "INFO [-] saved a bundle of 1 image" in lines[-1]


def test_a_failure_fails_the_task(run: Runner, saved: Saved) -> None:
    saved.result = replace(full_result(), allow_partial=False, is_published=False, changed=False)
    returned = run()
    assert returned["failed"] is True
    assert returned["changed"] is False
    assert returned["msg"].startswith("2 of 4 images failed")
    assert returned["images"][0]["status"] == "fetched"


@pytest.mark.parametrize("debug", [False, True])
def test_an_error_is_told_in_words(run: Runner, saved: Saved, debug: bool) -> None:
    saved.errors.append(TransferError("skopeo: no such host", heals=True))
    returned = run(debug=debug)
    assert (returned["failed"], returned["msg"]) == (True, "skopeo: no such host")
    assert ("log" in returned) is debug
    if debug:
        assert returned["log"][-1].endswith("ERROR [-] skopeo: no such host")


def test_an_error_of_the_system_is_told_in_words(run: Runner, saved: Saved) -> None:
    saved.errors.append(PermissionError(13, "Permission denied", "/srv/a"))
    assert run()["msg"] == (
        "/srv/a cannot be read or written: Permission denied. "
        "Give this user the permission, or choose another directory, then run again"
    )


@pytest.mark.parametrize("changed", [False, True])
def test_a_stopped_run_says_whether_it_changed_anything(run: Runner, saved: Saved, changed: bool) -> None:
    stopped = Interrupted("the run was ended by SIGTERM")
    stopped.changed = changed
    saved.errors.append(stopped)
    returned = run()
    assert (returned["failed"], returned["changed"], returned["msg"]) == (True, changed, str(stopped))


def test_a_stop_that_comes_too_late_is_told_beside_what_was_done(
    run: Runner, saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda module, text: warnings.append(text))

    def save(options: Options, *, stop: Stop, **more: Any) -> Result:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(60)
        return saved(options, **more)

    monkeypatch.setattr(image_save, "save", save)
    returned = run()
    assert returned["changed"] is True
    assert "failed" not in returned
    assert warnings == ["the run was asked to end when only its last steps were left, and went on to its end"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN, "the result is on its way"


def test_warnings_are_passed_on(run: Runner, saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    # Where a test has imported plugins of the controller, Ansible's own method shows warnings and returns none.
    warnings: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda module, text: warnings.append(text))
    saved.result = replace(full_result(), warnings=["failed_list: cannot write"])
    run()
    assert warnings == ["failed_list: cannot write"]


@pytest.mark.parametrize("fails", [False, True])
def test_a_log_that_lacks_lines_is_told(
    run: Runner, saved: Saved, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda module, text: warnings.append(text))
    if fails:
        saved.errors.append(PermissionError(13, "Permission denied", "/srv/a"))
    run(log_file="/dev/full")
    assert len(warnings) == 1
    assert warnings[0].startswith("log_file: /dev/full is incomplete: No space left on device. Free some space there")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no dest": ({"dest": ""}, "missing required arguments: dest"),
    "username alone": ({"username": "u"}, "parameters are required together: username, password"),
    "another format": ({"compress": "zip"}, "value of compress must be one of"),
    "a registry without password": (
        {"registries": [{"host": "h", "username": "u"}]},
        "registries, h: username is given without password",
    ),
    "an option that is none": ({"archs": ["amd64"]}, "Unsupported parameters"),
    "a number of jobs": ({"jobs": 99}, "jobs: 99 is out of range; accepted are 1 to 20"),
    "a lock file and a list": ({"from_lock": "/x"}, "from_lock: replaces images and list_files"),
}


@pytest.mark.parametrize(("values", "said"), REFUSED.values(), ids=REFUSED)
def test_arguments_that_are_refused(run: Runner, saved: Saved, values: dict[str, Any], said: str) -> None:
    returned = run(**values)
    assert returned["failed"] is True
    assert said in returned["msg"]
    assert saved.options is None


def test_the_other_name_of_validate_certs(run: Runner, saved: Saved) -> None:
    run(tls_verify=False)
    assert saved.options is not None
    assert saved.options.access.validate_certs is False


def test_environment_variables_are_taken(run: Runner, saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("REGISTRY", "mirror.lan/hub"), ("USERNAME", "user"), ("PASSWORD", "s3cret")):
        monkeypatch.setenv(f"SOURCE_{name}", value)
    returned = run()
    assert saved.options is not None
    assert saved.options.access.login == ("user", "s3cret")
    assert saved.options.access.source is not None
    assert saved.options.access.source.prefix == "hub"
    assert "s3cret" not in json.dumps(returned)
    assert not {"SOURCE_USERNAME", "SOURCE_PASSWORD"} & os.environ.keys(), "programs that run for us would get it"


@pytest.mark.parametrize(("compress", "library"), [("gzip", "REQUESTS_ERROR"), ("zstd", "ZSTANDARD_ERROR")])
def test_a_missing_library_is_named(
    run: Runner, saved: Saved, monkeypatch: pytest.MonkeyPatch, compress: str, library: str
) -> None:
    monkeypatch.setattr(image_save, library, ImportError("no module"))
    returned = run(compress=compress)
    assert returned["failed"] is True
    assert library.partition("_")[0].lower() in returned["msg"]
    assert saved.options is None


def test_zstandard_is_not_needed_for_gzip(run: Runner, saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_save, "ZSTANDARD_ERROR", ImportError("no module"))
    assert "failed" not in run(compress="gzip")


@pytest.mark.parametrize(("check", "remains"), [(True, ""), (False, "; what was transferred is kept")])
def test_a_signal_is_told_with_what_remains(
    run: Runner, monkeypatch: pytest.MonkeyPatch, check: bool, remains: str
) -> None:
    def ended(options: Options, *, stop: Stop, **more: object) -> Result:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(60)
        raise Interrupted(stop.reason)

    monkeypatch.setattr(image_save, "save", ended)
    assert run(_ansible_check_mode=check)["msg"] == f"the run was ended by SIGTERM{remains}"
