"""Copies of the collection in a place that Ansible's tools take for a collection."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from gates.versions import CHECKOUT

# The checkout may belong to another user than the one who tests it.
GIT = ("git", "-c", "safe.directory=*")


def copy_collection(root: Path) -> Path:
    """Copy what git knows or would take in to ROOT/ansible_collections/airgap/images and return that path.

    The copy is a git repository of its own. Otherwise ansible-test would ask the one around it, if
    there is any, and pass with nothing tested where that one ignores the folder.
    """
    tree = root / "ansible_collections" / "airgap" / "images"
    tree.mkdir(parents=True)
    for name in _listed_files():
        source, copy = CHECKOUT / name, tree / name
        if os.path.lexists(source):  # a file that was removed stays listed until the next commit
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)
    subprocess.run(["git", "init", "--quiet", tree], check=True)
    subprocess.run([*GIT, "-C", tree, "add", "--all"], check=True)
    return tree


def _listed_files() -> list[str]:
    command = [*GIT, "-C", str(CHECKOUT), "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, check=True, capture_output=True).stdout
    return sorted(set(os.fsdecode(listed).split("\0")) - {""})
