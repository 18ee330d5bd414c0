# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that the files of a report are whole and belong together, by nothing but what docs/report.md says of them."""

from __future__ import annotations

import hashlib
import json


def sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def report_fits(page: bytes, table: bytes, facts: bytes, raw_lock: bytes) -> bool:
    """Return True if page, table and facts are as they were written, and belong to this lock file."""
    try:
        document = json.loads(facts)
        own = document.pop("sha256")
        rest = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
        return bool(
            own == sha256(rest)
            and json.dumps({**document, "sha256": own}, indent=2, ensure_ascii=False).encode() + b"\n" == facts
            and document["lock_sha256"] == sha256(raw_lock)
            and document["page_sha256"] == sha256(page)
            and document["table_sha256"] == sha256(table)
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
