# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A load in one process: an archive that was carried across, and a registry that keeps what it gets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._load.engine import load
from ansible_collections.airgap.images.plugins.module_utils._load.options import Options
from ansible_collections.airgap.images.plugins.module_utils._load.params import Params, read_options
from ansible_collections.airgap.images.plugins.module_utils._load.result import Result
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import digest_of
from ansible_collections.airgap.images.plugins.modules.image_load import argument_spec
from ansible_collections.airgap.images.tests.support.stand_in_registry import StandInRegistry


def load_params(**changed: Any) -> Params:
    """The module's parameters with their defaults, but for those given."""
    usual: dict[str, Any] = {name: spec.get("default") for name, spec in argument_spec().items()}
    usual.update(src=["/srv/a"], registry="registry.lan:5000")
    assert changed.keys() <= usual.keys()
    return cast(Params, {**usual, **changed})


def load_options(*, check: bool = False, **changed: Any) -> Options:
    """Options of a load."""
    return read_options(load_params(**changed), check=check)


@dataclass
class Scene:
    """A registry to load into.

    :param src: the archive.
    """

    registry: StandInRegistry
    src: Path | str
    log: Log = field(default_factory=lambda: Log(debug=True))
    stop: Stop = field(default_factory=Stop)
    seen: int = 0

    def load(self, *, check: bool = False, **changed: Any) -> Result:
        """Load the archive."""
        usual = {
            "src": [str(self.src)],
            "registry": self.registry.host,
            "validate_certs": False,
            "retries": 0,
            "retry_delay": 0.0,
        }
        return load(load_options(check=check, **{**usual, **changed}), log=self.log, stop=self.stop)

    def forget(self) -> None:
        """Forget the requests so far."""
        self.seen = len(self.registry.requests())

    @property
    def asked(self) -> list[str]:
        """Method and kind of the requests since :meth:`forget`."""
        new = self.registry.requests()[self.seen :]
        return [f"{request.method} {request.kind}" for request in new if request.kind != "base"]


def gaps(registry: StandInRegistry) -> list[str]:
    """Return what is missing below tags: for a registry in which each tag is whole, nothing."""
    store, found = registry.store, []
    for (repository, tag), digest in store.tags.items():
        todo = [digest]
        while todo:
            name = todo.pop()
            raw, _media_type = store.manifests.get((repository, name), (b"", ""))
            if digest_of(raw) != name:
                found.append(f"{repository}:{tag} lacks {name}")
                continue
            document = json.loads(raw)
            todo += [each["digest"] for each in document.get("manifests", [])]
            blobs = [document["config"], *document["layers"]] if "config" in document else []
            digests = [each["digest"] for each in blobs]
            found += [f"{repository}:{tag} lacks {each}" for each in digests if not _has(registry, repository, each)]
    return found


def _has(registry: StandInRegistry, repository: str, digest: str) -> bool:
    return registry.store.has(repository, digest) and digest_of(registry.store.blobs[digest]) == digest
