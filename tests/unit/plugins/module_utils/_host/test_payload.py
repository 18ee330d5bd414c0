# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

FILES = {
    "house/__init__.py": "",
    "house/door.py": "OPEN = True\n",
    "house/room/__init__.py": "SIZE = 3\n",
    "house/room/bed.py": "from ..door import OPEN\n\ndef fall():\n    raise KeyError(OPEN)\n",
}

SCRIPT = """
import json, sys, traceback
compiled = []
sys.addaudithook(lambda event, args: compiled.append(str(args[1])) if event == "compile" else None)
sys.path.insert(0, sys.argv[1])
import house
from ansible_collections.airgap.images.plugins.module_utils._host.payload import compile_once
compile_once()
import house.room.bed
try:
    import house.cellar
except ImportError as error:
    missing = str(error)
try:
    house.room.bed.fall()
except KeyError:
    told = traceback.format_exc()
files = {name: module.__file__ for name, module in sys.modules.items() if name.startswith("house")}
paths = [*house.room.__path__]
print(json.dumps({"compiled": compiled, "files": files, "paths": paths, "missing": missing, "told": told}))
"""


def imported(place: Path) -> dict[str, Any]:
    """What a Python of its own has compiled and found below a folder or zip file."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(place)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_each_file_of_a_zip_file_is_compiled_once(tmp_path: Path) -> None:
    """Everything else is as with Python's own importer, which has imported the first package."""
    archive = tmp_path / "payload.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in FILES.items():
            file.writestr(name, text)
    said = imported(archive)
    counts = Counter(name for name in said["compiled"] if name.startswith(f"{archive}/"))
    assert {counts[f"{archive}/{name}"] for name in FILES if name != "house/__init__.py"} == {1}
    modules = {"house": "__init__", "house.door": "door", "house.room": "room/__init__", "house.room.bed": "room/bed"}
    assert said["files"] == {name: f"{archive}/house/{file}.py" for name, file in modules.items()}
    assert said["paths"] == [f"{archive}/house/room"]
    assert said["missing"] == "No module named 'house.cellar'"
    assert "raise KeyError(OPEN)" in said["told"], "a traceback has the lines of the source"


def test_files_of_a_directory_are_imported_as_ever(tmp_path: Path) -> None:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert imported(tmp_path)["files"]["house.room.bed"] == str(tmp_path / "house/room/bed.py")
