# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits on documents of registries. What exceeds them is refused, before it takes much memory or time."""

from __future__ import annotations

from .._base.errors import ManifestError

MAX_MANIFEST_BYTES = 4 * 1024 * 1024
"""Bytes of a manifest or index; registries take at least as much (distribution-spec, "Pushing manifests")."""

MAX_VALUES = 100_000
"""Values in a document; see :func:`_base.json.parse_object`."""

MAX_CHILDREN = 1000
MAX_REFERRERS = 1000
"""Manifests that refer to an image: directly, or to others that do."""

MAX_REFERRER_DEPTH = 5
MAX_LAYERS = 2000
MAX_BLOB_BYTES = 2**50


def ensure_few_layers(count: int) -> None:
    """Check how many layers a manifest names.

    :raises ManifestError: when they are too many.
    """
    if count > MAX_LAYERS:
        raise ManifestError(f"the manifest names {count} layers; at most {MAX_LAYERS} are accepted")
