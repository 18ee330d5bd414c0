# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names and paths with a digest in them, in little memory. Pure.

A directory of ten thousand references has 130,000 files, and what is around the digests in their names is always the
same: ``share/sha256/DIGEST``, ``DIGEST/index.json``, ``DIGEST/oci-layout``.
"""

from __future__ import annotations

import re

_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


class DigestNames:
    """Takes names apart into the digest in them and their form, which is what is around it, and keeps the forms."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._forms: list[tuple[str, str]] = []

    def split(self, name: str) -> tuple[int, bytes]:
        """Return the number of a name's form, and its digest; of a name without a digest, no bytes."""
        found = _DIGEST.search(name)
        form = (name, "") if found is None else (name[: found.start()], name[found.end() :])
        number = self._numbers.setdefault(form, len(self._forms))
        if number == len(self._forms):
            self._forms.append(form)
        return number, b"" if found is None else bytes.fromhex(found.group())

    def join(self, number: int, digest: bytes) -> str:
        """Return the name that was taken apart into these."""
        before, behind = self._forms[number]
        return f"{before}{digest.hex()}{behind}"
