# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of a bundle: read from the files that C(since) names, and compared with what is at C(dest)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import count

from .._archive.base_files import archives_of, with_confirmations
from .._archive.base_reading import files_of
from .._archive.bases import Bases
from .._archive.lock import LockedBase
from .._archive.output import LOCK_SUFFIX, Output, with_word
from .._base.errors import LockFileError, OptionError, printable
from .._cache.cache import Cache
from .._oci.limits import MAX_MANIFEST_BYTES
from .._publish.published import PublishedArchive
from .options import FULL, Since


def read_bases(since: Since, output: Output, cache: Cache) -> tuple[Bases | None, str]:
    """Read what the other side has already.

    :param cache: has the manifests of the base, as long as they are not pruned.
    :returns: ``None`` for a full archive, and why it is one although a base was given; else an empty text.
    :raises OptionError: when a file cannot be used, or is the lock file of the archive that is to be written.
    """
    if not since.paths:
        return None, ""
    _refuse_own(since.paths, output)
    try:
        archives = archives_of(files_of(since.paths))
    except LockFileError as error:
        if since.missing == FULL:
            return None, f"since: {error}"
        raise OptionError(f"since: {error}. since_missing=full saves a full archive in that case") from error
    if not archives:
        raise OptionError("since: names receipts only; add the lock files of the archives that arrived")
    try:
        archives = with_confirmations(archives, since.confirmed)
    except LockFileError as error:
        raise OptionError(f"since_confirmed: {error}") from error
    return Bases(archives, lambda digest: document_in(cache, digest)), ""


def refuse_other(published: PublishedArchive, bases: Bases, output: Output) -> None:
    """Refuse to replace anything by a bundle but a bundle of the same base.

    :raises OptionError: says what is there, and which name to set.
    """
    lock = published.lock
    own = [one for one in bases.archives if one.lock_sha256 == published.lock_sha256]
    if lock is not None and own:
        raise OptionError(
            f"since: {own[0].name}{LOCK_SUFFIX} is the lock file of the archive at dest, {output.dest}, which the "
            f"bundle would replace; {_other_name(output)}"
        )
    if lock is None:
        if not published.is_new:
            raise OptionError(
                f"dest: what is at {output.dest} is not a bundle of this base ({published.damage}), and a bundle does "
                f"not replace it; {_other_name(output)}"
            )
        return
    if [one.key for one in lock.base] == [one.key for one in bases.archives]:
        return
    held = f"a bundle of {_names(lock.base)}" if lock.is_bundle else "a full archive"
    raise OptionError(
        f"dest: {output.dest} holds {held}, which a bundle of {_names(bases.recorded)} does not replace; "
        f"{_other_name(output)}"
    )


def _refuse_own(paths: Sequence[str], output: Output) -> None:
    own = os.path.realpath(output.lock_file)
    for path in paths:
        if os.path.realpath(path) == own:
            raise OptionError(
                f"since: {path} is the lock file of the archive at dest, {output.dest}, which the bundle would "
                f"replace; {_other_name(output)}"
            )


def _other_name(output: Output) -> str:
    """Say which name to set: one that no file has."""
    names = (with_word(output.name, word, output.compress) for word in _words())
    free = next(name for name in names if not os.path.lexists(os.path.join(output.directory, f"{name}{LOCK_SUFFIX}")))
    return f"set another dest, such as {os.path.join(output.directory, free)}"


def _words() -> Iterator[str]:
    yield "bundle"
    yield from (f"bundle{number}" for number in count(2))


def _names(archives: Sequence[LockedBase]) -> str:
    return ", ".join(printable(one.name, 100) for one in archives)


def document_in(cache: Cache, digest: str) -> bytes | None:
    """Return a manifest that the cache has; ``None`` if it has none of this digest."""
    try:
        is_small = os.path.getsize(cache.blobs.path(digest)) <= MAX_MANIFEST_BYTES
    except OSError:
        return None
    return cache.blobs.read_document(digest) if is_small else None
