# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a run that writes a file of images instead of loading into a registry. Pure."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .._archive.receipt import BLOBS
from .._base.errors import OptionError, quoted
from .naming import Naming
from .options import AUTO, FIRST, SOURCE, Choice
from .params import Params, read_choice, read_naming, refuse_strange_paths


@dataclass(frozen=True)
class FileOptions:
    """All options of such a run.

    :param naming: ``None``: images keep their names.
    :param dest: the file.
    :param verifies_first: whether all parts are checked before anything is written.
    :param is_thorough: whether all of an existing file is read, to compare it.
    :param referrers: ``none`` to leave out what refers to other images.
    :param failed_list: path of the list of what failed; ``None``: none is written.
    :param request_file: path of the file that asks for what is lacking; ``None``: none is written.
    :param check: check mode: foresee the result, and change nothing.
    """

    src: tuple[str, ...]
    choice: Choice
    naming: Naming | None
    dest: str
    verifies_first: bool = False
    is_thorough: bool = False
    referrers: str = AUTO
    failed_list: str | None = None
    request_file: str | None = None
    check: bool = False


def read_file_options(params: Params, *, check: bool) -> FileOptions:
    """Check the parameters, and return them with types.

    :raises OptionError: names the option, its value and what is accepted.
    """
    refuse_strange_paths(params)
    _refuse_what_has_no_effect(params)
    dest = os.path.abspath(params["dest"] or "")
    if not dest.endswith(".tar"):
        raise OptionError(f"dest: {quoted(dest)} does not end with .tar, by which K3s and RKE2 know files of images")
    return FileOptions(
        src=tuple(params["src"]),
        choice=read_choice(params),
        naming=read_naming(params) if params["registry"] else None,
        dest=dest,
        verifies_first=params["verify"] == FIRST,
        is_thorough=params["check_target"] == BLOBS,
        referrers=params["referrers"],
        failed_list=params["failed_list"],
        request_file=params["request_file"],
        check=check,
    )


def _refuse_what_has_no_effect(params: Params) -> None:
    """Refuse options that are for a registry alone."""
    given = {
        "receipt": params["receipt"] is not None,
        "report": params["report"] is not None,
        "create_projects": params["create_projects"],
        "index=source": params["index"] == SOURCE,
        "keep_registry without registry": params["keep_registry"] and not params["registry"],
        "rewrites without registry": bool(params["rewrites"]) and not params["registry"],
    }
    useless = [name for name, is_given in given.items() if is_given]
    if useless:
        raise OptionError(f"{' and '.join(useless)} cannot be used with to=containerd_images; leave it out")
