# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives come out in another registry as they went in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import saved
from ansible_collections.airgap.images.tests.support.module import Result, run_module
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench


def load(src: Path, registry: Registry, *, check: bool = False, diff: bool = False, **params: Any) -> Result:
    """Runs ``image_load``."""
    usual: Mapping[str, Any] = {"src": [src], "registry": registry.host, "validate_certs": False}
    return run_module({**usual, **params}, check=check, diff=diff, module="image_load")


def loaded(result: Result, *, changed: bool = True) -> Result:
    """Asserts that a load ended well."""
    assert not result.failed, f"{result.msg}\n{result.data.get('failed_images')}\n{result.stderr}"
    assert result.changed is changed, result.msg
    return result


SUFFIX = {"gzip": ".tar.gz", "zstd": ".tar.zst", "none": ".tar", "dir": ""}


@pytest.mark.parametrize("compress", ["gzip", "zstd", "none", "dir"])
def test_a_load_and_another(source: Source, bench: Workbench, registry: Registry, compress: str) -> None:
    """All samples arrive, and a second run only asks for each tag."""
    dest = bench.dest.with_name(f"images{SUFFIX[compress]}")
    images = [image for name, image in source.images.items() if not name.startswith("oci/nested")]
    saved(bench.save(images, compress=compress, dest=dest))
    src = Path(f"{dest}.lock.json")
    result = loaded(load(src, registry))
    sent = [each for each in registry.requests() if each.method == "PUT" and not each.manifest]
    assert result["stats"]["blobs_pushed"] == len(sent)
    registry.clear()
    loaded(load(src, registry), changed=False)
    requests = [each for each in registry.requests() if each.manifest]
    assert [each.method for each in requests] == ["HEAD"] * len(result["images"])
