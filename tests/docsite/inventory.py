# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory of Ansible's own documentation for Sphinx, so that references to it become links without network."""

from __future__ import annotations

import pkgutil
import zlib
from pathlib import Path

import ansible.modules

NAME = "ansible.inv"

# Labels that antsibull-docs refers to, and where they are below https://docs.ansible.com/projects/ansible/latest/
LABELS = {
    "action_plugins": "plugins/action.html#action-plugins",
    "ansible_configuration_settings": "reference_appendices/config.html#ansible-configuration-settings",
    "common_return_values": "reference_appendices/common_return_values.html#common-return-values",
}


def write_inventory(folder: Path) -> None:
    """Write an inventory of these labels and of ansible-core's modules, in version 2 of Sphinx' format."""
    labels = dict(LABELS)
    for module in pkgutil.iter_modules(ansible.modules.__path__):
        page = f"collections/ansible/builtin/{module.name}_module.html"
        labels[f"ansible_collections.ansible.builtin.{module.name}_module"] = page
    lines = "".join(f"{label} std:label -1 {page} {label}\n" for label, page in sorted(labels.items()))
    header = "# Sphinx inventory version 2\n# Project: ansible\n# Version: \n# The rest is compressed using zlib.\n"
    (folder / NAME).write_bytes(header.encode() + zlib.compress(lines.encode()))
