# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that a run writes to while it goes on, checked against all others of the task."""

from __future__ import annotations

from .._archive.name_clashes import refuse_name_of_archive
from .._host.paths import refuse_strange_path
from .._host.progress import refuse_foreign
from .._host.telling import ToldFiles, told_to
from .options import Options
from .params import Params


def told_files(params: Params, options: Options, private: str | None) -> ToldFiles:
    """Take C(log_file) and C(progress_file) from the parameters. In check mode, nothing is written to either.

    :param private: a progress file of the action plugin's own.
    :raises OptionError: when one of them would replace something else.
    """
    for name, path in (("log_file", params["log_file"]), ("progress_file", params["progress_file"])):
        refuse_strange_path(name, path)
    if params["log_file"]:
        refuse_name_of_archive("log_file", params["log_file"], options.output)
    if options.check:
        return ToldFiles()
    asked = params["progress_file"]
    if asked:
        refuse_name_of_archive("progress_file", asked, options.output)
        refuse_foreign(asked, _taken(params, options))
    return told_to(params["log_file"], asked, private)


def _taken(params: Params, options: Options) -> list[str]:
    """List the files that the task names or writes besides C(progress_file)."""
    output = options.output
    named = (params["failed_list"], params["log_file"], params["from_lock"], *params["list_files"])
    return [
        output.dest,
        output.lock_file,
        output.checksum_file,
        *output.companions,
        *(path for path in named if path),
    ]
