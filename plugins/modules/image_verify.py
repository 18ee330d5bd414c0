#!/usr/bin/python
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_verify
short_description: Verify archives of images that crossed an air gap, and repair them
version_added: 0.2.0
description:
  - Compares the files of archives that M(airgap.images.image_save) wrote with the sizes and sha256 of their lock files,
    or of their checksum files, and says which are damaged or missing, and which images need them.
  - With O(repair), parts are made again from parity files, if the archive was saved with them. With O(request_file),
    the rest is written to a file by which M(airgap.images.image_save) makes exactly these parts again.
  - The task fails if anything is damaged or missing at its end. A damaged parity file alone is only warned about.
  - Nothing is unpacked, and no registry is asked. M(airgap.images.image_load) checks each blob as well while it loads
    it. This module finds damage before anybody needs the images, and where nothing is loaded.
  - Sizes are compared first. Then the content is read, several files at a time where they are on different disks, or on
    a disk that does not have to seek.
author:
  - airgap.images contributors (@airgap-images)
requirements:
  - Python >= 3.9
  - zstandard, to find the images that need the lost parts of archives in zstd
attributes:
  check_mode:
    support: full
    description: Can run in check mode and return what would change without changing anything.
    details:
      - Reads and compares everything, and says which parts would be made again. The task does not fail because of
        these.
  diff_mode:
    support: none
    description: Returns details on what has changed (or would change in check mode) when in diff mode.
  action:
    support: full
    description: Indicates this has a corresponding action plugin so some parts of the options can be executed on the
      controller.
  async:
    support: full
    description: Supports being run with the C(async) keyword.
    details:
      - The task then runs as an ordinary module, and shows no progress.
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
      - Paths on the target of what was carried across. A path is that of a lock file, of an archive in one file, of a
        part, of a parity file, of an unpacked directory, or of a directory that holds any of these.
      - Files of one archive can be in several directories, such as those of several USB sticks. Name all of them. What
        is in none of them is missing.
      - Archives without a lock file are compared with their checksum file. Those that have neither, such as archives of
        hangar, are read from their beginning to their end, and the digest of each blob is checked.
    type: list
    elements: path
    required: true
  repair:
    description:
      - Whether to make lost parts again from parity files, which archives have that were saved with
        O(airgap.images.image_save#module:parity). From each parity file, one damaged or missing part of those that
        belong to it can be made again.
      - A part is made as a new file, which takes the place of the damaged one only if it has the sha256 of the lock
        file. A missing part is put beside the lock file. Whole parts are never touched.
      - The filesystem must be writable, and needs space for one part.
      - A damaged parity file is made again from the parts.
    type: bool
    default: false
  request_file:
    description:
      - Path of a file on the target that asks for what is damaged or missing, to be carried out. With it,
        M(airgap.images.image_save) makes exactly these parts again. It has no host, user, path or time in it.
      - The path of a directory that exists, or that ends with a slash, stands for a file C(NAME.request.json) in it for
        each archive. With several archives, it must be a directory.
      - If nothing is damaged or missing, the file is not created, and that of an earlier run is removed. A file that is
        not a request is never touched, and the task fails.
    type: path
  log_file:
    description:
      - Path of a file on the target to which a log is appended.
      - Nothing is logged in check mode.
    type: path
  progress_file:
    description:
      - Path of a file on the target in which the run reports its progress, for programs that follow it. It is a small
        JSON document that is rewritten every second, is always complete, and remains when the run has ended.
      - Nothing is written in check mode.
      - The task itself shows the progress on the controller, using a file of its own, unless it has C(async) or runs in
        check mode.
    type: path
  debug:
    description:
      - Log more, and return the last lines in RV(log).
    type: bool
    default: false
notes:
  - An option that is set to empty text or null has the same effect as one that is not set.
  - A stick that was written a moment ago is partly read from memory. Unmount it and mount it again to read the stick
    itself.
  - Checksums find damage, not fraud. Whoever can change the parts can change the lock file too. If the way across
    cannot be trusted, compare RV(archives[].lock_sha256) with the sha256 of the lock file on the other side.
seealso:
  - module: airgap.images.image_save
  - module: airgap.images.image_load
"""

EXAMPLES = r"""
- name: Verify everything on a USB stick
  airgap.images.image_verify:
    src:
      - /media/usb

- name: Make lost parts again, with the parity file on another stick, and ask for what cannot be made
  airgap.images.image_verify:
    src:
      - /srv/airgap/in
      - /media/parity
    repair: true
    request_file: /srv/airgap/out/
"""

RETURN = r"""
msg:
  description: What was found and done, in a sentence. If something is wrong, which parts and images are concerned, and
    what to do next.
  returned: always
  type: str
  sample: 'all 11 parts of rancher-v2.7.9.tar.gz are whole (40.1 GiB read)'
succeeded:
  description: Whether nothing is damaged or missing at the end.
  returned: when the archives could be read
  type: bool
  sample: true
notes:
  description: How far archives could be checked, where that is not in full.
  returned: when the archives could be read
  type: list
  elements: str
  sample: []
archives:
  description: The archives that were found, with their files.
  returned: when the archives could be read
  type: list
  elements: dict
  contains:
    path:
      description: Path of the lock file. Without one, that of the first part or of the directory.
      type: str
    lock_sha256:
      description: The sha256 of the lock file itself. Empty without one.
      type: str
    is_whole:
      description: Whether no part is damaged or missing.
      type: bool
    damage:
      description: What is wrong with an archive that has neither a lock file nor checksums. Empty for all others.
      type: str
    images_known:
      description: Whether it is known which images need what is lost. It is not for archives without a lock file, and
        for those whose lock file does not say where blobs are. These are archives with a C(compress_level), of earlier
        releases, and of hangar.
      type: bool
    parts:
      description: Its parts in their order. Of a directory, only the files that are not V(ok).
      type: list
      elements: dict
      contains:
        name:
          description: Name of the file. Of a directory, the path below it.
          type: str
        path:
          description: Where it was found. Empty if it is missing.
          type: str
        state:
          description: V(ok), V(damaged), V(missing), or V(unchecked) if nothing is recorded of it and something in the
            archive is damaged. A part that was made again is V(ok).
          type: str
        reason:
          description: What is wrong with it. Empty if nothing is.
          type: str
        size:
          description: Its bytes, as recorded.
          type: int
        sha256:
          description: Its sha256, as recorded. Empty if none is.
          type: str
        found_size:
          description: The bytes that it has. Null if it is missing.
          type: int
        found_sha256:
          description: The sha256 that it has. Empty if it was not read, because its size is wrong.
          type: str
    parity:
      description: Its parity files, described like its parts. One that is missing is not a failure.
      type: list
      elements: dict
  sample:
    - path: /media/usb/rancher-v2.7.9.tar.gz.lock.json
      lock_sha256: 0a94dc9d420d1142d6b71de60f9bf7e2f345a4d62c9f141b091539769ddf3075
      is_whole: false
      damage: ''
      images_known: true
      parts:
        - name: rancher-v2.7.9.tar.gz.part00
          path: /media/usb/rancher-v2.7.9.tar.gz.part00
          state: damaged
          reason: 'rancher-v2.7.9.tar.gz.part00 is damaged: it has 1073741824 bytes instead of 4294967296'
          size: 4294967296
          sha256: 8d7b3ea1c53dbbfa66cb4e0bb0ed4ab3f2a5e0e4a4d6d9f5f0c07cf6d3a8e101
          found_size: 1073741824
          found_sha256: ''
      parity: []
damaged_images:
  description: The images that need what is damaged or missing at the end. All images of an archive if it is not known
    which. Without a lock file, they are often not known at all.
  returned: when the archives could be read
  type: list
  elements: dict
  contains:
    reference:
      description: The normalised reference.
      type: str
    archive:
      description: The archive, as RV(archives[].path).
      type: str
    parts:
      description: Names of the damaged or missing parts that it needs.
      type: list
      elements: str
  sample: []
repaired:
  description: Paths of the files that were made again. In check mode, those that would be.
  returned: when the archives could be read
  type: list
  elements: str
  sample: []
requests:
  description: What is asked for of each archive with a lock file. It is returned without O(request_file) as well.
  returned: when the archives could be read
  type: list
  elements: dict
  contains:
    archive:
      description: Name of the archive.
      type: str
    lock_sha256:
      description: The sha256 of its lock file.
      type: str
    parts:
      description: Numbers of the parts, from 0, in the order of the lock file.
      type: list
      elements: int
    digests:
      description: Digests of blobs. Only of a directory, whose blobs are files.
      type: list
      elements: str
    is_directory:
      description: Whether the archive is a directory.
      type: bool
  sample:
    - archive: rancher-v2.7.9.tar.gz
      lock_sha256: 0a94dc9d420d1142d6b71de60f9bf7e2f345a4d62c9f141b091539769ddf3075
      parts: [0]
      digests: []
      is_directory: false
request_files:
  description: Paths of the files that ask for something. In check mode, those that would be there.
  returned: when the archives could be read
  type: list
  elements: str
  sample: [/srv/airgap/out/rancher-v2.7.9.tar.gz.request.json]
stats:
  description: Statistics of the run.
  returned: when the archives could be read
  type: dict
  contains:
    parts:
      description: Number of parts, or files of directories.
      type: int
    parts_bad:
      description: Number of those that are damaged or missing at the end.
      type: int
    bytes:
      description: Bytes that were read.
      type: int
    seconds:
      description: Wall time of each stage.
      type: dict
  sample:
    parts: 11
    parts_bad: 0
    bytes: 43057561600
    seconds: {read: 0.021, verify: 98.211, images: 0.0}
log:
  description: The last lines of the log.
  returned: when O(debug=true)
  type: list
  elements: str
  sample:
    - '2026-11-22T09:12:31.402Z ERROR rancher-v2.7.9.tar.gz.part03 is missing'
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.airgap.images.plugins.module_utils._host.payload import compile_once

compile_once()  # before everything that is to be imported that way
# isort: split

from ansible_collections.airgap.images.plugins.module_utils._base.errors import ImagesError
from ansible_collections.airgap.images.plugins.module_utils._host.disk_errors import reason
from ansible_collections.airgap.images.plugins.module_utils._host.job import as_job
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._host.module import Module, end, fail
from ansible_collections.airgap.images.plugins.module_utils._host.progress import PRIVATE
from ansible_collections.airgap.images.plugins.module_utils._host.signals import ignore_signals, stop_on_signals
from ansible_collections.airgap.images.plugins.module_utils._host.umask import settle_umask
from ansible_collections.airgap.images.plugins.module_utils._verify.task import do_task


def argument_spec() -> dict[str, dict[str, object]]:
    """The options, as DOCUMENTATION describes them."""
    return {
        "src": {"type": "list", "elements": "path", "required": True},
        "repair": {"type": "bool", "default": False},
        "request_file": {"type": "path"},
        "log_file": {"type": "path"},
        "progress_file": {"type": "path"},
        "debug": {"type": "bool", "default": False},
    }


def make_module() -> AnsibleModule:
    """Read the options."""
    return Module(argument_spec=argument_spec(), supports_check_mode=True)


def main() -> None:
    module = make_module()
    check, params = module.check_mode, module.params
    private = as_job(os.environ.pop(PRIVATE, None))
    settle_umask(os.environ)
    log = Log(debug=params["debug"])
    stop = stop_on_signals(keeps=False)
    try:
        result = do_task(params, private, check=check, log=log, stop=stop)
    except ImagesError as error:
        fail(module, log, str(error), changed=error.changed)
    except OSError as error:
        fail(module, log, f"{error.filename or 'a file'} cannot be read or written: {reason(error)}")
    ignore_signals()
    returned = result.as_returned(check=check)
    end(module, log, returned, warnings=[*result.warnings()], is_failure=result.is_failure)


if __name__ == "__main__":
    main()
