#!/usr/bin/python
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The host's half. plugins/action/image_carry.py checks the variables and copies files, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_carry
short_description: Steps of the roles image_load and image_verify
version_added: 0.2.0
description:
  - Does the steps of the role P(airgap.images.image_load#role) around loading, and of the role
    P(airgap.images.image_verify#role) around verifying. It is private to the roles and may change at any time; call the
    roles.
  - On the controller it checks the variables of the role, reads lists, and finds the files that are to be copied.
  - On the host it looks for libraries that are lacking, and for files that are there already, and checks those that
    arrive.
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
      - V(send) copies files from the controller to the host.
      - V(check) checks the variables of the role P(airgap.images.image_verify#role).
      - V(request) writes request files on the controller.
      - V(collect) finds out which receipts and requests of a load are fetched to the controller, and removes those
        requests there that ask for nothing that is still missing.
    type: str
    choices: [validate, probe, send, check, request, collect]
  variables:
    description:
      - Name of the variable with the options of the role. It is given by name because Ansible can show arguments.
    type: str
  types:
    description:
      - Types of the role's variables, for O(step=validate) and O(step=check).
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
  retries:
    description:
      - How often a transfer is tried again, for O(step=send).
    type: int
    default: 3
  retry_delay:
    description:
      - Seconds before the first retry. Each further delay is twice as long, up to a minute.
    type: float
    default: 2.0
  path:
    description:
      - Path on the controller of a request file, or of a directory for them, for O(step=request).
    type: path
  requests:
    description:
      - What the hosts ask for, as RV(airgap.images.image_verify#module:requests) has it, for O(step=request).
    type: list
    elements: dict
    default: []
  directory:
    description:
      - Directory on the host to which files are copied. Given by the controller, as all of the following.
      - With O(step=collect), the directory on the controller with the copies of a host.
    type: path
  write:
    description:
      - Make O(directory) if it is missing.
    type: bool
    default: false
  files:
    description:
      - The files that are to be in O(directory), each with C(name), C(size) and C(sha256).
    type: list
    elements: dict
    default: []
  arrived:
    description:
      - Files that have arrived in O(directory), each with C(name), C(temporary) and C(sha256).
    type: list
    elements: dict
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
src:
  description: Paths on the host of the archives that were copied. With O(step=check), those of all archives.
  returned: with O(step=send) and O(step=check)
  type: list
  elements: str
files:
  description: Paths on the host of all their files.
  returned: with O(step=send)
  type: list
  elements: str
request_file:
  description: Path on the controller of the request file, or of a directory for them. Empty if none was asked for.
  returned: with O(step=check)
  type: str
request_files:
  description: Paths on the controller of the request files. In check mode, those that would be there.
  returned: with O(step=request)
  type: list
  elements: str
copies:
  description: The files that are fetched, each with C(src), its path on the host, and C(dest), its path on the
    controller.
  returned: with O(step=collect)
  type: list
  elements: dict
removed:
  description: Paths on the controller of requests that were removed, or would be in check mode.
  returned: with O(step=collect)
  type: list
  elements: str
told:
  description: The message of the load, with the paths of requests on the controller.
  returned: with O(step=collect)
  type: str
copied:
  description: How many files were copied, or would be in check mode.
  returned: with O(step=send)
  type: int
"""

import importlib.util
import os
import sys
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.airgap.images.plugins.module_utils._base.errors import SpaceError
from ansible_collections.airgap.images.plugins.module_utils._host.disk_errors import reason
from ansible_collections.airgap.images.plugins.module_utils._host.files import make_directories
from ansible_collections.airgap.images.plugins.module_utils._host.space import free_bytes, require
from ansible_collections.airgap.images.plugins.module_utils._host.verified_files import VerifiedFiles

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


def look(directory: str, files: list[dict[str, Any]], *, write: bool) -> list[int]:
    """Find the files that a directory lacks, or that are other ones there.

    :param write: make the directory if it is missing.
    :returns: their positions.
    :raises SpaceError: when there is no space for them.
    :raises OSError: when the directory cannot be made or read.
    """
    if write:
        umask = os.umask(0o022)  # for the user who loads
        try:
            make_directories(directory)
        finally:
            os.umask(umask)
    verified = VerifiedFiles(directory)
    missing = [number for number, file in enumerate(files) if not is_there(directory, file, verified)]
    if write:
        verified.save()
    needed = sum(int(files[number]["size"]) for number in missing)
    require(f"{directory} on the host", free_bytes(directory), needed, otherwise="or choose another directory")
    return missing


def is_there(directory: str, file: dict[str, Any], verified: VerifiedFiles) -> bool:
    """Return True if a directory has a file with this content; it is only read if it was touched."""
    path = os.path.join(directory, file["name"])
    try:
        return os.lstat(path).st_size == int(file["size"]) and verified.sha256(path) == file["sha256"]
    except OSError:
        return False


def receive(directory: str, *, name: str, temporary: str, sha256: str) -> bool:
    """Check a file that has arrived, and give it its name. One with another content is removed.

    :returns: whether it has the right content.
    :raises OSError: when it cannot be read or renamed.
    """
    path, final = os.path.join(directory, temporary), os.path.join(directory, name)
    verified = VerifiedFiles(directory)
    if verified.sha256(path) != sha256:
        os.unlink(path)
        return False
    os.chmod(path, 0o644)  # for the user who loads
    os.replace(path, final)
    verified.learn(final, sha256)
    verified.save()
    return True


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "step": {"type": "str", "choices": ["validate", "probe", "send", "check", "request", "collect"]},
            "variables": {"type": "str"},
            "types": {"type": "dict", "default": {}},
            "libraries": {"type": "list", "elements": "str", "default": []},
            "src": {"type": "list", "elements": "path", "default": []},
            "retries": {"type": "int", "default": 3},
            "retry_delay": {"type": "float", "default": 2.0},
            "path": {"type": "path"},
            "requests": {"type": "list", "elements": "dict", "default": []},
            "directory": {"type": "path"},
            "write": {"type": "bool", "default": False},
            "files": {"type": "list", "elements": "dict", "default": []},
            "arrived": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
    )
    directory, arrived = module.params["directory"], module.params["arrived"]
    found: dict[str, object] = {}
    try:
        if arrived:
            found["wrong"] = [number for number, file in enumerate(arrived) if not receive(directory, **file)]
        elif directory:
            found["missing"] = look(directory, module.params["files"], write=module.params["write"])
    except SpaceError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename or directory} on the host cannot be read or written: {reason(error)}")
    module.exit_json(
        **found,
        changed=False,
        uid=os.geteuid(),
        lacking=lacking(module.params["libraries"], module.params["src"]),
        python=sys.executable,
        python_version=".".join(str(number) for number in sys.version_info[:2]),
    )


if __name__ == "__main__":
    main()
