# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the lock file of a set, ``media/images.lock.json``: which host has which image, and what there is to carry.

    python summary.py LIST MEDIA

Exits with 1 when the set has not exactly the images of the list, or not exactly the files that the lock file names.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any


def main() -> int:
    """Prints a table, then what is wrong."""
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    references = [line for line in lines if line and not line.startswith("#")]
    media = Path(sys.argv[2])
    lock: dict[str, Any] = json.loads((media / "images.lock.json").read_bytes())
    for image in sorted(lock["images"], key=lambda each: (str(each["host"]), str(each["reference"]))):
        platforms = [f"{each['platform']['os']}/{each['platform']['architecture']}" for each in image["platforms"]]
        print(f"{image['host']:<6} {image['reference']:<54} {', '.join(platforms)}")
    size = sum(part["size"] for part in lock["parts"])
    print(f"{len(lock['images'])} images in {len(lock['parts'])} parts, {size:,} bytes")

    problems = []
    saved = [str(image["reference"]) for image in lock["images"]]
    if sorted(saved) != sorted(f"docker.io/{reference}" for reference in references):
        problems.append(f"the list has {sorted(references)}, the set has {sorted(saved)}")
    if there := {str(path.relative_to(media)) for path in media.glob("*/*.part*")} ^ {p["name"] for p in lock["parts"]}:
        problems.append(f"the lock file and the media differ in {sorted(there)}")
    for part in lock["parts"]:
        if (media / part["name"]).exists() and digest(media / part["name"]) != part["sha256"]:
            problems.append(f"{part['name']} has not the sha256 that the lock file names")
    for problem in problems:
        print(f"wrong: {problem}", file=sys.stderr)
    return 1 if problems else 0


def digest(path: Path) -> str:
    """The sha256 of a small file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
