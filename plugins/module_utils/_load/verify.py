# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks archives before anything of them is used."""

from __future__ import annotations

from collections.abc import Sequence

from .._source.archive import Archive
from .._source.errors import SourceError
from .asking import requests_for_parts
from .request_file import update_requests
from .result import notice_of_requests
from .still_asked import OpenAfterVerifying


class LostParts(SourceError):
    """Parts are damaged or missing, so nothing was begun.

    :ivar requests: paths of the files that ask for them (in check mode: would).
    """

    requests: tuple[str, ...] = ()


def verify_first(archives: Sequence[Archive], request: str | None, *, check: bool) -> None:
    """Read all parts before anything is sent.

    :param archives: in the order of their chain.
    :param request: path of the file that asks for those that are damaged or missing; ``None``: none is written.
    :param check: change nothing.
    :raises LostParts: names the parts that are damaged or missing, and says whether that file is different.
    """
    wrong = {id(archive): archive.verify() for archive in archives}
    told = [str(error) for errors in wrong.values() for error in errors.values()]
    if not told:
        return
    is_changed = False
    paths: tuple[str, ...] = ()
    if request is not None:
        asked = requests_for_parts(wrong, archives)
        kept = update_requests(request, asked, archives, OpenAfterVerifying(archives), check=check)
        is_changed, paths = kept.is_changed, kept.paths
    error = LostParts(
        f"{'; '.join(told)}. Nothing was loaded. Carry these parts across again; verify=while loads the images "
        f"that need none of them{f'. {notice_of_requests(paths)}' if paths and not check else ''}"
    )
    error.changed, error.requests = is_changed, paths
    raise error
