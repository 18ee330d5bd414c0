# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the base of the archive that a run writes. Code that is about bundles is only read where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._cache.cache import Cache
from .base import Base, NoBase
from .options import Options

if TYPE_CHECKING:
    from .._archive.bases import Bases


def read_base(bases: Bases | None, options: Options, cache: Cache) -> tuple[Base, str]:
    """Return the base of the archive, read from the files that the options name where that is not done yet.

    :param bases: what the other side has, if it is known.
    :param cache: has the manifests of the base, as long as they are not pruned.
    :returns: the base, and why there is none although one was given; else an empty text.
    :raises OptionError: when a file cannot be used, or is the lock file of the archive that is to be written.
    """
    note = ""
    if bases is None and options.since.paths:
        from .since import read_bases

        bases, note = read_bases(options.since, options.output, cache)
    if bases is None:
        return NoBase(), note
    from .since_base import SinceBase

    return SinceBase(bases, options), note
