# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's half of staging."""

from __future__ import annotations

import base64
import json
import os
import stat
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.airgap.images.plugins.modules import image_stage
from ansible_collections.airgap.images.tests.unit.fakes import module_arguments


def ask(*, check: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run the module under a strict umask."""
    given = {**arguments, "_ansible_check_mode": check, "_ansible_diff": True, "_ansible_remote_tmp": "/tmp"}  # noqa: S108
    before = os.umask(0o077)
    try:
        with (
            pytest.MonkeyPatch.context() as patch,
            module_arguments(patch, **given),
            redirect_stdout(StringIO()) as out,
            pytest.raises(SystemExit),
        ):
            image_stage.main()
    finally:
        os.umask(before)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def test_the_documentation_has_all_options() -> None:
    spec = ask(no_such_option=1)["msg"].partition("Supported parameters include: ")[2]
    documented = yaml.safe_load(image_stage.DOCUMENTATION)["options"]
    assert sorted(spec.rstrip(".").split(", ")) == sorted(documented)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_list_is_staged(tmp_path: Path) -> None:
    """Directories of the archive are for all, the list as well; a second time nothing changes."""
    out, lists = tmp_path / "a" / "out", tmp_path / "a" / "out" / "lists"
    given = {"directory": str(out), "write": True, "list_file": str(lists / "a.txt"), "text": "a/b:1\nü\n"}
    would = ask(check=True, **given)
    assert would["changed"] and not [*tmp_path.iterdir()]
    first = ask(**given)
    assert (first["changed"], first["exists"], first["is_closed"], first["uid"]) == (True, False, False, os.geteuid())
    assert (lists / "a.txt").read_text("utf-8") == "a/b:1\nü\n"
    assert [mode(path) for path in (out.parent, out, lists / "a.txt")] == [0o755, 0o755, 0o644]
    assert mode(lists) & 0o700 == 0o700
    assert would["diff"] == first["diff"] and first["diff"]["before"] == ""
    for check in (True, False):
        again = ask(check=check, **given)
        assert not again["changed"] and again["exists"] and "diff" not in again
    other = ask(**{**given, "text": "c/d:1\n"})
    assert other["changed"] and (other["diff"]["before"], other["diff"]["after"]) == ("a/b:1\nü\n", "c/d:1\n")
    os.chmod(lists / "a.txt", 0o600)
    assert ask(check=True, **{**given, "text": "c/d:1\n"})["changed"]
    assert ask(**{**given, "text": "c/d:1\n"})["changed"] and mode(lists / "a.txt") == 0o644


def test_a_directory_alone(tmp_path: Path) -> None:
    assert ask(directory=str(tmp_path / "out"), write=True)["changed"]
    assert not ask(directory=str(tmp_path / "out"), write=True)["changed"]
    seen = ask(directory=str(tmp_path / "none"))
    assert not seen["changed"] and not seen["exists"] and not (tmp_path / "none").exists()


def test_two_hosts_on_one_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the check and the making, the other one has made the directory, or put a file there."""
    monkeypatch.setattr(os.path, "isdir", lambda path, real=os.path.isdir: next(answers, True) and real(path))
    (tmp_path / "out").mkdir(mode=0o700)
    answers = iter([False])
    image_stage.make_directory(str(tmp_path / "out"), 0o755)
    assert mode(tmp_path / "out") == 0o700, "its owner says who may enter it"
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        image_stage.make_directory(str(tmp_path / "file"), 0o755)


def test_what_is_closed_stays_as_it_is(tmp_path: Path) -> None:
    """Below a file, nothing can be entered."""
    (tmp_path / "file").write_text("")
    seen = ask(directory=str(tmp_path / "file" / "out"), write=True, must_be_open=True, list_file=str(tmp_path / "a"))
    assert seen["is_closed"] and not seen["changed"] and not (tmp_path / "a").exists()


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "lists" / "a.txt"
    said = ask(directory=str(tmp_path), write=True, list_file=str(path), text="a")
    assert said["failed"] and said["msg"].startswith("cannot write ") and said["msg"].endswith("Not a directory")


def test_lists_are_read_as_they_are(tmp_path: Path) -> None:
    raw = "ä\r\n".encode("utf-16")
    (tmp_path / "a").write_bytes(raw)
    (tmp_path / "b").write_bytes(b"")
    assert ask(lists=[str(tmp_path / "a"), str(tmp_path / "b")])["lists"] == [base64.b64encode(raw).decode(), ""]
    said = ask(lists=[str(tmp_path / "none")])
    assert (
        said["msg"]
        == f"image_save_remote_list_files: cannot read {tmp_path}/none on the host: No such file or directory"
    )


@pytest.mark.parametrize("is_whole", [True, False])
def test_downloads_are_read_and_removed(is_whole: bool) -> None:
    """Also in check mode, and where one has failed."""
    folder = Path(ask(check=True, download=True)["download_dir"])
    assert mode(folder) == 0o700
    for number in range(2):
        (folder / str(number)).write_text(f"a/b:{number}")
    downloads = 2 if is_whole else 0
    found = ask(check=True, downloaded=str(folder), downloads=downloads)["lists"]
    assert [base64.b64decode(text) for text in found] == [b"a/b:0", b"a/b:1"][:downloads]
    assert not folder.exists()


def test_a_download_that_is_gone_is_named() -> None:
    folder = Path(ask(download=True)["download_dir"])
    said = ask(downloaded=str(folder), downloads=1)
    assert said["msg"] == f"image_save_list_urls: cannot read {folder}/0 on the host: No such file or directory"
    assert not folder.exists()


@pytest.mark.parametrize(
    ("version", "lacking"), [("1.5.9", ["skopeo"]), ("1.6.0", []), ("1.14.2-dev", []), ("2.0.1", []), ("", ["skopeo"])]
)
def test_what_the_host_lacks(tmp_path: Path, version: str, lacking: list[str]) -> None:
    program = tmp_path / "skopeo"
    program.write_text(f"#!/bin/sh\necho skopeo version {version}\n")
    program.chmod(0o755)
    said = ask(program=str(program), libraries=["json", "no_such_library"])
    assert said["lacking"] == [*lacking, "no_such_library"]
    assert said["python"] == sys.executable and said["python_version"].startswith("3.")


def test_no_skopeo_at_all(tmp_path: Path) -> None:
    assert ask(program=str(tmp_path / "none"))["lacking"] == ["skopeo"]
