# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that a load writes to while it goes on, checked against all others of the task."""

from __future__ import annotations

from .._host.paths import refuse_strange_path
from .._host.progress import refuse_foreign
from .._host.telling import ToldFiles, told_to
from .params import Params


def told_files(params: Params, private: str | None, *, check: bool) -> ToldFiles:
    """Take C(log_file) and C(progress_file) from the parameters. In check mode, nothing is written to either.

    :param private: a progress file of the action plugin's own.
    :raises OptionError: when one of them would replace something else.
    """
    for name, path in (("log_file", params["log_file"]), ("progress_file", params["progress_file"])):
        refuse_strange_path(name, path)
    if check:
        return ToldFiles()
    asked = params["progress_file"]
    if asked:
        results = (params["dest"], params["failed_list"], params["receipt"], params["report"], params["request_file"])
        named = (*results, params["log_file"], *params["src"], *params["list_files"])
        refuse_foreign(asked, [path for path in named if path])
    return told_to(params["log_file"], asked, private)
