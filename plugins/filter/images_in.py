# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: images_in
short_description: Find the images that Kubernetes manifests name
version_added: 0.1.0
description:
  - Looks through rendered manifests, as C(helm template) and C(kustomize build) write them, for the images of all
    containers, init containers and ephemeral containers, whatever the kind of the resource, and of volumes.
  - In custom resources of well-known operators every text under a key C(image) counts too, such as that of a
    C(Prometheus) or of a C(Plan) of the system-upgrade-controller.
  - Comments, texts of a C(ConfigMap), schemas of a C(CustomResourceDefinition), arguments and environment variables are
    not looked at.
  - Values that look like an image but are no reference, and those of other custom resources, are listed apart.
author:
  - airgap.images contributors (@airgap-images)
positional: _input
options:
  _input:
    description:
      - The manifests. Each is either a dictionary with C(name) and C(text), or a pair of a name and a file's bytes in
        base64, as M(ansible.builtin.slurp) returns them (UTF-8 or UTF-16).
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
  description: What was found.
  type: dict
  contains:
    images:
      description: The references, as they are written, each once, in their order.
      type: list
      elements: str
    unread:
      description:
        - What stands where an image is named, and was not taken for one. Each has C(file), C(document) (its number in
          the file, from 1), C(resource) (such as V(Deployment/rancher)), C(path), C(value) and C(reason).
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
    """See DOCUMENTATION. What comes from a manifest is never taken for a template."""
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
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"images_in": images_in}
