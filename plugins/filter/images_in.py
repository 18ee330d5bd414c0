# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: images_in
short_description: Find the images that Kubernetes manifests name
version_added: 0.1.0
description:
  - Searches rendered manifests, as written by C(helm template) and C(kustomize build), for the images of all
    containers, init containers and ephemeral containers of any kind of resource, and of volumes.
  - In custom resources of well-known operators, every value of a key C(image) counts too, for example in a
    C(Prometheus) or in a C(Plan) of the system-upgrade-controller.
  - Comments, the data of a C(ConfigMap), schemas of a C(CustomResourceDefinition), arguments and environment variables
    are not searched.
  - Values that look like an image but are not valid references, and those of other custom resources, are listed
    separately.
author:
  - airgap.images contributors (@airgap-images)
positional: _input
options:
  _input:
    description:
      - The manifests. Each one is either a dictionary with C(name) and C(text), or a pair of a name and the bytes of a
        file in base64, as returned by M(ansible.builtin.slurp) (UTF-8 or UTF-16).
    type: list
    elements: raw
    required: true
"""

EXAMPLES = r"""
- name: Show the images of a chart
  ansible.builtin.debug:
    msg: "{{ ([{'name': 'rancher', 'text': lookup('ansible.builtin.pipe', 'helm template rancher-2.9.2.tgz')}]
             | airgap.images.images_in).images }}"
"""

RETURN = r"""
_value:
  description: The images that were found.
  type: dict
  contains:
    images:
      description: The references as they are written, each one once, in order.
      type: list
      elements: str
    origins:
      description: The file and line of each, such as C(rancher.yaml:212).
      type: list
      elements: str
    unread:
      description:
        - Values in places where an image is expected that were not used. Each one has C(file), C(document) (its number
          in the file, starting with 1), C(resource) (such as V(Deployment/rancher)), C(path), C(value) and C(reason).
      type: list
      elements: dict
"""

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, quoted
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import decode_list
from ansible_collections.airgap.images.plugins.plugin_utils._lists.manifest_images import Manifests
from ansible_collections.airgap.images.plugins.plugin_utils._lists.manifest_images import images_in as find


def images_in(sources: Iterable[object]) -> Any:
    """Return the images that manifests name, see DOCUMENTATION. The values are never treated as templates."""
    try:
        found = find([_read(source) for source in sources])
    except OptionError as error:
        raise AnsibleFilterError(f"images_in: {error}") from None
    return wrap_var(asdict(found))


def _read(values: object) -> Manifests:
    if isinstance(values, Mapping) and isinstance(values.get("name"), str) and isinstance(values.get("text"), str):
        return Manifests(values["name"], values["text"])
    if not isinstance(values, (list, tuple)) or len(values) != 2 or not isinstance(values[1], str):
        raise OptionError(
            f"manifests must be a name with a text, or a pair of a name and base64: {quoted(str(values))}"
        )
    try:
        return Manifests(str(values[0]), decode_list(base64.b64decode(values[1], validate=True)))
    except ValueError as error:
        raise OptionError(f"{quoted(str(values[0]))}: its content is not base64: {error}") from error


class FilterModule:
    """Provide the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"images_in": images_in}
