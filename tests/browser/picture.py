# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the pictures of the reports: ``tests/report-picture.sh`` calls it with the folder to put them in."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from ansible_collections.airgap.images.plugins.module_utils._report.report import render
from ansible_collections.airgap.images.plugins.plugin_utils._lists.sharing import share_out
from ansible_collections.airgap.images.plugins.plugin_utils._set.names import REPORT, archive_of
from ansible_collections.airgap.images.plugins.plugin_utils._set.shelf import content_of
from ansible_collections.airgap.images.tests.support.bundle import bundle, of_rancher, references_of_rancher
from ansible_collections.airgap.images.tests.support.chromium import browser

SIZE = {"width": 1280, "height": 800}
SMALL = {"width": 400, "height": 800}
HOSTS = ("east.example.com", "north.example.com", "west.example.com")
SCHEMES = ("light", "dark")


def report_of_archive() -> bytes:
    """The report of one archive."""
    sample = of_rancher(failures=False)
    return render(sample.name, sample.lock, sample.lock_sha256, sample.facts).page


def report_of_set() -> bytes:
    """The report of the set of three hosts that have shared out the same list."""
    shares = share_out(references_of_rancher(), HOSTS)
    archives = {host: archive_of("/srv/rancher-v2.7.9", "gzip", host).rpartition("/")[2] for host in HOSTS}
    locks = {host: bundle(archives[host], shares[host]).raw_lock for host in HOSTS}
    return content_of(locks, archives, []).files[REPORT]


def main() -> None:
    folder = Path(sys.argv[1])
    alone, together = report_of_archive(), report_of_set()
    pictures = [(f"report-{scheme}", alone, scheme, SIZE, "") for scheme in SCHEMES]
    pictures += [("report-small", alone, "light", SMALL, "images")]
    pictures += [(f"set-{scheme}", together, scheme, SIZE, "") for scheme in SCHEMES]
    pictures += [("set-narrow", together, "light", SMALL, "")]
    with tempfile.TemporaryDirectory() as place, browser() as chromium:
        for name, page, scheme, size, anchor in pictures:
            path = Path(place, f"{name}.html")
            path.write_bytes(page)
            with chromium.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce") as context:
                shown = context.new_page()
                shown.goto(path.as_uri())
                if anchor:
                    shown.evaluate(f"document.getElementById('{anchor}').scrollIntoView()")
                shown.screenshot(path=folder / f"{name}.png")


if __name__ == "__main__":
    main()
