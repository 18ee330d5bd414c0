# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes sure that there is a skopeo that is recent enough."""

from __future__ import annotations

import re
import shutil
import subprocess
import time

from .._base.errors import OptionError
from .._base.stop import Stop
from .._host.disk_errors import reason
from .._host.process import end, has_ended, memory_file
from .output import last_lines, says_too_much

_OLDEST = (1, 6)
_SECONDS = 60.0
_POLL_SECONDS = 0.05
_VERSION = re.compile(r"version (\d+)\.(\d+)")


def find_skopeo(skopeo_path: str, stop: Stop) -> str:
    """Find skopeo, and make sure that it is at least version 1.6.

    :param skopeo_path: a name or path of the program.
    :param stop: set when the run is to end.
    :returns: its path.
    :raises OptionError: when it is not found, too old, or does not run.
    """
    path = shutil.which(skopeo_path)
    if path is None:
        raise OptionError(f"skopeo_path: {skopeo_path!r} was not found on the target; install skopeo")
    version = _VERSION.search(_ask_version(path, stop))
    if version is None:
        raise OptionError(f"skopeo_path: {path} --version does not answer as skopeo does")
    if (int(version.group(1)), int(version.group(2))) < _OLDEST:
        raise OptionError(f"skopeo_path: {path} is too old ({version.group(0)}); at least version 1.6 is needed")
    return path


def _ask_version(path: str, stop: Stop) -> str:
    with memory_file("version") as told:
        try:
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function  # the engine knows no module
                [path, "--version"],
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise OptionError(f"skopeo_path: {path} cannot be run: {reason(error)}") from error
        deadline = time.monotonic() + _SECONDS
        try:
            while not has_ended(process, _POLL_SECONDS):
                stop.check()
                if time.monotonic() >= deadline or says_too_much(told):
                    raise OptionError(f"skopeo_path: {path} --version does not end; is it skopeo?")
        finally:
            end(process)
        if process.returncode < 0:
            raise OptionError(f"skopeo_path: {path} --version was ended by signal {-process.returncode}; run again")
        return last_lines(told)
