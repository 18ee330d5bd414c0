# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors of this collection, in words for the person who reads the task's output.

Every error that the user can cause is an :class:`ImagesError`; its text names the thing (image, file, line), what
was expected and what to do. The engine raises, the module's ``main()`` catches.
"""

from __future__ import annotations

import re
from typing import TypeVar

_Error = TypeVar("_Error", bound="ImagesError")

# Control characters of terminals, line ends, marks that reverse the order of letters, and invisible characters.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)
_LONGEST = 600


def printable(text: str, longest: int = _LONGEST) -> str:
    """Return text from outside that is safe to show: no control or hidden characters, no line breaks, bounded length.

    :param text: anything from a registry, a file or a program.
    :param longest: how many characters are kept at most.
    """
    escaped = _UNPRINTABLE.sub(lambda match: f"\\x{ord(match.group()):02x}", text)
    return escaped if len(escaped) <= longest else escaped[: longest - 1] + "…"


def quoted(text: str, longest: int = _LONGEST) -> str:
    """Return text from outside in quotes, safe to show."""
    return f"'{printable(text, longest)}'"


class ImagesError(Exception):
    """Root of all errors of this collection; its text is for the user.

    :ivar changed: whether the run had changed something on disk, as the user asked, before it failed.
    :ivar about: the piece of the text that names what it is about, without which images that failed for one cause have
        one text; empty if the text names nothing, or that is not known.
    """

    changed = False
    about = ""

    def worded(self: _Error, text: str) -> _Error:
        """Return the same error with another text."""
        other = type(self).__new__(type(self), text)
        other.__dict__.update(self.__dict__)
        return other


class OptionError(ImagesError):
    """An option, or a file that an option names, is not valid."""


class InvalidReferenceError(ImagesError):
    """A text is not a valid image reference."""


class ManifestError(ImagesError):
    """A manifest, index or configuration does not follow its specification."""


class NestedIndex(ManifestError):
    """An index names another index."""


class NotCarried(ManifestError):
    """An image can be copied neither with skopeo nor without."""


class LockFileError(ImagesError):
    """A ``*.lock.json`` cannot be read, or contradicts itself."""


class BusyError(ImagesError):
    """Another run holds the cache or the destination."""


class SpaceError(ImagesError):
    """A filesystem has not enough free space."""


class StorageError(ImagesError):
    """Reading or writing a file on the target failed."""


class Interrupted(ImagesError):
    """The run was asked to stop (SIGTERM, SIGINT)."""


class MissingPlatform(ImagesError):
    """An image has none of the wanted platforms, and that counts as a failure."""


class NotInArchive(ImagesError):
    """An image was asked for that no archive has."""


class NotPulled(ImagesError):
    """An image was left alone because another one failed."""


class TransferError(ImagesError):
    """Something could not be fetched from a registry.

    :param message: what happened and what to do, without the image's name.
    :param heals: whether trying again can help.
    :param retry_after: seconds to wait, if the registry asked for that.
    :param is_final: whether all tries or all of the time was used up, so that no other way is worth trying.
    """

    def __init__(self, message: str, *, heals: bool, retry_after: float | None = None, is_final: bool = False) -> None:
        super().__init__(message)
        self.heals = heals
        self.retry_after = retry_after
        self.is_final = is_final

    def ended(self, message: str) -> TransferError:
        """Return the same failure, with another text, as one after which nothing is tried again.

        :param message: the text.
        """
        other = type(self)(message, heals=False, is_final=True)
        other.about = self.about
        return other


class ConnectionRefused(TransferError):
    """A registry, or the proxy in front of it, refused the connection."""


class ProxyLoginRefused(TransferError):
    """A proxy refused the login."""


class Missing(TransferError):
    """A registry does not have what was asked for."""


class Refused(TransferError):
    """A registry, or the storage behind it, does not give this account what was asked for."""


class Unreadable(TransferError):
    """skopeo does not read what a registry gives it."""


class WrongBytes(TransferError):
    """The content that came for a digest has another digest."""


class DamagedBlobError(ImagesError):
    """A blob in the cache is damaged.

    :param digest: of the blob, ``sha256:<hex>``.
    :param found: what is wrong with it.
    """

    def __init__(self, digest: str, found: str) -> None:
        super().__init__(f"{digest} in the cache is damaged: {found}")
        self.digest = digest
