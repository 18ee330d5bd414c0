# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The receipts of a load: one for each lock file, or for the lock files of a set, as each is carried back by itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from .._archive.lock import image_key
from .._archive.names import archive_name
from .._archive.receipt import Receipt, confirmation_of, receipt_of
from .._base.errors import LockFileError, OptionError
from .._base.json import Json
from .._oci.reference import Reference
from .._source.archive import Archive
from .beside import beside
from .chain import is_answer
from .options import Options
from .receipt_file import read_receipt, update_receipt
from .result import Loaded


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

    Nothing is written for archives of which the run saw nothing, unless a receipt is there that says more.

    :param archives: in the order of their chain.
    :returns: whether any is (or would be) different, and the receipts, the one at the path itself first.
    :raises OptionError: when no archive has a lock file, or something else has the place of a receipt.
    :raises StorageError: when one cannot be written.
    """
    path = options.receipt or ""
    groups = _groups(archives)
    if not groups:
        raise OptionError(f"receipt: {path} was not written, as no archive in src has a lock file that it could name")
    seen = _seen(archives, loaded)
    is_changed, kept = False, []
    for number, group in enumerate(_answers_last([*reversed(groups)], archives)):
        place = beside(path, group[0].lock_sha256) if number else path
        receipt = _receipt_for(group, seen, options)
        if not _names_something(receipt, group) and read_receipt(place) is None:
            continue
        is_new, there = update_receipt(place, receipt, check=options.check)
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


def _seen(archives: Sequence[Archive], loaded: Sequence[Loaded]) -> dict[Reference, object]:
    """Return the content by which each reference that the registry has now is known."""
    there = {one.reference for one in loaded if one.is_there}
    contents = {image.reference: image_key(image) for archive in archives for image in archive.images}
    return {reference: contents[reference] for reference in there}


def _receipt_for(group: Sequence[Archive], seen: dict[Reference, object], options: Options) -> Receipt:
    """Make the receipt for some archives. What another archive has replaced was not seen."""
    images = [image for archive in group for image in archive.images]
    lacking = {str(image.reference) for image in images if seen.get(image.reference) != image_key(image)}
    loaded = {str(image.reference) for image in images} - lacking
    return receipt_of(
        [(os.path.basename(one.path), one.lock_sha256) for one in group],
        checked=options.rules.check_target,
        target=options.target_key,
        loaded=loaded,
        lacking=lacking,
    )


def _names_something(receipt: Receipt, group: Sequence[Archive]) -> bool:
    """Return True if a receipt says that anything is there."""
    count = len({image.reference for archive in group for image in archive.images})
    return count > len(receipt.lacking) if receipt.lacking is not None else bool(receipt.loaded)
