#!/usr/bin/python
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The host's half: it looks at what there is. plugins/action/image_fetch.py fetches it, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_fetch
short_description: Bring an archive of container images from a host to the controller
version_added: 0.1.0
description:
  - Fetches what M(airgap.images.image_save) has written, parts, checksums, lock file, report and the script that
    restores it, and verifies every part against the sha256 in the lock file.
  - Says on standard error, while it works, which part is on its way, how many bytes have arrived, and how long it will
    take.
  - Files that are on the controller with the right sha256 are not transferred again. What arrives gets its final name
    only when everything is there and verified; a run that was interrupted goes on with the next file.
  - Files of an older archive of the same name are removed.
  - The host is not trusted. The controller asks for paths that it makes itself, of what the task says. Of each file it
    takes 64 MiB at most, or for a part what the lock file says where that is more, and that has to fit on its disk.
  - Files are always read by the user who logs in, also with C(become), under which M(ansible.builtin.fetch) holds whole
    files in memory at both ends. The compression of SSH is turned off for them, since nearly all of their bytes are
    compressed already. Memory does not grow with the size of the files.
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
      - Shows the files on the controller with their sha256.
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
  src:
    description:
      - Path of the archive on the host, with its suffix, absolute or beginning with V(~/). That is the home of the user
        who logs in, and is known with the connection plugins C(ssh) and C(local) only.
      - The suffix says what kind of archive it is, as O(airgap.images.image_save#module:compress) has it. Its lock file
        says how many parts it has, and is not believed when it names others than such an archive has.
      - Quotation marks, backslashes, control characters and V($) in it are refused.
      - Give the path itself, not what the host returned. Who has taken over a host must not choose paths.
      - Required without O(failed_list).
    type: path
  dest:
    description:
      - Directory on the controller; an absolute path, or one that begins with V(~). It is made if it is missing.
      - Quotation marks, backslashes and control characters in it are refused.
      - One task at a time brings an archive of one name to it; another one, such as that of another host, waits for up
        to ten minutes.
    type: path
    required: true
  failed_list:
    description:
      - Path of the list of what failed on the host, under the same rules as O(src). Where there is none, one on the
        controller is removed.
    type: path
  outdated:
    description:
      - Paths of files on the controller that are not true any more once this archive is another. They are removed just
        before the archive is replaced, and stay when nothing is.
    type: list
    elements: path
    default: []
  retries:
    description:
      - How often the transfer of a file is tried again, over a new connection.
    type: int
    default: 3
  retry_delay:
    description:
      - Seconds before the first retry; each further delay is twice as long, up to a minute.
    type: float
    default: 2.0
notes:
  - An option that is given as empty text or null means what it means where it is left out.
seealso:
  - module: airgap.images.image_save
"""

EXAMPLES = r"""
- name: Save the images on the host
  airgap.images.image_save:
    list_files:
      - /srv/airgap/rancher-images.txt
    dest: /srv/airgap/rancher-v2.7.9.tar.gz
    part_size: 4GB
    mode: "0644"
  become: true

# The path is written out, not taken from what the host returned.
- name: Fetch the archive
  airgap.images.image_fetch:
    src: /srv/airgap/rancher-v2.7.9.tar.gz
    dest: "~/media/{{ inventory_hostname }}"
"""

RETURN = r"""
msg:
  description: What happened, in a sentence.
  returned: success
  type: str
  sample: 2 files (4.1 GiB) fetched from build1 to /home/me/media/build1
dest:
  description: The directory on the controller.
  returned: success
  type: str
  sample: /home/me/media/build1
parts:
  description: The files of the archive on the controller, in their order.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Path of the file.
      type: str
    size:
      description: Its size in bytes.
      type: int
    sha256:
      description: Its sha256 in hex digits.
      type: str
  sample:
    - path: /home/me/media/build1/rancher-v2.7.9.tar.gz.part0
      size: 4294967296
      sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
checksum_file:
  description: Path of the checksums on the controller; none without O(src).
  returned: success
  type: str
  sample: /home/me/media/build1/rancher-v2.7.9.tar.gz.sha256
lock_file:
  description: Path of the lock file on the controller; none without O(src).
  returned: success
  type: str
  sample: /home/me/media/build1/rancher-v2.7.9.tar.gz.lock.json
report_file:
  description: Path of the report on the controller, a page for a browser; none without O(src).
  returned: success
  type: str
  sample: /home/me/media/build1/rancher-v2.7.9.tar.gz.report.html
table_file:
  description: Path of the same as a table (CSV) on the controller; none without O(src).
  returned: success
  type: str
  sample: /home/me/media/build1/rancher-v2.7.9.tar.gz.report.csv
facts_file:
  description: Path of what the report says beyond the lock file, as JSON, on the controller; none without O(src).
  returned: success
  type: str
  sample: /home/me/media/build1/rancher-v2.7.9.tar.gz.report.json
restore_file:
  description: Path of the script that checks and unpacks the archive on the controller; none without O(src).
  returned: success
  type: str
  sample: /home/me/media/build1/rancher-v2.7.9.tar.gz.restore.sh
failed_list:
  description: Path of the list of what failed on the controller; none where nothing failed.
  returned: success
  type: str
  sample: /home/me/media/build1/rancher-failed.txt
files:
  description: Paths of all of these.
  returned: success
  type: list
  elements: str
  sample:
    - /home/me/media/build1/rancher-v2.7.9.tar.gz.part0
    - /home/me/media/build1/rancher-v2.7.9.tar.gz.sha256
    - /home/me/media/build1/rancher-v2.7.9.tar.gz.lock.json
transferred:
  description: Names of the files that were transferred (in check mode, that would be).
  returned: success
  type: list
  elements: str
  sample: [rancher-v2.7.9.tar.gz.part0]
removed:
  description: Paths of the files of an older archive that were removed (in check mode, that would be).
  returned: success
  type: list
  elements: str
  sample: []
"""

import os
import stat

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.airgap.images.plugins.module_utils._archive.output import BESIDE
from ansible_collections.airgap.images.plugins.module_utils._host.files import sha256_of_open


class UnreadableError(Exception):
    """A file that this user cannot read, or that is none.

    :param name: what it was asked for as.
    """

    def __init__(self, path: str, *, name: str) -> None:
        super().__init__(f"{path} is no file that can be read")
        self.name = name


def look(path: str, *, name: str) -> dict[str, object] | None:
    """What a file is; C(None) where there is none.

    :param name: what it is asked for as.
    :raises UnreadableError: when it is not this user's to read.
    :raises OSError: when it cannot be read otherwise.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UnreadableError(path, name=name)
        with open(path, "rb") as file:
            sha256 = sha256_of_open(file)
            size = file.tell()
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise UnreadableError(path, name=name) from error
    return {"size": size, "sha256": sha256}


def survey(src: str | None, failed_list: str | None) -> dict[str, dict[str, object] | None]:
    """What there is of an archive's small files, and of the list of what failed.

    :raises UnreadableError: when one is not this user's to read.
    :raises OSError: when one cannot be read otherwise.
    """
    paths = {name: f"{src}{suffix}" for name, suffix in BESIDE.items()} if src else {}
    if failed_list:
        paths["failed_list"] = failed_list
    return {name: look(path, name=name) for name, path in paths.items()}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path"},
            "dest": {"type": "path", "required": True},
            "failed_list": {"type": "path"},
            "outdated": {"type": "list", "elements": "path", "default": []},
            "retries": {"type": "int", "default": 3},
            "retry_delay": {"type": "float", "default": 2.0},
        },
        required_one_of=[("src", "failed_list")],
        supports_check_mode=True,
    )
    try:
        found = survey(module.params["src"], module.params["failed_list"])
    except UnreadableError as error:
        module.fail_json(msg=str(error), unreadable=error.name)
    except OSError as error:
        module.fail_json(msg=f"{error.filename or 'a file'} cannot be read: {error.strerror}")
    module.exit_json(changed=False, found=found)


if __name__ == "__main__":
    main()
