# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lists on the controller that say which images are loaded."""

from __future__ import annotations

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.plugin_utils._carry.options import Options
from ansible_collections.airgap.images.plugins.plugin_utils._lists.selection import (
    Choice,
    Chosen,
    choose,
    source_of_file,
    source_of_items,
)
from ansible_collections.airgap.images.plugins.plugin_utils._stage.lists import contents_of
from ansible_collections.airgap.images.plugins.plugin_utils._stage.search import Find


def listed_on_controller(options: Options, find: Find) -> Chosen:
    """Read the references and lists on the controller.

    :returns: no line if there are no lists: then all images are loaded, or those of the lists on the host.
    :raises OptionError: when a file cannot be read, or there are lists, and none of them names an image.
    """
    sources = [source_of_items("image_load_images", [str(line) for line in options.images])]
    for path, raw in contents_of("image_load_list_files", options.list_files, find):
        sources.append(source_of_file(path, raw, options.list_format))
    chosen = choose(sources, Choice())
    if (options.images or options.list_files) and not chosen.lines and not options.remote_list_files:
        raise OptionError("There is nothing to load: image_load_images and image_load_list_files name no image.")
    return chosen
