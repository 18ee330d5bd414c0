#!/usr/bin/python
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The host's half. plugins/action/image_carry.py checks the variables and copies files, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_carry
short_description: Steps of the role image_load before loading
version_added: 1.1.0
description:
  - Does the steps of the role P(airgap.images.image_load#role) before loading. It is private to the role and may change
    at any time; call the role.
  - On the controller it checks the variables of the role, reads lists, and finds the files that are to be copied.
  - On the host it looks for libraries that are lacking.
author:
  - airgap.images contributors (@airgap-images)
attributes:
  check_mode:
    support: full
    description: Can run in check mode and return what would change without changing anything.
  diff_mode:
    support: none
    description: Returns details on what has changed (or would change in check mode) when in diff mode.
  action:
    support: full
    description: Indicates this has a corresponding action plugin so some parts of the options can be executed on the
      controller.
  async:
    support: none
    description: Supports being run with the C(async) keyword.
  idempotent:
    support: full
    description: When run twice in a row outside of check mode, with the same arguments, the second run changes nothing.
  platform:
    support: full
    platforms: posix
    description: Target OS that can be operated against.
options:
  step:
    description:
      - The step of the role, done by the controller.
      - V(validate) checks the variables, and reads the lists on the controller. It does not contact the host.
      - V(probe) finds out what the host lacks.
    type: str
    choices: [validate, probe]
  variables:
    description:
      - Name of the variable with the options of the role. It is given by name because Ansible can show arguments.
    type: str
  types:
    description:
      - Types of the role's variables, for O(step=validate).
    type: dict
    default: {}
  libraries:
    description:
      - Python libraries that are needed, for O(step=probe).
    type: list
    elements: str
    default: []
  src:
    description:
      - Paths of archives on the host. Given by the controller. If any of them is in zstd, C(zstandard) is needed.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Load images from a stick, which checks the variables first
  ansible.builtin.include_role:
    name: airgap.images.image_load
  vars:
    image_load_src: [/media/usb]
    image_load_registry: registry.lan:5000
"""

RETURN = r"""
call:
  description: What only the hosts of this call of the role have in common.
  returned: with O(step=validate)
  type: str
lines:
  description: The references of the lists on the controller.
  returned: with O(step=validate)
  type: list
  elements: str
origins:
  description: Where each of them is in the lists of the user.
  returned: with O(step=validate)
  type: list
  elements: str
lacking:
  description: The Python libraries that the host lacks.
  returned: with O(step=probe)
  type: list
  elements: str
"""

import importlib.util
import os
import sys

from ansible.module_utils.basic import AnsibleModule

ZSTANDARD = "zstandard"
_SUFFIX = ".tar.zst"


def lacking(libraries: list[str], sources: list[str]) -> list[str]:
    """Find out which libraries are lacking for the interpreter that runs this.

    :param sources: paths of archives; if any of them is in zstd, its library is needed as well.
    """
    needed = [*libraries, *([ZSTANDARD] if any(map(has_zstd, sources)) else [])]
    return [name for name in dict.fromkeys(needed) if importlib.util.find_spec(name) is None]


def has_zstd(path: str) -> bool:
    """Return True if a path is that of an archive in zstd, or of a directory with one, by their names."""
    if _SUFFIX in os.path.basename(path):
        return True
    try:
        return any(_SUFFIX in name for name in os.listdir(path))
    except OSError:  # a file, or nothing yet
        return False


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "step": {"type": "str", "choices": ["validate", "probe"]},
            "variables": {"type": "str"},
            "types": {"type": "dict", "default": {}},
            "libraries": {"type": "list", "elements": "str", "default": []},
            "src": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    module.exit_json(
        changed=False,
        uid=os.geteuid(),
        lacking=lacking(module.params["libraries"], module.params["src"]),
        python=sys.executable,
        python_version=".".join(str(number) for number in sys.version_info[:2]),
    )


if __name__ == "__main__":
    main()
