# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Environment variables that stand for options of a module."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

from ansible.module_utils.common.parameters import env_fallback


def text_of_environment(*names: str) -> str:
    """Read the first of these variables that is set. Ansible writes them in UTF-8, whatever the locale of this host.

    :raises AnsibleFallbackNotFound: when none is set.
    """
    text = str(env_fallback(*names))
    try:
        return os.fsencode(text).decode("utf-8")
    except UnicodeDecodeError:  # somebody on this host wrote it
        return text


def forget(environ: MutableMapping[str, str], *names: str) -> None:
    """Remove variables once they were read: no program that a run starts has any use for them."""
    for name in names:
        environ.pop(name, None)
