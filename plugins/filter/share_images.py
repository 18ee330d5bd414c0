# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: share_images
short_description: Distribute a list of image references over hosts
version_added: 0.1.0
description:
  - Assigns every reference to exactly one host. Images of the same repository stay together.
  - The host depends only on the repository and the names of the hosts, so an additional reference does not move any of
    the others.
author:
  - airgap.images contributors (@airgap-images)
positional: _input, hosts
options:
  _input:
    description:
      - The references, each one once.
    type: list
    elements: str
    required: true
  hosts:
    description:
      - Names of the hosts.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show what this host would save
  ansible.builtin.debug:
    msg: "{{ (references | airgap.images.share_images(ansible_play_hosts_all))[inventory_hostname] }}"
"""

RETURN = r"""
_value:
  description: The references of each host, in order. A host may have none.
  type: dict
"""

from collections.abc import Callable, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.plugin_utils._lists.sharing import share_out


def share_images(lines: Sequence[str], hosts: Sequence[str]) -> Any:
    """Distribute references over hosts, see DOCUMENTATION."""
    try:
        return wrap_var(share_out([str(line) for line in lines], [str(host) for host in hosts]))
    except OptionError as error:
        raise AnsibleFilterError(f"share_images: {error}") from None


class FilterModule:
    """Provide the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"share_images": share_images}
