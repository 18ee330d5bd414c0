# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals that end a run in order: copies are stopped, and private files are removed."""

from __future__ import annotations

import signal

from .._base.stop import Stop

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def stop_on_signals(*, keeps: bool = True) -> Stop:
    """Turn these signals into an orderly end.

    One that is already ignored stays ignored, as C(nohup) wants it. A handler may run in the middle of anything, so it
    only leaves a mark.

    :param keeps: whether the run transfers anything, which is then kept: in the cache, or in the registry.
    :returns: set when a signal has come.
    """
    stop = Stop()

    def note(number: int, frame: object) -> None:
        ended = f"the run was ended by {signal.Signals(number).name}"
        stop.request(f"{ended}; what was transferred is kept" if keeps else ended)

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, note)
    return stop


def ignore_signals() -> None:
    """Ignore these signals from here on: the result is decided and must be printed, up to the interpreter's own end."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
