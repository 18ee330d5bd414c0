# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of ``image_load`` for these tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.airgap.images.tests.support.module import Result, RunningModule, run_module, start_module
from ansible_collections.airgap.images.tests.support.registry import Registry

Sources = Path | Sequence[Path]


def load_params(src: Sources, registry: Registry, *, prefix: str = "", **params: Any) -> dict[str, Any]:
    """Parameters for the module.

    :param prefix: of all repositories.
    """
    usual: Mapping[str, Any] = {
        "src": [src] if isinstance(src, Path) else [*src],
        "registry": f"{registry.host}/{prefix}".rstrip("/"),
        "validate_certs": False,
        "retry_delay": 0.05,
    }
    return {**usual, **params}


def load(src: Sources, registry: Registry, *, check: bool = False, diff: bool = False, **params: Any) -> Result:
    """Runs ``image_load``."""
    return run_module(load_params(src, registry, **params), check=check, diff=diff, module="image_load")


def start_load(src: Sources, registry: Registry, *, under: Sequence[str] = (), **params: Any) -> RunningModule:
    """Starts ``image_load``."""
    return start_module(load_params(src, registry, **params), under=under, module="image_load")


def loaded(result: Result, *, changed: bool = True) -> Result:
    """Asserts that a load ended well."""
    assert not result.failed, f"{result.msg}\n{result.data.get('failed_images')}\n{result.stderr}"
    assert result.changed is changed, result.msg
    return result


def lock_of(dest: Path) -> Path:
    """The lock file of an archive."""
    return Path(f"{dest}.lock.json")
