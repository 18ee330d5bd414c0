#!/usr/bin/python
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The host's half: it inspects the files, and bundles small ones. plugins/action/image_fetch.py runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_fetch
short_description: Fetch an archive of container images from a host to the controller
version_added: 0.1.0
description:
  - Fetches the files that M(airgap.images.image_save) has written (parts, checksums, lock file, report and restore
    script), and verifies every part against the sha256 in the lock file.
  - While it works, it shows on standard error which part is being transferred, how many bytes have arrived, and the
    time left.
  - Files that are already on the controller with the right sha256 are not transferred again. Files get their final
    names only when everything has arrived and is verified. A run that was interrupted continues with the next file.
  - Small files are transferred together, if there are many. For that, the host collects up to 63 MiB of them at a time
    in Ansible's temporary directory, if that has enough free space, and if C(remote_tmp) is an absolute path or begins
    with V(~/).
  - Files of an older archive of the same name are removed.
  - The host is not trusted. The controller only asks for paths that it builds itself from the task's options. It
    accepts 64 MiB per file at most, or for a part the size in the lock file if that is larger, and needs free space for
    that.
  - Files are always read by the login user, even with C(become), with which M(ansible.builtin.fetch) holds whole files
    in memory on both sides. SSH compression is turned off for them, because nearly all of their content is already
    compressed. Memory use does not grow with the size of the files.
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
      - Shows the images that differ with their digests, and the files that differ with their size and sha256.
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
      - Path of the archive on the host, with its suffix, absolute or beginning with V(~/). V(~/) is the home of the
        login user, and is only supported with the connection plugins C(ssh) and C(local).
      - The suffix determines the kind of archive, as in O(airgap.images.image_save#module:compress). The lock file of
        the archive says how many parts there are, and is not trusted if it names files that such an archive does not
        have.
      - Quotation marks, backslashes, control characters and V($) are refused.
      - Use a fixed path, not one that the host returned. A compromised host must not choose paths.
      - Required unless O(failed_list) is set.
    type: path
  dest:
    description:
      - Directory on the controller, an absolute path or one that begins with V(~). It is created if it does not exist.
      - Quotation marks, backslashes and control characters are refused.
      - Only one task at a time fetches an archive of the same name to this directory. Another one, such as that of
        another host, waits for up to ten minutes.
    type: path
    required: true
  formerly:
    description:
      - The name that the archive had before. Files that are in O(dest) under this name with the right sha256 are
        renamed instead of transferred, and the rest of that archive is removed.
    type: str
  failed_list:
    description:
      - Path of the list of failed images on the host, with the same rules as for O(src). If it does not exist there,
        the one on the controller is removed.
    type: path
  outdated:
    description:
      - Paths of files on the controller that are no longer correct if this archive changes. They are removed just
        before the archive is replaced, and kept if nothing is replaced.
    type: list
    elements: path
    default: []
  only:
    description:
      - Numbers of the parts to fetch, from 0, if O(src) does not have the others, as in the directory that answers a
        request (O(airgap.images.image_save#module:request)).
      - By default, all parts and parity files are fetched.
    type: list
    elements: int
    default: []
  retries:
    description:
      - Number of retries for the transfer of a file, each over a new connection.
    type: int
    default: 3
  retry_delay:
    description:
      - Seconds before the first retry. Each further delay is twice as long, up to a minute.
    type: float
    default: 2.0
  bundle:
    description:
      - Small files beside O(src) that the host collects in one file. Set by the controller, and refused in a task.
    type: list
    elements: dict
    suboptions:
      name:
        description: Path of the file, relative to the directory of O(src).
        type: str
        required: true
      size:
        description: Its size in bytes. Files of another size are left out.
        type: int
        required: true
notes:
  - An option that is set to empty text or null has the same effect as one that is not set.
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
  description: What happened, in one sentence.
  returned: success
  type: str
  sample: 2 files (4.1 GiB) fetched from build1 to /home/me/media/build1
dest:
  description: The directory on the controller.
  returned: success
  type: str
  sample: /home/me/media/build1
parts:
  description: The files of the archive on the controller, in order. Empty if the archive is a directory; the lock file
    lists its files.
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
part_count:
  description: The number of files of the archive, those of a directory included.
  returned: success
  type: int
  sample: 2
parity_files:
  description: The files on the controller from which a lost part can be made again, if the archive has any.
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
    - path: /home/me/media/build1/rancher-v2.7.9.tar.gz.parity
      size: 4294967296
      sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
checksum_file:
  description: Path of the checksums on the controller. Null without O(src).
  returned: success
  type: str
  sample: /home/me/media/build1/rancher-v2.7.9.tar.gz.sha256
lock_file:
  description: Path of the lock file on the controller. Null without O(src).
  returned: success
  type: str
  sample: /home/me/media/build1/rancher-v2.7.9.tar.gz.lock.json
report_file:
  description: Path of the report on the controller, a page for a browser. Null without O(src).
  returned: success
  type: str
  sample: /home/me/media/build1/rancher-v2.7.9.tar.gz.report.html
table_file:
  description: Path of the same information as a table (CSV) on the controller. Null without O(src).
  returned: success
  type: str
  sample: /home/me/media/build1/rancher-v2.7.9.tar.gz.report.csv
facts_file:
  description: Path of the facts of the report that the lock file does not have, as JSON, on the controller. Not set
    without O(src).
  returned: success
  type: str
  sample: /home/me/media/build1/rancher-v2.7.9.tar.gz.report.json
restore_file:
  description: Path of the script on the controller that checks and unpacks the archive. Null without O(src).
  returned: success
  type: str
  sample: /home/me/media/build1/rancher-v2.7.9.tar.gz.restore.sh
failed_list:
  description: Path of the list of failed images on the controller. Null if nothing failed.
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
renamed:
  description:
    - Names of the files that were on the controller under another number, and were renamed instead of transferred (in
      check mode, that would be). With O(airgap.images.image_save#module:part_at=image), numbers shift when images come
      or go.
  returned: success
  type: list
  elements: str
  sample: []
removed:
  description: Paths of the files of an older archive that were removed (in check mode, that would be).
  returned: success
  type: list
  elements: str
  sample: []
"""

import errno
import os
import stat
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.airgap.images.plugins.module_utils._archive.bundle import BUNDLE, Member, size_of, write_bundle
from ansible_collections.airgap.images.plugins.module_utils._archive.output import BESIDE
from ansible_collections.airgap.images.plugins.module_utils._host.files import sha256_of_open
from ansible_collections.airgap.images.plugins.module_utils._host.space import free_bytes

_SPARED = 64 * 1024 * 1024
"""Bytes that a bundle leaves free on the host's disk."""


class UnreadableError(Exception):
    """A path is not a regular file, or this user cannot read it.

    :param name: the name by which the file was asked for.
    """

    def __init__(self, path: str, *, name: str) -> None:
        super().__init__(f"cannot read {path}: it is not a regular file, or permission was denied")
        self.name = name


def look(path: str, *, name: str) -> dict[str, object] | None:
    """Return the size and sha256 of a file; C(None) if it does not exist.

    :param name: the name by which it was asked for.
    :raises UnreadableError: when this user cannot read it.
    :raises OSError: when reading fails for another reason.
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
    """Inspect the files beside an archive, and the list of failed images.

    :returns: by the names of the files; C(None) for one that does not exist.
    :raises UnreadableError: when this user cannot read one.
    :raises OSError: when reading fails for another reason.
    """
    paths = {name: f"{src}{suffix}" for name, suffix in BESIDE.items()} if src else {}
    if failed_list:
        paths["failed_list"] = failed_list
    return {name: look(path, name=name) for name, path in paths.items()}


def collect(folder: str, files: Sequence[Mapping[str, Any]], directory: str) -> list[str]:
    """Write small files into one, for the action plugin to transfer.

    :param folder: the directory that they are in.
    :param files: their names and sizes, as the controller expects them.
    :param directory: where the bundle goes.
    :returns: the names of files that are not in it.
    :raises OSError: when it cannot be written, or would leave too little space to others.
    """
    members = [Member(file["name"], file["size"]) for file in files]
    if free_bytes(directory) < size_of(members) + _SPARED:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), directory)
    return write_bundle(os.path.join(directory, BUNDLE), folder, members)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path"},
            "dest": {"type": "path", "required": True},
            "formerly": {"type": "str"},
            "failed_list": {"type": "path"},
            "outdated": {"type": "list", "elements": "path", "default": []},
            "only": {"type": "list", "elements": "int", "default": []},
            "retries": {"type": "int", "default": 3},
            "retry_delay": {"type": "float", "default": 2.0},
            "bundle": {
                "type": "list",
                "elements": "dict",
                "options": {"name": {"type": "str", "required": True}, "size": {"type": "int", "required": True}},
            },
        },
        required_one_of=[("src", "failed_list")],
        supports_check_mode=True,
    )
    src, failed_list, files = (module.params[name] for name in ("src", "failed_list", "bundle"))
    try:
        if files:
            module.exit_json(changed=False, left_out=collect(os.path.dirname(src), files, module.tmpdir))
        module.exit_json(changed=False, found=survey(src, failed_list))
    except UnreadableError as error:
        module.fail_json(msg=str(error), unreadable=error.name)
    except OSError as error:
        module.fail_json(msg=f"cannot read or write {error.filename or 'a file'}: {error.strerror}")


if __name__ == "__main__":
    main()
