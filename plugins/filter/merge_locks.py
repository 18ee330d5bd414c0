# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: merge_locks
short_description: Merge the lock files of several hosts into one record
version_added: 0.1.0
description:
  - Merges lock files of M(airgap.images.image_save) into one with the same members, in which every image has its
    C(host), and parts are named by their paths below the directory of the set.
  - Fails if an image is in two of them, or if the list is not covered.
author:
  - airgap.images contributors (@airgap-images)
positional: _input
options:
  _input:
    description:
      - The texts of the lock files, with their paths below the directory of the set as keys, C(HOST/NAME.lock.json).
    type: dict
    required: true
  images:
    description:
      - The references that all lock files together have to account for.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Write the record of what two hosts have saved
  ansible.builtin.copy:
    content: "{{ {'one/images.tar.gz.lock.json': lookup('ansible.builtin.file', 'one/images.tar.gz.lock.json'),
                  'two/images.tar.gz.lock.json': lookup('ansible.builtin.file', 'two/images.tar.gz.lock.json')}
                 | airgap.images.merge_locks }}"
    dest: images.lock.json
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The text of the lock file of the set.
  type: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError
from ansible_collections.airgap.images.plugins.plugin_utils._lists.merged_lock import merge


def merge_locks(locks: Mapping[str, str], images: Sequence[str] = ()) -> Any:
    """Merge lock files, see DOCUMENTATION. The values are never treated as templates."""
    try:
        raw = {str(path): str(text).encode("utf-8", "surrogatepass") for path, text in locks.items()}
        return wrap_var(merge(raw, [str(image) for image in images]).decode("utf-8"))
    except LockFileError as error:
        raise AnsibleFilterError(f"merge_locks: {error}") from None


class FilterModule:
    """Provide the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., object]]:
        return {"merge_locks": merge_locks}
