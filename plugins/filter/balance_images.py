# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: balance_images
short_description: Distribute a list of image references over hosts, with shares of equal size
version_added: 0.2.0
description:
  - Assigns every reference to exactly one host, so that all hosts have about the same number of bytes. A layer that
    images of several hosts have counts for each of them.
  - Images of the same repository stay together, unless a share would be larger than 1.15 times the mean because of
    that. Such a repository is split.
  - What a host has already, according to O(placed), stays there. New repositories go to the host with the fewest bytes.
    Images move only to hosts that are not in O(placed), until these have their share.
  - The result depends neither on the order of the references nor on that of the hosts.
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
  sizes:
    description:
      - The size of each image in bytes, by its reference, or a dictionary with the bytes of each of its layers by
        digest. An image without a size counts as the mean of its repository, or of all images.
      - Without any sizes, all hosts get about the same number of images.
    type: dict
    default: {}
  lock:
    description:
      - The text of a lock file of M(airgap.images.image_save), or of a set, that has sizes. Those in O(sizes) take
        precedence.
    type: str
  placed:
    description:
      - The references that each host has already, as this filter returned them. A host without any has an empty list.
    type: dict
    default: {}
seealso:
  - plugin: airgap.images.share_images
    plugin_type: filter
    description: Needs no sizes and no earlier result, and the shares are less even.
"""

EXAMPLES = r"""
- name: Show what this host would save
  ansible.builtin.debug:
    msg: "{{ (references | airgap.images.balance_images(ansible_play_hosts_all, lock=lock))[inventory_hostname] }}"
  vars:
    lock: "{{ lookup('ansible.builtin.file', 'media/images.lock.json') }}"

- name: Show what moves when the host west joins
  ansible.builtin.debug:
    msg: "{{ (references | airgap.images.balance_images(['north', 'east', 'west'], placed=before)).west }}"
  vars:
    before: "{{ references | airgap.images.balance_images(['north', 'east']) }}"
"""

RETURN = r"""
_value:
  description: The references of each host, in order. A host may have none.
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.airgap.images.plugins.module_utils._base.errors import ImagesError
from ansible_collections.airgap.images.plugins.plugin_utils._lists.balance_given import placed_of, sizes_of
from ansible_collections.airgap.images.plugins.plugin_utils._lists.balancing import balance

Size = Union[int, Mapping[str, int]]
"""Bytes, or bytes by digest."""


def balance_images(
    lines: Sequence[str],
    hosts: Sequence[str],
    sizes: Mapping[str, Size] = {},
    lock: str = "",
    placed: Mapping[str, Sequence[str]] = {},
) -> Any:
    """Distribute references over hosts, see DOCUMENTATION."""
    try:
        names = [str(host) for host in hosts]
        made = balance(
            [str(line) for line in lines], names, sizes=sizes_of(sizes, lock), placed=placed_of(placed, names)
        )
        return wrap_var(made.shares)
    except ImagesError as error:
        raise AnsibleFilterError(f"balance_images: {error}") from None


class FilterModule:
    """Provide the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"balance_images": balance_images}
