# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log and the progress files of a run, written while it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .._base.stop import Stop
from .log import Log
from .progress import TO_END, Progress, shown


@dataclass(frozen=True)
class ToldFiles:
    """The files that a run writes to while it goes on.

    :param log: path; empty: none was asked for.
    :param progress: paths of files that say how far the run is.
    :param to_end: path of a file that asks the run to end, as :func:`progress.shown` has it; empty: there is none.
    """

    log: str = ""
    progress: tuple[str, ...] = ()
    to_end: str = ""


def told_to(log: str | None, progress: str | None, private: str | None) -> ToldFiles:
    """Return the files of a run.

    :param log: path that the user named, if any.
    :param progress: the same for a progress file.
    :param private: a progress file of the action plugin's own, beside which a file asks the run to end.
    """
    return ToldFiles(
        log=log or "",
        progress=tuple(path for path in (private, progress) if path),
        to_end=f"{private}{TO_END}" if private else "",
    )


@contextmanager
def telling(log: Log, stop: Stop, files: ToldFiles) -> Iterator[Progress]:
    """Write log and progress of a run while the block runs.

    :param stop: is set when a file asks the run to end.
    :returns: the progress for the run to update.
    :raises OptionError: when the log cannot be written.
    """
    if files.log:
        log.append_to(files.log)
    progress = Progress()
    log.told = progress.tell
    with shown(progress, files.progress, stop=stop, to_end=files.to_end):
        yield progress
