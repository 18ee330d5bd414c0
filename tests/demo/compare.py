# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares two registries with skopeo: what each tag of a list names, and every manifest below it.

    python compare.py LIST SOURCE TARGET

Exits with 1 when anything differs.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


def main() -> int:
    """Prints a line for each tag, then what is wrong."""
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    source, target = sys.argv[2:]
    problems, compared = [], 0
    for reference in [line for line in lines if line and not line.startswith("#")]:
        repository = reference.rpartition(":")[0]
        wanted, found = manifest(f"{source}/{reference}"), manifest(f"{target}/{reference}")
        print(f"{reference:<40} {digest(found)}")
        if found != wanted:
            problems.append(f"{reference} is {digest(found)} in {target}, and {digest(wanted)} in {source}")
        for child in children(wanted):
            compared += 1
            if manifest(f"{target}/{repository}@{child}") != manifest(f"{source}/{repository}@{child}"):
                problems.append(f"{repository}@{child} differs")
        compared += 1
    print(f"{compared} digests are the same" if not problems else f"{len(problems)} of {compared} differ")
    for problem in problems:
        print(f"wrong: {problem}", file=sys.stderr)
    return 1 if problems or not compared else 0


def manifest(reference: str) -> bytes:
    """The bytes of a manifest or index."""
    command = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{reference}"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def children(raw: bytes) -> Iterator[str]:
    """The digests that an index or list names."""
    for child in json.loads(raw).get("manifests", []):
        yield str(child["digest"])


def digest(raw: bytes) -> str:
    """The digest of bytes."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


if __name__ == "__main__":
    sys.exit(main())
