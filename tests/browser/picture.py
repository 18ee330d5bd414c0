# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the pictures of a report: ``tests/report-picture.sh`` calls it with the folder to put them in."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from ansible_collections.airgap.images.plugins.module_utils._report.report import render
from ansible_collections.airgap.images.tests.support.bundle import of_rancher
from ansible_collections.airgap.images.tests.support.chromium import browser

SIZE = {"width": 1280, "height": 800}
SMALL = {"width": 400, "height": 800}


def main() -> None:
    folder = Path(sys.argv[1])
    sample = of_rancher(failures=False)
    page = render(sample.name, sample.lock, sample.raw_lock, sample.facts).page
    with tempfile.TemporaryDirectory() as place, browser() as chromium:
        path = Path(place, "report.html")
        path.write_bytes(page)
        for scheme in ("light", "dark"):
            with chromium.new_context(viewport=SIZE, color_scheme=scheme, reduced_motion="reduce") as context:
                shown = context.new_page()
                shown.goto(path.as_uri())
                shown.screenshot(path=folder / f"report-{scheme}.png")
        with chromium.new_context(viewport=SMALL, color_scheme="light", reduced_motion="reduce") as context:
            shown = context.new_page()
            shown.goto(path.as_uri())
            shown.evaluate("document.getElementById('images').scrollIntoView()")
            shown.screenshot(path=folder / "report-small.png")


if __name__ == "__main__":
    main()
