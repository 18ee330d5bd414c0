# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports what ``image_save`` imports once it has something to do; a fork server runs this before its first fork.

These imports would be a fifth of a run that saves one small image.
"""

from __future__ import annotations

import importlib
from pathlib import Path

PACKAGE = "ansible_collections.airgap.images.plugins.module_utils"

for _name in ("csv", "encodings.utf_16_le", "html", "tarfile"):
    importlib.import_module(_name)

_utils = Path(__file__).resolve().parents[2] / "plugins" / "module_utils"
for _path in sorted(_utils.rglob("*.py")):
    importlib.import_module(".".join([PACKAGE, *_path.relative_to(_utils).with_suffix("").parts]))
