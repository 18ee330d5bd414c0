# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fuzz targets: each parser of foreign input, with its seeds and its share of the executions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import headers, manifests, references

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Target:
    """A parser with its properties.

    :ivar check: raises, whatever it is, where a property does not hold of these bytes.
    :ivar about: the module and the function, for the table.
    :ivar runs: executions in a full run.
    :ivar longest: bytes of an input at most.
    :ivar is_json: whether documents are changed as such, and not only their bytes.
    """

    name: str
    check: Callable[[bytes], None]
    about: str
    runs: int
    longest: int = 1024
    is_json: bool = False

    @property
    def seeds(self) -> Path:
        """The folder of inputs that are kept."""
        return _HERE / "seeds" / self.name

    @property
    def dictionary(self) -> Path:
        """Words of the format, for libFuzzer."""
        return _HERE / "dictionaries" / f"{self.name}.dict"


_ALL = (
    Target("reference", references.check_reference, "`_oci.reference.parse_reference`", 1_000_000, longest=400),
    Target("image_list", references.check_image_list, "`_oci.image_list.parse_lines`", 200_000, longest=300),
    Target(
        "failed_list", references.check_failed_list, "`_publish.failed_list.render`, read again", 150_000, longest=300
    ),
    Target("size", references.check_size, "`_base.size.parse_size`", 2_500_000, longest=64),
    Target("manifest", manifests.check_manifest, "`_oci.manifest.parse_manifest`", 700_000, longest=2048, is_json=True),
    Target("config", manifests.check_config, "`_oci.platform_json.parse_config_platform`", 1_000_000, is_json=True),
    Target("lock", manifests.check_lock, "`_archive.lock_file.read_lock`", 450_000, longest=3072, is_json=True),
    Target("challenge", headers.check_challenge, "`_registry.challenge.parse_challenges`", 1_000_000, longest=400),
    Target("retry_after", headers.check_retry_after, "`_http.status_errors.parse_retry_after`", 3_000_000, longest=128),
    Target("skopeo", headers.check_skopeo, "`_skopeo.skopeo_errors.explain`", 500_000, longest=400),
    Target(
        "registries_conf", headers.check_registries_conf, "`_skopeo.registries_conf.names_in`", 700_000, longest=400
    ),
)

TARGETS = {target.name: target for target in _ALL}
