#!/usr/bin/python
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_sizes
short_description: Sizes of images, for the role image_save
version_added: 0.2.0
description:
  - Asks registries how large images are. It is private to the role P(airgap.images.image_save#role), which runs it on
    one host to share images out over several, and may change at any time; call the role.
  - It reads manifests, and keeps nothing.
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
    support: none
    description: Indicates this has a corresponding action plugin so some parts of the options can be executed on the
      controller.
  async:
    support: full
    description: Supports being run with the C(async) keyword.
  idempotent:
    support: full
    description: When run twice in a row outside of check mode, with the same arguments, the second run changes nothing.
  platform:
    support: full
    platforms: posix
    description: Target OS that can be operated against.
requirements:
  - requests (on the host)
options:
  images:
    description:
      - Image references.
    type: list
    elements: str
    required: true
  arch:
    description:
      - Architectures that count.
    type: list
    elements: str
    default: [amd64, arm64]
  os:
    description:
      - Operating systems that count.
    type: list
    elements: str
    default: [linux, windows]
  include_foreign_layers:
    description:
      - Count foreign layers as well.
    type: bool
    default: false
  cache_dir:
    description:
      - Directory with blobs of earlier runs. It is read only.
    type: path
    required: true
  registries:
    description:
      - See O(airgap.images.image_save#module:registries), as for all of the following.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description: See there.
        type: str
        required: true
      username:
        description: See there.
        type: str
      password:
        description: See there.
        type: str
      validate_certs:
        description: See there.
        type: bool
      ca_path:
        description: See there.
        type: path
      client_cert:
        description: See there.
        type: path
      client_key:
        description: See there.
        type: path
      mirror:
        description: See there.
        type: str
  username:
    description: See there.
    type: str
  password:
    description: See there.
    type: str
  authfile:
    description: See there.
    type: path
  source_registry:
    description: See there.
    type: str
  validate_certs:
    description: See there.
    type: bool
    default: true
  ca_path:
    description: See there.
    type: path
  client_cert:
    description: See there.
    type: path
  client_key:
    description: See there.
    type: path
  signature_policy:
    description: See there.
    type: path
  insecure_policy:
    description: See there.
    type: bool
    default: false
  jobs:
    description: See there.
    type: int
    default: 4
  retries:
    description: See there.
    type: int
    default: 3
  retry_delay:
    description: See there.
    type: float
    default: 2.0
  timeout:
    description: See there.
    type: int
    default: 3600
  stall_timeout:
    description: See there.
    type: int
    default: 120
  skopeo_path:
    description: See there.
    type: path
    default: skopeo
  debug:
    description: See there.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Share a list out over the hosts of the play, which asks for sizes
  ansible.builtin.include_role:
    name: airgap.images.image_save
  vars:
    image_save_distribute: true
    image_save_list_files: [images.txt]
    image_save_dest: /srv/airgap/images
    image_save_fetch_dest: /media
"""

RETURN = r"""
blobs:
  description: Digest and size of each blob.
  returned: always
  type: list
  elements: list
images:
  description: The blobs of each image whose registry has answered, as numbers of RV(blobs), by its reference in full.
  returned: always
  type: dict
problem:
  description: Why the first of the others has no size. Empty if all have.
  returned: always
  type: str
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.airgap.images.plugins.module_utils._base.errors import ImagesError
from ansible_collections.airgap.images.plugins.module_utils._host.disk_errors import reason
from ansible_collections.airgap.images.plugins.module_utils._host.environment import forget, text_of_environment
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._host.module import Module, fail, require_library
from ansible_collections.airgap.images.plugins.module_utils._host.signals import stop_on_signals
from ansible_collections.airgap.images.plugins.module_utils._http.transport import REQUESTS_ERROR
from ansible_collections.airgap.images.plugins.module_utils._save.sizes import read_question, sizes_of

OF_SAVES = {"lock_timeout": 0, "verify": "digest", "keep_cache": True, "prune_cache": False, "skopeo_copy": "auto"}
"""The options of a save that make no difference here."""


def argument_spec() -> dict[str, dict[str, object]]:
    """The options, as DOCUMENTATION describes them."""
    return {
        "images": {"type": "list", "elements": "str", "required": True},
        "arch": {"type": "list", "elements": "str", "default": ["amd64", "arm64"]},
        "os": {"type": "list", "elements": "str", "default": ["linux", "windows"]},
        "include_foreign_layers": {"type": "bool", "default": False},
        "cache_dir": {"type": "path", "required": True},
        "registries": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "host": {"type": "str", "required": True},
                "username": {"type": "str"},
                "password": {"type": "str", "no_log": True},
                "validate_certs": {"type": "bool"},
                "ca_path": {"type": "path"},
                "client_cert": {"type": "path"},
                "client_key": {"type": "path", "no_log": False},
                "mirror": {"type": "str"},
            },
        },
        "username": {"type": "str", "fallback": (text_of_environment, ["SOURCE_USERNAME"])},
        "password": {"type": "str", "no_log": True, "fallback": (text_of_environment, ["SOURCE_PASSWORD"])},
        "authfile": {"type": "path"},
        "source_registry": {"type": "str", "fallback": (text_of_environment, ["SOURCE_REGISTRY"])},
        "validate_certs": {"type": "bool", "default": True},
        "ca_path": {"type": "path"},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path", "no_log": False},
        "signature_policy": {"type": "path"},
        "insecure_policy": {"type": "bool", "default": False},
        "jobs": {"type": "int", "default": 4},
        "retries": {"type": "int", "default": 3},
        "retry_delay": {"type": "float", "default": 2.0},
        "timeout": {"type": "int", "default": 3600},
        "stall_timeout": {"type": "int", "default": 120},
        "skopeo_path": {"type": "path", "default": "skopeo"},
        "debug": {"type": "bool", "default": False},
    }


def make_module() -> AnsibleModule:
    """Read the options, and check them against each other."""
    return Module(
        argument_spec=argument_spec(),
        supports_check_mode=True,
        required_together=[("username", "password")],
    )


def main() -> None:
    module = make_module()
    forget(os.environ, "SOURCE_USERNAME", "SOURCE_PASSWORD")
    require_library(module, "requests", REQUESTS_ERROR)
    log = Log(debug=module.params["debug"])
    stop = stop_on_signals(keeps=False)
    try:
        found = sizes_of(read_question({**module.params, **OF_SAVES}), log=log, stop=stop)
    except ImagesError as error:
        fail(module, log, str(error))
    except OSError as error:
        fail(module, log, f"{error.filename or 'a file'} cannot be read or written: {reason(error)}")
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
