# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live progress: what a task shows while it runs, and what becomes of the run when the controller goes away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.airgap.images.tests.functional._helpers import check
from ansible_collections.airgap.images.tests.support.playbook import run_task
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

MODULE = "airgap.images.image_save"


def arguments(source: Source, bench: Workbench, *names: str, **more: Any) -> dict[str, Any]:
    """Of a task that saves these samples."""
    return bench.params([source[name] for name in names], **more)


def test_lines_are_on_standard_error(source: Source, bench: Workbench, workdir: Path, home: Path) -> None:
    result = run_task(MODULE, arguments(source, bench, "oci/index:1"), env={"HOME": str(home)})
    print(result.stderr)
    print(result.stdout)
    assert result.rc == 0
    check(Path(bench.dest))
    assert "1 of 1 images" in result.stderr
    assert "1 of 1 images" not in result.stdout
    assert list((home / ".ansible_async").iterdir()) == []
