# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does once what every task of a play would do again; this is a third of what a play costs.

Ansible forks a process for each task, which then imports what the task needs, and each run packs each module anew. So
the plugins are imported before the first fork, and what is packed is kept for the next run.
"""

from __future__ import annotations

import gc
import os
from typing import Any

from ansible import constants
from ansible.plugins import loader
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: forehanded
type: notification
short_description: Makes runs of tests cheaper
description:
  - Imports plugins before tasks are forked, and keeps packed modules in the directory E(FOREHANDED_MODULES).
author:
  - airgap.images contributors
"""

_FILTERS = ("merge_locks", "select_images", "share_images")
_ACTIONS = (
    *("assert", "command", "copy", "debug", "include_vars", "normal", "package", "raw", "set_fact"),
    *("validate_argument_spec", "airgap.images.image_fetch"),
)
_CONNECTIONS = ("local", "ssh")


class CallbackModule(CallbackBase):
    """Prepares a run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "forehanded"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        # Where Ansible looks for what it has packed; the directory above is of this run, and removed with the link.
        os.symlink(os.environ["FOREHANDED_MODULES"], os.path.join(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache"))
        for plugins in (loader.filter_loader, loader.test_loader):
            list(plugins.all())
        for name in _FILTERS:
            loader.filter_loader.get(f"airgap.images.{name}")
        for plugins, names in ((loader.action_loader, _ACTIONS), (loader.connection_loader, _CONNECTIONS)):
            for name in names:
                plugins.get(name, class_only=True)
        loader.become_loader.get("sudo", class_only=True)
        loader.shell_loader.get("sh", class_only=True)
        # Forks share what the collector of garbage leaves alone, and none of them lives for long.
        gc.collect()
        gc.freeze()
        gc.disable()
