# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run has seen of some archives, and what an earlier receipt adds to it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .._archive.receipt import DEPTHS, Receipt, receipt_of


@dataclass(frozen=True)
class Seen:
    """The images of archives that have one receipt, as a run has seen them.

    :param locks: the name of each archive's lock file, with the hex digits of its sha256.
    :param images: the references of each archive, by that sha256.
    :param asked: references that the run asked the registry for, those of other archives among them.
    :param there: those that the registry has now.
    :param found: those of them that it had before the run.
    :param checked: how far the run looked.
    :param target: digits that are other ones where images got other names.
    """

    locks: tuple[tuple[str, str], ...]
    images: Mapping[str, Collection[str]]
    asked: Collection[str]
    there: Collection[str]
    found: Collection[str]
    checked: str
    target: str

    def receipt(self, earlier: Iterable[Receipt] = ()) -> Receipt:
        """Return the receipt, with what earlier ones say of images that the run did not ask for.

        What it did ask for is as the run has seen it. Where an image was found in place, an earlier receipt may have
        looked further; of all images, the one that was looked at least decides.

        :param earlier: receipts of any archives and targets.
        """
        depths = dict.fromkeys(self.there, DEPTHS.index(self.checked))
        for receipt in earlier:
            for name in self._confirmed_by(receipt):
                if name in self.found or name not in self.asked:
                    depths[name] = max(depths.get(name, 0), DEPTHS.index(receipt.checked))
        return receipt_of(
            self.locks,
            checked=DEPTHS[min(depths.values())] if depths else self.checked,
            target=self.target,
            loaded=depths,
            lacking=self._everything - depths.keys(),
        )

    def after(self, earlier: Sequence[Receipt], before: Receipt | None) -> Receipt | None:
        """Return the receipt that replaces one; ``None`` if there is none, and nothing to say.

        :param earlier: receipts of other files.
        :param before: that one.
        """
        if before is not None:
            return self.receipt((*earlier, before))
        receipt = self.receipt(earlier)
        names_something = receipt.loaded if receipt.lacking is None else len(receipt.lacking) < len(self._everything)
        return receipt if names_something else None

    @property
    def _everything(self) -> set[str]:
        return {name for names in self.images.values() for name in names}

    def _confirmed_by(self, receipt: Receipt) -> set[str]:
        """Return the images that an earlier receipt names; none if it is about another target or other archives."""
        locks = {sha256 for _name, sha256 in receipt.lock_sha256}
        if receipt.target != self.target or not locks <= self.images.keys():
            return set()
        names = {name for sha256 in locks for name in self.images[sha256]}
        return names - {*(receipt.lacking or ())} if receipt.loaded is None else names & {*receipt.loaded}
