# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that a load writes about itself. That one of them cannot be written does not end the run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Callable

from .._base.errors import ImagesError, Interrupted
from .._host.attributes import NoAttributes
from .._oci.image import FailedImage
from .._oci.image_list import InvalidLine
from .._publish.failed_list import render, update
from .receipts import KeptReceipt
from .request_file import KeptRequests


@dataclass
class RunFiles:
    """The files about a run, as they are written.

    :param is_changed: whether anything is different so far.
    :ivar warnings: why files could not be written.
    """

    is_changed: bool
    warnings: list[str] = field(default_factory=list)
    receipts: tuple[KeptReceipt, ...] = ()
    requests: KeptRequests = field(default_factory=KeptRequests)

    def attempt(self, step: Callable[[], bool]) -> None:
        """Write a file; that it cannot be written is a warning.

        :param step: returns whether the file was different.
        :raises Interrupted: when the run was stopped; knows whether anything is different.
        """
        try:
            self.is_changed = step() or self.is_changed
        except Interrupted as error:
            error.changed = error.changed or self.is_changed
            raise
        except ImagesError as error:
            self.warnings.append(str(error))


def update_failed_list(
    path: str | None, failed: Sequence[FailedImage], invalid: Sequence[InvalidLine], *, check: bool
) -> bool:
    """Write, renew or remove the list of what failed; returns whether it was different.

    :param path: ``None``: there is to be none.
    :param check: only report, change nothing.
    :raises ImagesError: when it cannot be written.
    """
    if path is None:
        return False
    content = render(failed, invalid, done="loaded")
    return update(path, content, NoAttributes(), made=os.path.dirname(os.path.abspath(path)), check=check)
