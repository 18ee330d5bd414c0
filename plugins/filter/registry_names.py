# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: registry_names
short_description: Name images in the registry that they were loaded into
version_added: 0.2.0
description:
  - Returns the names that M(airgap.images.image_load) gives to images, and files with which the nodes of a cluster find
    the images under their old names. Nothing is read and no registry is asked, so this works in any later play.
  - The options have the same meaning as those of M(airgap.images.image_load). Give it the same values.
author:
  - airgap.images contributors (@airgap-images)
positional: _input, registry
options:
  _input:
    description:
      - The references, such as the lines of a list. Blank lines and comments are left out.
    type: list
    elements: str
    required: true
  registry:
    description:
      - The registry that the images were loaded into, as O(airgap.images.image_load#module:registry).
    type: str
    required: true
  keep_registry:
    description:
      - As O(airgap.images.image_load#module:keep_registry).
    type: bool
    default: false
  rewrites:
    description:
      - As O(airgap.images.image_load#module:rewrites).
    type: list
    elements: dict
    default: []
    suboptions:
      from:
        description:
          - The beginning of names, with their registry.
        type: str
        required: true
      to:
        description:
          - The path that takes its place.
        type: str
        required: true
  plain_http:
    description:
      - Whether nodes use plain HTTP for the registry.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Have the nodes of an RKE2 cluster find the images under their old names
  ansible.builtin.copy:
    content: "{{ found.registries_yaml }}"
    dest: /etc/rancher/rke2/registries.yaml
    mode: "0600"
  vars:
    found: "{{ lookup('ansible.builtin.file', 'rancher-images.txt').splitlines()
               | airgap.images.registry_names('registry.lan:5000/mirror', keep_registry=true) }}"

- name: Show the name of one image in the registry of the site
  ansible.builtin.debug:
    msg: "{{ (['rancher/rancher:v2.7.9'] | airgap.images.registry_names('registry.lan:5000')).names.values() | first }}"
"""

RETURN = r"""
_value:
  description: The names and the files.
  type: dict
  contains:
    names:
      description: The new name of each reference, by the reference in its full form, such as
        C(docker.io/rancher/rancher:v2.7.9).
      type: dict
    registries_yaml:
      description: As RV(airgap.images.image_load#module:registries_yaml).
      type: str
    hosts_toml:
      description: As RV(airgap.images.image_load#module:hosts_toml).
      type: dict
    system_default_registry:
      description: As RV(airgap.images.image_load#module:system_default_registry).
      type: str
    notes:
      description: What these files cannot express, and references that get the same name.
      type: list
      elements: str
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.plugin_utils._lists.target_names import name_all, read_naming


def registry_names(
    lines: Sequence[str],
    registry: str,
    keep_registry: bool = False,
    rewrites: Iterable[object] = (),
    plain_http: bool = False,
) -> Any:
    """Name images in a registry, see DOCUMENTATION. The values are never treated as templates."""
    try:
        naming = read_naming(str(registry), keep_registry=bool(keep_registry), rewrites=rewrites)
        named = name_all([str(line) for line in lines], naming, is_plain=bool(plain_http))
    except OptionError as error:
        raise AnsibleFilterError(f"registry_names: {error}") from None
    return wrap_var(asdict(named))


class FilterModule:
    """Provide the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"registry_names": registry_names}
