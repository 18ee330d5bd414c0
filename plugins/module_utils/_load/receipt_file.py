# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of a receipt: read, compared and written under a lock, so that two loads do not mix theirs."""

from __future__ import annotations

from .._archive.receipt import Receipt, parse, render, with_number
from .._base.errors import LockFileError, OptionError
from .._host.disk_errors import explained
from .._host.files import open_regular, put_whole
from .._host.hold import Hold

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
        with open_regular(path) as file:
            raw = file.read(_LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise explained(f"receipt: cannot read {path}", error) from error
    try:
        return parse(raw)
    except LockFileError as error:
        raise OptionError(f"receipt: {path} would be replaced, but {error}; name another file") from error


def update_receipt(path: str, receipt: Receipt, *, check: bool) -> tuple[bool, Receipt]:
    """Write a receipt if it says something else than the one that is there.

    :param check: only report, change nothing.
    :returns: whether it was (or would be) different, and the receipt with its number; in check mode a new one has none.
    :raises ImagesError: when it cannot be written.
    """
    if check:
        same = _same_as(path, receipt)
        return same is None, same or receipt
    with Hold(f"{path}.lock", what=f"the receipt {path}", timeout=_PATIENCE):
        same = _same_as(path, receipt)
        if same is not None:
            return False, same
        written = with_number(receipt)
        try:
            put_whole(path, render(written))
        except OSError as error:
            raise explained(f"receipt: cannot write {path}", error) from error
    return True, written


def _same_as(path: str, receipt: Receipt) -> Receipt | None:
    """Return the receipt that is there, if it says the same."""
    before = read_receipt(path)
    return before if before is not None and before.says_same(receipt) else None
