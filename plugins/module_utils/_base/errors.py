# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong, in words for the person who reads the task's output.

Every error that the user can cause is an :class:`ImageSaveError`; its text names the thing (image, file, line), what
was expected and what to do. The engine raises, the module's ``main()`` catches.
"""

from __future__ import annotations

import re
from typing import TypeVar

Error = TypeVar("Error", bound="ImageSaveError")

# What a terminal obeys, what ends a line, what turns the order of letters round, and what nobody sees.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)
_LONGEST = 600


def printable(text: str, longest: int = _LONGEST) -> str:
    """Make text from outside safe to show: no control or hidden characters, no line breaks, bounded length.

    :param text: anything a registry, a file or a program said.
    :param longest: characters kept at most.
    """
    escaped = _UNPRINTABLE.sub(lambda match: f"\\x{ord(match.group()):02x}", text)
    return escaped if len(escaped) <= longest else escaped[: longest - 1] + "…"


def quoted(text: str, longest: int = _LONGEST) -> str:
    """Text from outside between quotes, safe to show."""
    return f"'{printable(text, longest)}'"


class ImageSaveError(Exception):
    """Root of all errors of this collection; the text is meant for the user.

    :ivar changed: whether the run had changed something on disk that the user asked for before it failed.
    """

    changed = False

    def worded(self: Error, text: str) -> Error:
        """Return the same error with another text."""
        other = type(self).__new__(type(self), text)
        other.__dict__.update(self.__dict__)
        return other


class OptionError(ImageSaveError):
    """An option, or a file that an option names, is not usable."""


class InvalidReferenceError(ImageSaveError):
    """A text is no image reference."""


class ManifestError(ImageSaveError):
    """A manifest, index or configuration is not what the specification allows."""


class NestedIndex(ManifestError):
    """An index names another index."""


class NotCarried(ManifestError):
    """An image can be copied neither with skopeo nor without."""


class LockFileError(ImageSaveError):
    """A ``*.lock.json`` cannot be read or contradicts itself."""


class BusyError(ImageSaveError):
    """Another run holds the cache or the destination."""


class SpaceError(ImageSaveError):
    """A filesystem has not enough room."""


class StorageError(ImageSaveError):
    """Reading or writing a file on the target failed."""


class Interrupted(ImageSaveError):
    """The run was asked to stop (SIGTERM, SIGINT)."""


class MissingPlatform(ImageSaveError):
    """An image has none of the wanted platforms, and that counts as a failure."""


class NotPulled(ImageSaveError):
    """An image was left alone because another one failed."""


class TransferError(ImageSaveError):
    """Something could not be fetched from a registry.

    :param message: what happened and what to do, without the image's name.
    :param heals: whether trying again can help.
    :param retry_after: seconds that the registry asked to wait, if it did.
    :param is_final: whether every try was used up, or the time: then no other way is worth trying either.
    """

    def __init__(self, message: str, *, heals: bool, retry_after: float | None = None, is_final: bool = False) -> None:
        super().__init__(message)
        self.heals = heals
        self.retry_after = retry_after
        self.is_final = is_final

    def ended(self, message: str) -> TransferError:
        """The same failure, of which no further try is worth making.

        :param message: what to say of it instead.
        """
        return type(self)(message, heals=False, is_final=True)


class ConnectionRefused(TransferError):
    """Nobody listens where a registry, or the proxy before it, should be."""


class ProxyLoginRefused(TransferError):
    """A proxy wants another login than the one it got."""


class Missing(TransferError):
    """A registry says that it does not have what it was asked for."""


class Refused(TransferError):
    """A registry, or the storage behind it, does not give to this account what it was asked for."""


class WrongBytes(TransferError):
    """What came under a digest is something else."""


class DamagedBlobError(ImageSaveError):
    """A blob in the cache is not what its name says.

    :param digest: the blob's name, ``sha256:<hex>``.
    """

    def __init__(self, digest: str, found: str) -> None:
        super().__init__(f"{digest} in the cache is damaged: {found}")
        self.digest = digest
