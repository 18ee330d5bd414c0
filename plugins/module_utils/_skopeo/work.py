# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options for the work itself: parallelism, time limits, places, and the skopeo to use. Pure."""

from __future__ import annotations

from dataclasses import dataclass

SYSTEM_POLICY, INSECURE_POLICY = "system", "insecure"
AUTO, ALWAYS = "auto", "always"


@dataclass(frozen=True)
class Work:
    """Options for the work itself; times in seconds.

    :param timeout: for all copies of one platform image, its retries included.
    :param stall_timeout: for a transfer in which no byte moves.
    :param skopeo_copy: :data:`ALWAYS` if skopeo copies every image; :data:`AUTO` if only those of which it decides
        anything.
    """

    cache_dir: str
    jobs: int
    retries: int
    retry_delay: float
    timeout: float
    stall_timeout: float
    lock_timeout: float
    verify: str
    keep_cache: bool
    prune_cache: bool
    skopeo_path: str
    signature_policy: str | None
    insecure_policy: bool
    skopeo_copy: str
