#!/usr/bin/python
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The host's half. plugins/action/image_stage.py checks, reads, chooses and merges, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_stage
short_description: Steps of the role image_save before and after saving
version_added: 0.1.0
description:
  - Does the steps of the role P(airgap.images.image_save#role) around saving, reports failures, and makes a set of the
    archives of several hosts at the end. It is private to the role and may change at any time; call the role.
  - On the controller it checks the variables of the role, reads lists and manifests, chooses the images, and shares
    them out over the hosts.
  - On the host it looks for what is lacking, reads lists, makes directories and writes the list of the images.
author:
  - airgap.images contributors (@airgap-images)
attributes:
  check_mode:
    support: full
    description: Can run in check mode and return what would change without changing anything.
  diff_mode:
    support: full
    description: Returns details on what has changed (or would change in check mode) when in diff mode.
    details:
      - Shows the list on the host, and what differs in the lock file of a set, by image and by file.
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
      - V(validate) checks the variables, and returns the paths that follow from them. It does not contact the host.
      - V(probe) finds out what the host lacks.
      - V(read) reads the lists of a host that shares its images with others.
      - V(stage) chooses the images of the host, and writes its list.
      - V(fail) fails, with one message for all hosts of this call on which the save has failed.
      - V(close) makes a set of the archives of all hosts. It does not contact the host.
    type: str
    choices: [validate, probe, read, stage, fail, close]
  variables:
    description:
      - Name of the variable with the options of the role. It is given by name because Ansible can show arguments, and
        these may hold secrets.
    type: str
  access:
    description:
      - Name of the variable with the options of M(airgap.images.image_sizes), for O(step=stage).
    type: str
  types:
    description:
      - Types of the role's variables, for O(step=validate).
    type: dict
    default: {}
  call:
    description:
      - What only the hosts of this call of the role have in common, for O(step=read), O(step=stage),
        O(step=fail) and O(step=close).
    type: str
  archives:
    description:
      - Path of the archive of each host, for O(step=close).
    type: dict
    default: {}
  done:
    description:
      - The hosts that have saved their shares, for O(step=close).
    type: list
    elements: str
    default: []
  failed:
    description:
      - The hosts that have failed to save their shares, for O(step=close).
    type: list
    elements: str
    default: []
  sharing:
    description:
      - The hosts whose archives were fetched, for O(step=close).
    type: list
    elements: str
    default: []
  needless:
    description:
      - The hosts that have nothing to carry because earlier archives have everything, for O(step=close).
    type: list
    elements: str
    default: []
  shares_file:
    description:
      - Path of a file on the controller with the shares of all hosts, for O(step=close).
    type: str
  is_current:
    description:
      - Whether the archives on the controller are those of the hosts, for O(step=close) in check mode.
    type: bool
    default: true
  program:
    description:
      - Name or path of skopeo, for O(step=probe).
    type: path
  libraries:
    description:
      - Python libraries that are needed, for O(step=probe).
    type: list
    elements: str
    default: []
  directory:
    description:
      - Directory of the archive on the host, to be inspected. Given by the controller, as all of the following.
    type: path
  write:
    description:
      - Make O(directory) if it is missing, and write O(list_file) if it is given.
    type: bool
    default: false
  must_be_open:
    description:
      - Write nothing if the user cannot enter O(directory).
    type: bool
    default: false
  archive:
    description:
      - Path of the archive on the host.
    type: path
  formerly:
    description:
      - Path that the archive had before the work was shared. If there is one, and none at O(archive), it is renamed.
    type: path
  list_file:
    description:
      - Path of the list on the host. Its directory is made if it is missing.
    type: path
  text:
    description:
      - Content of O(list_file).
    type: str
    default: ''
  files:
    description:
      - Contents of more files on the host, by their paths.
    type: dict
    default: {}
  lists:
    description:
      - Paths of files on the host to be read.
    type: list
    elements: path
    default: []
  download:
    description:
      - Make a temporary directory for downloads, and return its path.
    type: bool
    default: false
  downloaded:
    description:
      - Path of that directory. Its files are read, and it is removed.
    type: path
  downloads:
    description:
      - How many files there are in O(downloaded), named V(0), V(1) and so on.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Save images, which stages their list first
  ansible.builtin.include_role:
    name: airgap.images.image_save
  vars:
    image_save_images: [docker.io/library/alpine:3.20]
    image_save_dest: /srv/airgap/images.tar.gz
    image_save_fetch: false
"""

RETURN = r"""
call:
  description: What only the hosts of this call of the role have in common.
  returned: with O(step=validate)
  type: str
lacking:
  description: What the host lacks of C(skopeo) and the Python libraries.
  returned: with O(step=probe)
  type: list
  elements: str
count:
  description: How many images the host saves.
  returned: with O(step=stage)
  type: int
origins:
  description: Where each line of the host's list is in the lists of the user.
  returned: with O(step=stage)
  type: list
  elements: str
from_lock:
  description: Path of the lock file on the host that takes the place of a list; may be empty.
  returned: with O(step=stage)
  type: str
since:
  description: Paths of the files on the host that a bundle rests on.
  returned: with O(step=stage)
  type: list
  elements: str
missing:
  description: The images that no archive of the set has, by the host whose share they are.
  returned: with O(step=close), unless it fails
  type: dict
files:
  description: Paths of the files of the set on the controller.
  returned: with O(step=close), if the set is complete
  type: list
  elements: str
is_other_user:
  description: True if root or another user saves than the one who logs in.
  returned: with O(step=stage)
  type: bool
"""

import base64
import importlib.util
import os
import re
import shutil
import sys
import tempfile

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.airgap.images.plugins.module_utils._base.errors import StorageError
from ansible_collections.airgap.images.plugins.module_utils._publish.take_over import can_take_over, take_over

SKOPEO = "skopeo"
_OLDEST_SKOPEO = (1, 6)


def lacking(module: AnsibleModule, program: str, libraries: list[str]) -> list[str]:
    """Find out which programs and libraries are lacking for the interpreter that runs this.

    :returns: C(skopeo), when it is not there or too old, and names of libraries.
    """
    path = shutil.which(program)
    said = module.run_command([path, "--version"])[1] if path else ""
    version = re.search(r"version (\d+)\.(\d+)", said)
    is_usable = version is not None and (int(version.group(1)), int(version.group(2))) >= _OLDEST_SKOPEO
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    return missing if is_usable else [SKOPEO, *missing]


def look(directory: str) -> dict[str, bool]:
    """Inspect a directory: does it exist, and is it closed to this user, who then cannot tell what is in it?"""
    try:
        os.stat(directory)
    except FileNotFoundError:
        return {"exists": False, "is_closed": False}
    except OSError:
        return {"exists": True, "is_closed": True}
    return {"exists": True, "is_closed": not os.access(directory, os.X_OK)}


def read_lists(paths: list[str], *, option: str) -> list[str]:
    """Read files of the host.

    :param option: of the role, that they come from.
    :returns: what is in them, in base64.
    :raises StorageError: names the one that cannot be read.
    """
    found = []
    for path in paths:
        try:
            with open(path, "rb") as file:
                found.append(base64.b64encode(file.read()).decode("ascii"))
        except OSError as error:
            raise StorageError(f"{option}: cannot read {path} on the host: {error.strerror}") from error
    return found


def make_directory(path: str, mode: int) -> None:
    """Make a directory and those above it that are missing, each with this mode whatever the umask is.

    :raises OSError: when one cannot be made.
    """
    if os.path.isdir(path):
        return
    make_directory(os.path.dirname(path), mode)
    try:
        os.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):  # else another host on the same disk has made it meanwhile
            raise
        return
    os.chmod(path, mode)


class List:
    """The list on the host.

    :param path: of the file.
    :param text: what is to be in it.
    """

    def __init__(self, module: AnsibleModule, path: str, text: str) -> None:
        self._module = module
        self._path = path
        self._text = text
        self._before = self._read()

    def write(self) -> bool:
        """Write the file and make its directory, or in check mode find out if that would change anything.

        :returns: True if anything changed.
        :raises OSError: when that is not possible.
        """
        folder = os.path.dirname(self._path)
        differs = self._before != self._text.encode("utf-8", "surrogateescape")
        if self._module.check_mode:
            return differs or self._set_modes(folder, is_changed=False)
        os.makedirs(folder, exist_ok=True)
        is_changed = self._set_modes(folder, is_changed=False, only_folder=True)
        if differs:
            descriptor, temporary = tempfile.mkstemp(dir=self._module.tmpdir)
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._text.encode("utf-8", "surrogateescape"))
            self._module.atomic_move(temporary, self._path)
        return self._set_modes(folder, is_changed=is_changed or differs)

    def diff(self) -> dict[str, str]:
        """The text before and after, as Ansible shows it."""
        before = (self._before or b"").decode("utf-8", "replace")
        headers = {"before_header": self._path, "after_header": self._path}
        return {**headers, "before": before, "after": self._text}

    def _set_modes(self, folder: str, *, is_changed: bool, only_folder: bool = False) -> bool:
        if os.path.isdir(folder):
            is_changed = self._module.set_mode_if_different(folder, "u+rwx", is_changed)
        if not only_folder and os.path.exists(self._path):
            is_changed = self._module.set_mode_if_different(self._path, "0644", is_changed)
        return bool(is_changed)

    def _read(self) -> bytes | None:
        try:
            with open(self._path, "rb") as file:
                return file.read()
        except OSError:
            return None


def write(module: AnsibleModule, found: dict[str, bool]) -> dict[str, object]:
    """Make the directory of the archive if it is missing, take over an archive of another name, and write the list.

    :raises StorageError: when that is not possible.
    """
    directory, path = module.params["directory"], module.params["list_file"]
    is_missing, is_renamed, is_changed = not found["exists"], False, False
    staged = List(module, path, module.params["text"]) if path else None
    files = [List(module, name, text) for name, text in module.params["files"].items()]
    try:
        if is_missing and not module.check_mode:
            make_directory(directory, 0o755)
        is_renamed = rename(module)
        if staged:
            is_changed = staged.write()
        are_new = [file.write() for file in files]
    except OSError as error:
        raise StorageError(f"cannot write {error.filename or path} on the host: {error.strerror}") from error
    has_files = not (module.check_mode and any(are_new))
    is_any_changed = is_missing or is_renamed or is_changed or any(are_new)
    result: dict[str, object] = {"changed": is_any_changed, "has_files": has_files}
    if staged and is_changed and module._diff:
        result["diff"] = staged.diff()
    return result


def rename(module: AnsibleModule) -> bool:
    """Take over the archive of another name, if there is one, or in check mode find out if there is.

    :returns: True if anything changed, or would.
    :raises OSError: when it cannot be renamed.
    """
    formerly, archive = module.params["formerly"], module.params["archive"]
    if not formerly or not archive or not can_take_over(formerly, archive):
        return False
    if not module.check_mode:
        take_over(formerly, archive)
    return True


def run(module: AnsibleModule) -> dict[str, object]:
    """Do what the arguments ask for, in the order of a stage.

    :raises StorageError: when a list cannot be read, or a directory or the list cannot be written.
    """
    params = module.params
    result: dict[str, object] = {"changed": False, "uid": os.geteuid()}
    if params["program"]:
        result["lacking"] = lacking(module, params["program"], params["libraries"])
        result["python"] = sys.executable
        result["python_version"] = ".".join(str(number) for number in sys.version_info[:2])
    if params["downloaded"]:
        try:
            paths = [os.path.join(params["downloaded"], str(number)) for number in range(params["downloads"])]
            result["lists"] = read_lists(paths, option="image_save_list_urls")
        finally:
            shutil.rmtree(params["downloaded"], ignore_errors=True)
    else:
        result["lists"] = read_lists(params["lists"], option="image_save_remote_list_files")
    if params["download"]:
        result["download_dir"] = tempfile.mkdtemp(prefix="image-save-")
    if params["directory"]:
        found = look(params["directory"])
        result.update(found)
        if params["write"] and not (params["must_be_open"] and found["is_closed"]):
            result.update(write(module, found))
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "step": {"type": "str", "choices": ["validate", "probe", "read", "stage", "fail", "close"]},
            "variables": {"type": "str"},
            "access": {"type": "str"},
            "types": {"type": "dict", "default": {}},
            "call": {"type": "str"},
            "archives": {"type": "dict", "default": {}},
            "done": {"type": "list", "elements": "str", "default": []},
            "failed": {"type": "list", "elements": "str", "default": []},
            "sharing": {"type": "list", "elements": "str", "default": []},
            "needless": {"type": "list", "elements": "str", "default": []},
            "shares_file": {"type": "str"},
            "is_current": {"type": "bool", "default": True},
            "program": {"type": "path"},
            "libraries": {"type": "list", "elements": "str", "default": []},
            "lists": {"type": "list", "elements": "path", "default": []},
            "download": {"type": "bool", "default": False},
            "downloaded": {"type": "path"},
            "downloads": {"type": "int", "default": 0},
            "directory": {"type": "path"},
            "write": {"type": "bool", "default": False},
            "must_be_open": {"type": "bool", "default": False},
            "archive": {"type": "path"},
            "formerly": {"type": "path"},
            "list_file": {"type": "path"},
            "text": {"type": "str", "default": ""},
            "files": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except StorageError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
