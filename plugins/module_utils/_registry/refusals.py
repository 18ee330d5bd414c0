# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a registry does not take something: the errors that a run handles in different ways."""

from __future__ import annotations

from .._base.errors import Missing, Refused, TransferError


class EndsRun(TransferError):
    """A registry takes nothing more of anything, so the run ends, and says so once."""


class ReadOnlyRegistry(EndsRun):
    """A registry takes no writes."""


class RegistryFull(EndsRun):
    """A registry has no space left on its disk."""


class QuotaExceeded(Refused):
    """The project has used up what it may store."""


class ImmutableTag(Refused):
    """A tag exists, and may not be moved."""


class MissingProject(Missing):
    """A registry makes no repository by itself, and this one, or its project, does not exist."""


class ManifestTooLarge(Refused):
    """A manifest is larger than the registry takes."""


class ForeignLayersRefused(Refused):
    """A registry takes no manifest that has layers stored elsewhere."""


class TypeRefused(Refused):
    """A registry does not take manifests of this media type."""


class Faulty(TransferError):
    """A registry fails at one thing that it is asked for (500).

    docker-registry does so for what it wrote in part when its disk was full. Writing it again repairs that.
    """


class BlobsUnknown(TransferError):
    """A registry does not have all that a manifest names, so that its blobs have to be asked for again.

    :ivar digests: what it does not have, as far as it says.
    """

    digests: tuple[str, ...] = ()


class UploadLost(TransferError):
    """A registry does not know an upload any more."""


class BodyTooLarge(Refused):
    """Something before the registry refuses a body of this size; smaller ones may pass."""
