# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Does what a task asks for, with the log and the progress files that it names."""

from __future__ import annotations

from .._base.stop import Stop
from .._host.log import Log
from .._host.paths import refuse_strange_path
from .._host.progress import refuse_foreign
from .._host.telling import ToldFiles, telling, told_to
from .engine import verify
from .options import Params, read_options
from .result import Result


def do_task(params: Params, private: str | None, *, check: bool, log: Log, stop: Stop) -> Result:
    """Verify what the parameters name.

    :param private: a progress file of the action plugin's own.
    :param check: check mode.
    :raises ImagesError: when the run as a whole cannot go on.
    """
    options = read_options(params, check=check)
    with telling(log, stop, _told_files(params, private, check=check)) as progress:
        return verify(options, log=log, stop=stop, progress=progress)


def _told_files(params: Params, private: str | None, *, check: bool) -> ToldFiles:
    """Take C(log_file) and C(progress_file) from the parameters. In check mode, nothing is written to either.

    :raises OptionError: when one of them would replace something else.
    """
    asked, log_file = params["progress_file"], params["log_file"]
    for name, path in (("log_file", log_file), ("progress_file", asked)):
        refuse_strange_path(name, path)
    if check:
        return ToldFiles()
    if asked:
        refuse_foreign(asked, [path for path in (*params["src"], params["request_file"], log_file) if path])
    return told_to(log_file, asked, private)
