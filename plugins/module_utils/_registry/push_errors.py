# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registry's refusal to take something means, and what to do about it. Pure."""

from __future__ import annotations

from .._base.errors import TransferError
from .._http.response import Response
from .._http.status_errors import explain_status


class UploadLost(TransferError):
    """A registry does not know an upload any more."""


class BodyTooLarge(TransferError):
    """Something before the registry refuses a body of this size."""


def explain_push(response: Response, *, host: str, what: str) -> TransferError:
    """Return the error for an answer to something that was to be written."""
    if response.status == 404 or response.status == 416:
        return UploadLost(f"{host} does not know the upload of {what} any more", heals=True)
    if response.status == 413:
        return BodyTooLarge(f"{host} or a proxy before it refuses the size of {what} (413)", heals=False)
    return explain_status(response, host=host, what=what)
