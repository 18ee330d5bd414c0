# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of a receipt: read, compared and written under a lock, so that two loads do not mix theirs."""

from __future__ import annotations

from typing import Callable, Optional

from .._archive.receipt import Receipt, parse, render, with_number
from .._base.errors import LockFileError, OptionError
from .._host.disk_errors import explained
from .._host.files import put_whole, read_regular
from .._host.hold import Hold

Make = Callable[[Optional[Receipt]], Optional[Receipt]]

_LARGEST = 16 * 1024 * 1024
_PATIENCE = 60  # seconds for another load to write it


def refuse_foreign(path: str) -> None:
    """Make sure that nothing is there, or a receipt, which will be replaced.

    :raises OptionError: when something else is there.
    """
    read_receipt(path)


def read_receipt(path: str) -> Receipt | None:
    """Read a receipt; ``None`` if there is none.

    :raises OptionError: when something else is there.
    """
    try:
        raw = read_regular(path, _LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise explained(f"receipt: cannot read {path}", error) from error
    try:
        return parse(raw)
    except LockFileError as error:
        raise OptionError(f"receipt: {path} would be replaced, but {error}; name another file") from error


def update_receipt(path: str, make: Make, *, check: bool) -> tuple[bool, Receipt] | None:
    """Write a receipt if it says something else than the one that is there.

    :param make: returns the receipt to be for the one that is there, if any; ``None``: none is to be made.
    :param check: only report, change nothing.
    :returns: whether it was (or would be) different, and the receipt with its number; in check mode a new one has none.
        ``None`` if there is none.
    :raises ImagesError: when it cannot be written.
    """
    foreseen = _updated(path, make)
    if check or foreseen is None:
        return foreseen
    with Hold(f"{path}.lock", what=f"the receipt {path}", timeout=_PATIENCE):
        update = _updated(path, make)
        if update is None or not update[0]:
            return update
        written = with_number(update[1])
        try:
            put_whole(path, render(written))
        except OSError as error:
            raise explained(f"receipt: cannot write {path}", error) from error
    return True, written


def _updated(path: str, make: Make) -> tuple[bool, Receipt] | None:
    """Return the receipt to be, and whether it says something else than the one that is there."""
    before = read_receipt(path)
    receipt = make(before)
    if before is not None and (receipt is None or before.says_same(receipt)):
        return False, before
    return None if receipt is None else (True, receipt)
