# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the site and checks its links. The command behind tests/docs.sh and the gate ``site``."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from docsite import links
from docsite.inventory import write_inventory
from docsite.stage import install_command, stage, tidy_reference
from gates.tree import copy_collection
from gates.versions import CHECKOUT

COLLECTION = "airgap.images"


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="tests/docs.sh", description=__doc__)
    parser.add_argument(
        "--output", type=Path, default=CHECKOUT / "docs" / "_build" / "html", help="the folder of the site"
    )
    output: Path = parser.parse_args().output.absolute()
    with tempfile.TemporaryDirectory(prefix="airgap-images-docs-") as folder:
        tree = copy_collection(Path(folder))
        if _complain(links.check_pages(tree)):
            return 1
        source, built = Path(folder) / "source", Path(folder) / "html"
        try:
            stage(tree, source)
            write_inventory(source)
            _reference(tree, source / "reference")
            tidy_reference(source)
            _build(source, built)
        except subprocess.CalledProcessError as problem:
            print(f"The site was not built: {problem}", file=sys.stderr)
            return 1
        pages = links.read_site(built)
        outside = links.outside(tree, pages)
        if _complain([*links.check_site(built, pages), *links.check_form(outside)]):
            return 1
        print(f"{len(outside)} links lead outside, which nobody has followed:")
        for address in sorted(outside):
            print(f"  {address}")
        _replace(built, output)
    print(f"{output / 'index.html'}")
    return 0


def _complain(complaints: list[str]) -> bool:
    """Print complaints about links; whether there are any."""
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    if complaints:
        print(f"{len(complaints)} links or resources are bad", file=sys.stderr)
    return bool(complaints)


def _reference(tree: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    options = ["--use-current", "--squash-hierarchy", "--no-breadcrumbs", "--fail-on-error"]
    options.append("--no-add-antsibull-docs-version")
    # Like the README: it is not on Galaxy.
    settings_file = tree.parents[2] / "antsibull-docs.cfg"
    command_of_readme = install_command((tree / "README.md").read_text("utf-8"))
    settings_file.write_text(f'collection_install = {{\n  * = "{command_of_readme}"\n}}\n', "utf-8")
    command = ["antsibull-docs", "--config-file", str(settings_file), "collection", *options]
    command += ["--dest-dir", str(folder), COLLECTION]
    # The copy alone: no other collection of this machine, and no settings of the user's.
    config = tree.parents[2] / "ansible.cfg"
    config.write_text("[defaults]\n", "utf-8")
    settings = {"ANSIBLE_COLLECTIONS_PATH": str(tree.parents[2]), "ANSIBLE_CONFIG": str(config)}
    subprocess.run(command, env=os.environ | settings, check=True, stdin=subprocess.DEVNULL)


def _build(source: Path, built: Path) -> None:
    shutil.copyfile(CHECKOUT / "galaxy.yml", source / "galaxy.yml")
    # -a -E: all of it; -W --keep-going: each warning is an error, and all of them are shown.
    options = ["-b", "html", "-q", "-a", "-E", "-W", "--keep-going", "-d", str(source.parent / "doctrees")]
    subprocess.run([sys.executable, "-m", "sphinx", *options, str(source), str(built)], check=True)
    shutil.rmtree(built / ".doctrees", ignore_errors=True)
    (built / ".buildinfo").unlink(missing_ok=True)


def _replace(built: Path, output: Path) -> None:
    """Put the new site in place of the old one. Only a site is removed, or an empty folder."""
    if output.exists():
        if any(output.iterdir()) and not (output / "objects.inv").exists():
            raise SystemExit(f"{output} is there and no site: name a folder that may be replaced")
        shutil.rmtree(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(built, output)


if __name__ == "__main__":
    sys.exit(main())
