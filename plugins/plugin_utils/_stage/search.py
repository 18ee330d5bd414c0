# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services of Ansible for the private actions of both roles: files beside the playbook, and the types of variables."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFileNotFound
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.path import unfrackpath

from ansible_collections.airgap.images.plugins.module_utils._base.empty import without_empty
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, printable
from ansible_collections.airgap.images.plugins.plugin_utils._stage.checks import Play

Find = Callable[[str], "str | None"]
"""Returns the path of a file on the controller, or ``None`` if there is none."""


def find_beside(action: ActionBase, path: str) -> str | None:
    """Find a file on the controller as the module copy does, or return None."""
    searched = action._task.get_search_path()
    for name in (os.path.join("files", path), os.path.expanduser(path)):
        try:
            found = action._loader.path_dwim_relative_stack([*searched, action._loader.get_basedir()], "files", name)
        except AnsibleFileNotFound:
            continue
        return str(unfrackpath(found, follow=False))
    return None


def check_types(action: ActionBase, variables: Mapping[str, Any]) -> None:
    """Check the types of the variables that have a value.

    :param action: its argument C(types) has the types by the names of the variables.
    :param variables: of the task.
    :raises OptionError: names those that are of another type.
    """
    types = action._task.args["types"]
    given = without_empty(action._templar.template({name: variables[name] for name in types}), types)
    errors = ArgumentSpecValidator(types).validate(given).error_messages
    if errors:
        raise OptionError("\n".join(printable(str(error), 1000) for error in errors))


def play_of(variables: Mapping[str, Any]) -> Play:
    """Return the hosts of the play of a task.

    :param variables: of the task.
    """

    def names(variable: str) -> list[str]:
        return [str(name) for name in variables[variable]]

    return Play(
        host=str(variables["inventory_hostname"]),
        running=names("ansible_play_hosts"),
        batch=names("ansible_play_batch"),
        all=names("ansible_play_hosts_all"),
        inventory=[str(name) for name in variables.get("groups", {}).get("all", [])],
    )
