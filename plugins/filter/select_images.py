# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: select_images
short_description: Merge and filter lists of image references
version_added: 0.1.0
description:
  - Merges lists from several sources into one that has each reference once, as it is written.
  - Blank lines and comments are removed. Lines that are not valid references are kept, so that they are reported where
    the list is used.
author:
  - airgap.images contributors (@airgap-images)
positional: _input
options:
  _input:
    description:
      - The lists, in order. Each one is either a dictionary with C(name) and C(lines), or a pair of a name and the
        bytes of a file in base64, as returned by M(ansible.builtin.slurp) (UTF-8 or UTF-16).
    type: list
    elements: raw
    required: true
  list_format:
    description:
      - Format of the files, V(plain) or V(sources), as in M(airgap.images.image_save).
    type: str
    choices: [plain, sources]
    default: plain
  include:
    description:
      - Regular expressions. If any are given, only references that match at least one of them are selected.
      - They can match anywhere in the reference as it is written, or in its full form, such as
        V(docker.io/rancher/rancher:v2.7.9).
    type: list
    elements: str
    default: []
  exclude:
    description:
      - Regular expressions. References that match any of them are not selected. The same applies to lines that are not
        valid references.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Take Longhorn out of a list
  ansible.builtin.debug:
    msg: "{{ [{'name': 'references', 'lines': ['rancher/rancher:v2.7.9', 'longhornio/longhorn-ui:v1.4.3']}]
             | airgap.images.select_images(exclude=['longhornio/']) }}"
"""

RETURN = r"""
_value:
  description: The selected images.
  type: dict
  contains:
    lines:
      description: The selected lines, as they are written.
      type: list
      elements: str
    origins:
      description: Where each of these lines is, such as C(list.txt:12).
      type: list
      elements: str
    invalid:
      description: Those of them that are not valid references, each with C(origin), C(line) and C(reason).
      type: list
      elements: dict
    excluded:
      description: The references that were not selected, in their full form.
      type: list
      elements: str
    duplicates:
      description: Number of lines that repeat an image.
      type: int
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import PLAIN
from ansible_collections.airgap.images.plugins.plugin_utils._lists.selection import choose, compile_choice, read_source


def select_images(
    sources: Iterable[object], include: Iterable[str] = (), exclude: Iterable[str] = (), list_format: str = PLAIN
) -> Any:
    """Merge and filter lists, see DOCUMENTATION. The values are never treated as templates."""
    try:
        read = [read_source(source, list_format) for source in sources]
        chosen = choose(read, compile_choice(include, exclude))
    except OptionError as error:
        raise AnsibleFilterError(f"select_images: {error}") from None
    return wrap_var(asdict(chosen))


class FilterModule:
    """Provide the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"select_images": select_images}
