# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loads image layouts into stand-in registries, in the process of the tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._load.engine import load
from ansible_collections.airgap.images.plugins.module_utils._load.result import Result
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import digest_of
from ansible_collections.airgap.images.tests.support.stand_in_registry import StandInRegistry
from ansible_collections.airgap.images.tests.unit.load_scene import load_options

_NAME = "org.opencontainers.image.ref.name"


def write_layout(folder: Path, named: Mapping[str, bytes], *others: bytes) -> Path:
    """An OCI image layout.

    :param named: the manifest or index of each reference.
    :param others: more manifests, and blobs.
    """
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for raw in (*named.values(), *others):
        (blobs / digest_of(raw)[7:]).write_bytes(raw)
    entries = [
        {
            "mediaType": json.loads(raw)["mediaType"],
            "digest": digest_of(raw),
            "size": len(raw),
            "annotations": {_NAME: reference},
        }
        for reference, raw in named.items()
    ]
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    return folder


def load_into(
    registry: StandInRegistry,
    src: Path,
    *,
    check: bool = False,
    path: str = "",
    log: Log | None = None,
    stop: Stop | None = None,
    **params: Any,
) -> Result:
    """Load with the options of the module, without any delay between tries.

    :param path: what is prefixed to each repository.
    """
    usual = {"src": [str(src)], "registry": f"{registry.host}{path}", "validate_certs": False, "retry_delay": 0.0}
    return load(load_options(check=check, **{**usual, **params}), log=log or Log(debug=False), stop=stop or Stop())


def actions_of(result: Result) -> dict[str, str]:
    """Return the outcome of each image, by the path and tag that it was given."""
    return {str(one.target).partition("/")[2]: one.action for one in result.images}
