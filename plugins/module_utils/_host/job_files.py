# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of runs that are jobs: their names, and removing those that nobody will ask for any more."""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from contextlib import suppress

from .files import temporary_of
from .progress import TO_END

LIMIT = 7 * 86400
"""Seconds after which a run is killed."""

KEPT = 86400
"""Seconds for which the result of a run is kept for a controller that has lost its connection."""

CLAIM = ".claim"
"""The suffix of an empty file beside the progress file: the run was started. If the connection breaks, Ansible may send
the same command again."""

RESULT = ".result"
"""The suffix of the file with the result."""

_SUFFIXES = ("", TO_END, CLAIM, RESULT)
_OWN = re.compile(r"(airgap-images-[0-9a-f]{32}\.json)(\.[a-z]+)?")


def job_name(identifier: str) -> str:
    """Name the progress file of a run. Pure.

    :param identifier: 32 hex digits that no other run has.
    """
    return f"airgap-images-{identifier}.json"


def files_of(path: str) -> tuple[str, ...]:
    """Name all files that a run may have, by the path of its progress file. Pure."""
    return (*(path + suffix for suffix in _SUFFIXES), temporary_of(path), temporary_of(path + RESULT))


def remove_files(path: str) -> None:
    """Remove all files of a run, by the path of its progress file. Errors are ignored."""
    for each in files_of(path):
        with suppress(OSError):
            os.unlink(each)


def sweep(directory: str, *, now: float) -> None:
    """Remove the files of earlier runs that nobody will ask for any more. Errors are ignored.

    These are runs that ended more than a day ago, and those without a result whose time limit was over a day ago, which
    have been killed. The progress file of a run that goes on is written every second.

    :param directory: of jobs, which may have files of others.
    :param now: seconds since the epoch.
    """
    for name, files in _runs_in(directory).items():
        longest = KEPT if name + RESULT in files else LIMIT + KEPT
        if now - max(files.values()) > longest:
            remove_files(os.path.join(directory, name))


def _runs_in(directory: str) -> dict[str, dict[str, float]]:
    """Return this user's files of each run, with the times at which they were written."""
    runs: dict[str, dict[str, float]] = defaultdict(dict)
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            match = _OWN.fullmatch(entry.name)
            if match is None or (match[2] or "") not in _SUFFIXES:
                continue
            with suppress(OSError):
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
                    runs[match[1]][entry.name] = found.st_mtime
    return runs
