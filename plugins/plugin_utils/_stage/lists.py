# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lists that a host saves from: references, files and manifests of the controller, files of the host."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import decode_list
from ansible_collections.airgap.images.plugins.plugin_utils._lists.manifest_images import Found, Manifests, images_in
from ansible_collections.airgap.images.plugins.plugin_utils._lists.selection import (
    Source,
    source_of_file,
    source_of_items,
)
from ansible_collections.airgap.images.plugins.plugin_utils._stage.checks import require_file
from ansible_collections.airgap.images.plugins.plugin_utils._stage.options import Options
from ansible_collections.airgap.images.plugins.plugin_utils._stage.search import Find

# Anything before the host's name or after a question mark may be a password.
_SECRET = re.compile(r"(?<=//)[^/?#]*@|[?#].*$")


def url_of(entry: str | Mapping[str, Any]) -> str:
    """The URL of an item of C(image_save_list_urls), which may hold a password."""
    return str(entry["url"] if isinstance(entry, Mapping) else entry)


def shown_url(entry: str | Mapping[str, Any]) -> str:
    """The URL of an item of C(image_save_list_urls), without anything that may be a password."""
    return _SECRET.sub("", url_of(entry))


def sources_of_host(options: Options, lists: Sequence[bytes], downloads: Sequence[bytes]) -> tuple[list[Source], ...]:
    """Name the lists that were read on the host.

    :param lists: contents of the files of C(remote_list_files), in their order.
    :param downloads: contents of the files of C(list_urls), in their order.
    :returns: those of either.
    """
    names = [shown_url(entry) for entry in options.list_urls]
    return (
        [source_of_file(path, raw, options.list_format) for path, raw in zip(options.remote_list_files, lists)],
        [source_of_file(name, raw, options.list_format) for name, raw in zip(names, downloads)],
    )


def sources_of_controller(options: Options, find: Find) -> tuple[list[Source], list[Source], Found]:
    """Read the references, lists and manifests of the controller, as the user who runs Ansible.

    :param find: returns the path of a file, or None if there is none.
    :returns: the references, the lists, and the images that the manifests name.
    :raises OptionError: when a file is not found, cannot be read, or is not a manifest.
    """
    images = [source_of_items("image_save_images", [str(line) for line in options.images])]
    lists = [
        source_of_file(path, raw, options.list_format)
        for path, raw in contents_of("image_save_list_files", options.list_files, find)
    ]
    manifests = contents_of("image_save_manifest_files", options.manifest_files, find)
    return images, lists, images_in(Manifests(path, decode_list(raw)) for path, raw in manifests)


def contents_of(option: str, paths: Iterable[str], find: Find) -> Iterable[tuple[str, bytes]]:
    """Read files of the controller.

    :param option: that names them.
    :returns: each path as it is given, and the content of the file.
    :raises OptionError: when a file is not found, or cannot be read.
    """
    for path in paths:
        found = require_file(option, path, find)
        try:
            with open(os.path.abspath(found), "rb") as file:
                yield path, file.read()
        except OSError as error:
            raise OptionError(f"{option}: cannot read {found} on the controller: {error.strerror}") from error
