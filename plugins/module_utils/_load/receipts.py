# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The receipts of a load: one for each lock file, or for the lock files of a set, as each is carried back by itself."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from .._archive.lock import image_key
from .._archive.names import archive_name
from .._archive.receipt import Receipt, confirmation_of
from .._base.errors import LockFileError, OptionError
from .._base.json import Json
from .._source.archive import Archive
from .beside import beside
from .chain import is_answer
from .options import Options
from .receipt_file import read_receipt, update_receipt
from .result import PRESENT, Loaded
from .seen import Seen


@dataclass(frozen=True)
class KeptReceipt:
    """A receipt that is there after a run.

    :param archives: names of the lock files that it is for.
    :param confirmation: the line that confirms it over the telephone; empty if it is not complete.
    """

    path: str
    archives: tuple[str, ...]
    is_complete: bool
    confirmation: str

    def as_json(self) -> Json:
        """Return it as the module returns it."""
        return {
            "path": self.path,
            "archives": list(self.archives),
            "complete": self.is_complete,
            "confirmation": self.confirmation,
        }


def write_receipts(
    options: Options, archives: Sequence[Archive], loaded: Sequence[Loaded]
) -> tuple[bool, tuple[KeptReceipt, ...]]:
    """Write or renew the receipts; that of the newest archive has the path that was asked for.

    A bundle that answers a request comes after the archive that it was made for.

    What an earlier load into the same target has confirmed stays, unless this one has seen otherwise. Nothing is
    written for archives of which neither has seen anything, unless a receipt is there that says more.

    :param archives: in the order of their chain.
    :returns: whether any is (or would be) different, and the receipts, the one at the path itself first.
    :raises OptionError: when no archive has a lock file, or something else has the place of a receipt.
    :raises StorageError: when one cannot be written.
    """
    path = options.receipt or ""
    groups = _groups(archives)
    if not groups:
        raise OptionError(f"receipt: {path} was not written, as no archive in src has a lock file that it could name")
    ordered = _answers_last([*reversed(groups)], archives)
    places = [beside(path, group[0].lock_sha256) if number else path for number, group in enumerate(ordered)]
    # An archive's receipt was elsewhere while it was the newest, or was loaded with a newer one.
    elsewhere = _readable(dict.fromkeys((*places, *(beside(path, group[0].lock_sha256) for group in ordered))))
    is_changed, kept = False, []
    for place, group in zip(places, ordered):
        seen = _seen_of(group, archives, loaded, options)
        update = update_receipt(place, partial(seen.after, elsewhere), check=options.check)
        if update is None:
            continue
        is_new, there = update
        is_changed |= is_new
        names = tuple(name for name, _sha256 in there.lock_sha256)
        kept.append(KeptReceipt(place, names, there.is_complete, confirmation_of(there)))
    return is_changed, tuple(kept)


def notice_of_other_target(options: Options, archives: Sequence[Archive]) -> str:
    """Return a sentence if an earlier load had another target, by the receipts that are there; else nothing.

    Images may have other names now, so blobs are looked for in other places than before.
    """
    if options.receipt is None:
        return ""
    bases = [base.lock_sha256 for archive in archives for base in archive.lock.base]
    for path in dict.fromkeys((options.receipt, *(beside(options.receipt, one) for one in bases))):
        try:
            receipt = read_receipt(path)
        except (LockFileError, OptionError):
            continue
        if receipt is not None and receipt.target != options.target_key:
            return (
                f"The load of {path} had another target: if this one is not meant, correct registry, keep_registry "
                "or rewrites"
            )
    return ""


def _groups(archives: Sequence[Archive]) -> list[list[Archive]]:
    """Return the archives with lock files, those of one set together, the newest last."""
    groups: dict[str, list[Archive]] = {}
    for archive in archives:
        if archive.lock_sha256:
            # A set has an archive of one name from each host; bundles of the set have another name.
            key = f"{archive.of_set}\0{archive_name(archive.path)}" if archive.of_set else archive.path
            groups[key] = [*groups.pop(key, []), archive]
    return [*groups.values()]


def _answers_last(groups: Sequence[list[Archive]], archives: Sequence[Archive]) -> list[list[Archive]]:
    """Move bundles with what was asked for behind the others, which the user knows by their names."""
    return sorted(groups, key=lambda group: any(is_answer(one, archives) for one in group))


def _readable(paths: Iterable[str]) -> list[Receipt]:
    """Return the receipts that are there."""
    found: list[Receipt] = []
    for path in paths:
        with suppress(LockFileError, OptionError):
            receipt = read_receipt(path)
            found += [] if receipt is None else [receipt]
    return found


def _seen_of(group: Sequence[Archive], archives: Sequence[Archive], loaded: Sequence[Loaded], options: Options) -> Seen:
    """Return what a run has seen of the archives of one receipt. What another archive has replaced was not seen."""
    contents = {image.reference: image_key(image) for archive in archives for image in archive.images}
    own = [image for archive in group for image in archive.images]
    same = {image.reference for image in own if contents[image.reference] == image_key(image)}
    there = [one for one in loaded if one.is_there and one.reference in same]
    return Seen(
        locks=tuple((os.path.basename(one.path), one.lock_sha256) for one in group),
        images={one.lock_sha256: {str(image.reference) for image in one.images} for one in group},
        asked={str(one.reference) for one in loaded},
        there={str(one.reference) for one in there},
        found={str(one.reference) for one in there if one.action == PRESENT},
        checked=options.rules.check_target,
        target=options.target_key,
    )
