# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns the errors of a run into the failures of its images."""

from __future__ import annotations

from dataclasses import replace

from .._base.errors import ImagesError, TransferError
from .._base.secrets import Secrets
from .._oci.image_list import InvalidLine
from .outage import Outages


class Failures:
    """Makes failures. This is the only place where secrets are hidden in them.

    What an image failed with goes into results, reports, lists and records, and may repeat what a registry or skopeo
    said. Every error passes through here before an image keeps it; from there on it can be shown as it is.

    :param secrets: what must not be shown; known before it is sent to anybody.
    :param outages: counts the images that each registry made fail.
    """

    def __init__(self, secrets: Secrets, outages: Outages) -> None:
        self._secrets = secrets
        self._outages = outages

    def of_image(self, registry: str, name: str, error: ImagesError) -> ImagesError:
        """Return the error that an image failed with, safe to be shown; of the same type where it is the same error.

        :param registry: where the image was asked for.
        :param name: the image's reference.
        :param error: why the image failed; for one of a registry that is out of reach, another error may be returned.
        """
        if isinstance(error, TransferError):
            error = self._outages.ended(registry, name, error)
        text = self._secrets.hide(str(error))
        return error if text == str(error) else error.worded(text)

    def of_line(self, line: InvalidLine) -> InvalidLine:
        """Return a line that is not a valid reference, safe to be shown."""
        return replace(line, text=self._secrets.hide(line.text), reason=self._secrets.hide(line.reason))
