"""Checks that the checkout is ready to be released under a tag."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from gates.versions import CHECKOUT


def complaints(tag: str, checkout: Path = CHECKOUT) -> list[str]:
    """Return what is in the way of a release, a line each."""
    version = str(yaml.safe_load((checkout / "galaxy.yml").read_text("utf-8"))["version"])
    releases = yaml.safe_load((checkout / "changelogs" / "changelog.yaml").read_text("utf-8"))["releases"]
    fragments = sorted(path.name for path in (checkout / "changelogs" / "fragments").glob("*.y*ml"))
    found = []
    if tag != f"v{version}":
        found.append(f"the tag is {tag}, and galaxy.yml has version {version}: the tag has to be v{version}")
    if version not in releases:
        found.append(f"changelogs/changelog.yaml has no release {version}: run antsibull-changelog release")
    if fragments:
        found.append(
            f"not in the changelog yet: {', '.join(fragments)}: run antsibull-changelog release (--update-existing, "
            "where the version is there already)"
        )
    if f"\nv{version}\n" not in (checkout / "CHANGELOG.rst").read_text("utf-8"):
        found.append(f"CHANGELOG.rst says nothing of v{version}: run antsibull-changelog generate")
    return found


def main() -> int:
    """Return the exit status."""
    found = complaints(sys.argv[1])
    for line in found:
        print(f"release: {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
