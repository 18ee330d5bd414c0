# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks archives before anything of them is used."""

from __future__ import annotations

from collections.abc import Sequence

from .._source.archive import Archive
from .._source.errors import SourceError


def verify_parts(archives: Sequence[Archive]) -> None:
    """Read all parts before anything is sent.

    :raises SourceError: names the parts that are damaged or missing.
    """
    wrong = [str(error) for archive in archives for error in archive.verify().values()]
    if wrong:
        raise SourceError(
            f"{'; '.join(wrong)}. Nothing was loaded. Carry these parts across again; verify=while loads the images "
            "that need none of them"
        )
