# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a comparison of an archive's files with their sizes and checksums finds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .._archive.names import archive_name
from .._base.json import Json
from .._source.find import FoundArchive
from .._source.joined import PartFile

OK, DAMAGED, MISSING, UNCHECKED = "ok", "damaged", "missing", "unchecked"
STATES = (OK, DAMAGED, MISSING, UNCHECKED)
"""How a file can be found. Unchecked: nothing is recorded of it, and something in the archive is damaged."""


@dataclass(frozen=True)
class Checked:
    """A file of an archive, and how it was found.

    :param state: one of :data:`STATES`.
    :param reason: what is wrong with it, as a clause with its name; empty if nothing is.
    :param found_size: bytes that it has; ``None`` if it is missing.
    :param found_sha256: hex digits; empty if it was not read, because its size is wrong or it cannot be read.
    :param mark: differs where the file was changed or replaced since.
    """

    part: PartFile
    state: str
    reason: str = ""
    found_size: int | None = None
    found_sha256: str = ""
    mark: str = field(default="", compare=False)

    @property
    def is_ok(self) -> bool:
        """True if the file is there, with the right bytes."""
        return self.state == OK

    def as_json(self) -> dict[str, Json]:
        """Return it as the module returns it."""
        return {
            "name": self.part.name,
            "path": self.part.path,
            "state": self.state,
            "reason": self.reason,
            "size": self.part.size,
            "sha256": self.part.sha256,
            "found_size": self.found_size,
            "found_sha256": self.found_sha256,
        }


@dataclass(frozen=True)
class CheckedArchive:
    """An archive, and how its files were found.

    :param parts: in their order.
    :param parity: its parity files.
    :param damage: what is wrong with an archive of which nothing is recorded; empty if nothing is, or it is known
        which part is damaged.
    """

    found: FoundArchive
    parts: tuple[Checked, ...]
    parity: tuple[Checked, ...] = ()
    damage: str = ""

    @property
    def path(self) -> str:
        """Names it for the user."""
        return self.found.path

    @property
    def name(self) -> str:
        """Name of the archive, without its directory."""
        return archive_name(self.found.path)

    @property
    def bad(self) -> tuple[Checked, ...]:
        """The parts that are damaged or missing."""
        return tuple(one for one in self.parts if one.state in (DAMAGED, MISSING))

    @property
    def is_whole(self) -> bool:
        """True if nothing is damaged or missing, apart from parity files."""
        return not self.bad and not self.damage


def named(names: Sequence[str], *, most: int = 5) -> str:
    """List the first of some names, and count the others."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
