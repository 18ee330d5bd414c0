# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts that were carried across with an earlier archive, when they had other numbers. Pure."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from .joined import PartFile


def find_renumbered(parts: Sequence[PartFile], there: Mapping[str, int]) -> list[PartFile]:
    """Give parts that are missing, or have another size, the path of a part under another number.

    No file is read for that, as all of them may have 40 GB: no other part, and no other file, may have that size. Blobs
    count only with their digest, and whoever checks parts compares their sha256.

    :param parts: of an archive whose parts end where images do, so that nearly all have a size of their own.
    :param there: bytes of all parts of the archive's name that exist, by path.
    :returns: all parts in the same order.
    """
    wanted = Counter(part.size for part in parts)
    offered = Counter(size for _name, size in {(os.path.basename(path), size) for path, size in there.items()})
    alone = {size: path for path, size in there.items() if wanted[size] == offered[size] == 1}
    return [
        part if there.get(part.path) == part.size else replace(part, path=alone.get(part.size, part.path))
        for part in parts
    ]
