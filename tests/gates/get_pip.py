"""Put where ansible-test looks for the bootstrap script of pip before it downloads one.

ansible-test runs it in an empty virtual environment with the packages to install as arguments
(`pip==25.2 setuptools==… --no-wheel`). What it would download is a copy of pip; the copy that
comes with Python, or uv where the set-up found it, does the same and asks no other host than the
package index. Runs on every Python that ansible-test makes environments for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Install the packages named on the command line; return the exit status."""
    packages = [word for word in sys.argv[1:] if not word.startswith("-")]
    if install_with_uv(packages):
        return 0
    ensurepip = subprocess.call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
    install = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", *packages]
    return ensurepip or subprocess.call(install)


def install_with_uv(packages: list[str]) -> bool:
    """Return whether uv did it, with the settings that lie beside this script: ansible-test passes no variables on."""
    uv = json.loads(Path(__file__).with_name("uv.json").read_text("utf-8"))
    if not uv["program"]:
        return False
    command = [uv["program"], "pip", "install", "--quiet", "--python", sys.executable, *packages]
    return subprocess.call(command, env={**os.environ, **uv["variables"]}) == 0


if __name__ == "__main__":
    sys.exit(main())
