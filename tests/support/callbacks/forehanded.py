# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does once what every task of a play would do again; this is a third of what a play costs.

Ansible forks a process for each task, which then imports what the task needs, and each run packs each module anew. So
the plugins are imported before the first fork, and what is packed is kept for the next run.

A module is packed as source, which the host compiles whenever it runs; that is half of what most modules do there. So
bytecode for the system's Python is packed too. Another Python takes the source.
"""

from __future__ import annotations

import atexit
import dataclasses
import gc
import os
import subprocess
import sys
import tempfile
import warnings
from typing import Any

from ansible import constants
from ansible.executor import module_common
from ansible.plugins import loader
from ansible.plugins.callback import CallbackBase
from ansible.utils.path import cleanup_tmp_file

DOCUMENTATION = """
name: forehanded
type: notification
short_description: Makes runs of tests cheaper
description:
  - Imports plugins before tasks are forked, and keeps packed modules in the directory E(FOREHANDED_MODULES).
author:
  - airgap.images contributors
"""

_FILTERS = ("images_in", "merge_locks", "select_images", "share_images")
_ACTIONS = (
    *("assert", "command", "copy", "debug", "fail", "include_vars", "normal", "package", "set_fact"),
    *("validate_argument_spec", "airgap.images.image_fetch", "airgap.images.image_save", "airgap.images.image_stage"),
)
_CONNECTIONS = ("local", "ssh")

_PYTHON = "/usr/bin/python3"
"""The interpreter that hosts run modules with."""

# From and to what Ansible keeps: a zip in base64. The header of bytecode is that of PEP 552, not to be checked.
_COMPILE = """
import base64, importlib.util, io, marshal, sys, zipfile
packed = io.BytesIO(base64.b64decode(sys.stdin.buffer.read()))
with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
    for member in [each for each in archive.infolist() if each.filename.endswith(".py")]:
        code = marshal.dumps(compile(archive.read(member), member.filename, "exec", dont_inherit=True))
        header = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8)
        compiled = zipfile.ZipInfo(member.filename + "c", member.date_time)
        archive.writestr(compiled, header + code, zipfile.ZIP_DEFLATED)
sys.stdout.buffer.write(base64.b64encode(packed.getvalue()))
"""

_keep = module_common._CachedModule.dump


def _keep_compiled(module: Any, path: str) -> None:
    """Keeps a module as Ansible does, with bytecode beside the source."""
    command = [_PYTHON, "-c", _COMPILE]
    done = subprocess.run(command, input=module.zip_data, capture_output=True, check=True)
    _keep(dataclasses.replace(module, zip_data=done.stdout), path)


def prepare() -> None:
    """Imports what the tasks of a play need."""
    for plugins in (loader.filter_loader, loader.test_loader):
        list(plugins.all())
    for name in _FILTERS:
        loader.filter_loader.get(f"airgap.images.{name}")
    for plugins, names in ((loader.action_loader, _ACTIONS), (loader.connection_loader, _CONNECTIONS)):
        for name in names:
            plugins.get(name, class_only=True)
    loader.become_loader.get("sudo", class_only=True)
    loader.shell_loader.get("sh", class_only=True)


def prepare_forks() -> None:
    """Imports it in a server of forks."""
    loader.init_plugin_loader()
    # Each fork would do this as well, and say so.
    warnings.filterwarnings("ignore", "AnsibleCollectionFinder has already been configured")
    prepare()


def _own_temporary_folder() -> None:
    """In a fork, makes a folder of its own instead of that of the server, which is not to be removed with it."""
    common = constants.DEFAULT_LOCAL_TMP
    if not os.path.basename(common).startswith(f"ansible-local-{os.getpid()}"):
        atexit.unregister(cleanup_tmp_file)
        own = tempfile.mkdtemp(prefix=f"ansible-local-{os.getpid()}", dir=os.path.dirname(common))
        atexit.register(cleanup_tmp_file, own, warn=True)
        constants.DEFAULT_LOCAL_TMP = own


def _look_at_own_outputs() -> None:
    """In a fork, finds out anew what was found out about the outputs of the server. Only the loader imports plugins."""
    screen = sys.modules["ansible_collections.airgap.images.plugins.plugin_utils._display.screen"]
    screen._IS_SHARED = screen._is_shared()


class CallbackModule(CallbackBase):
    """Prepares a run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "forehanded"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        _own_temporary_folder()
        # Where Ansible looks for what it has packed; the directory above is of this run, and removed with the link.
        os.symlink(os.environ["FOREHANDED_MODULES"], os.path.join(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache"))
        module_common._CachedModule.dump = _keep_compiled
        prepare()
        _look_at_own_outputs()
        # Forks share what the collector of garbage leaves alone, and none of them lives for long.
        gc.collect()
        gc.freeze()
        gc.disable()


if __name__ == "__main__":
    prepare_forks()
