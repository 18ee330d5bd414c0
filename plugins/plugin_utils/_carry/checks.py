# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the variables of the role image_load before anything is done. Pure but for the search for files."""

from __future__ import annotations

import os
import re

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, printable
from ansible_collections.airgap.images.plugins.module_utils._load.options import CONTAINERD_IMAGES
from ansible_collections.airgap.images.plugins.plugin_utils._carry.options import Options
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.names import check_remote
from ansible_collections.airgap.images.plugins.plugin_utils._stage.checks import Play, check_list, require_file
from ansible_collections.airgap.images.plugins.plugin_utils._stage.search import Find

_LISTS = ("src", "controller_src", "images", "list_files", "remote_list_files")


def check_options(options: Options, play: Play, find: Find) -> None:
    """Check everything that can be known without the host.

    :raises OptionError: names the variable, and says what is expected.
    """
    for name in _LISTS:
        check_list(f"image_load_{name}", getattr(options, name))
    _check_target(options)
    if not options.src and not options.controller_src:
        raise OptionError(
            "There is nothing to load: set image_load_src (paths on the host, such as the mount point of a stick) or "
            "image_load_controller_src (paths on the controller, to be copied to the host)."
        )
    for path in options.list_files:
        require_file("image_load_list_files", path, find)
    if options.poll <= 0:
        raise OptionError(
            "image_load_poll: expected the seconds between two checks of the job, at least 1, but it is "
            f"{options.poll}."
        )
    if options.controller_src:
        _check_staging(options)
    if options.distribute and not {*play.running} <= {*play.batch} <= {*play.all}:
        raise OptionError(
            "image_load_distribute: the images are shared out over all hosts of the play at the same time. It cannot "
            "be combined with serial."
        )


def _check_target(options: Options) -> None:
    if options.to == CONTAINERD_IMAGES:
        if not options.dest:
            raise OptionError(
                "image_load_dest: expected the path on the host of the file of images, such as "
                "/var/lib/rancher/k3s/agent/images/site.tar, but it is not set."
            )
    elif not options.registry:
        raise OptionError(
            "image_load_registry: expected the registry to load into, such as registry.lan:5000 or "
            "registry.lan:5000/mirror, but it is not set."
        )


def _check_staging(options: Options) -> None:
    for path in options.controller_src:
        if not os.path.exists(os.path.expanduser(path)) or not os.path.isabs(os.path.expanduser(path)):
            raise OptionError(
                f"image_load_controller_src: {printable(path)} not found on the controller; expected the absolute path "
                "of a lock file, an archive, a part, or a directory that holds any of these."
            )
    if not re.match(r"/.*[^/]$", options.staging_dir, re.DOTALL):
        raise OptionError(
            "image_load_staging_dir: expected the absolute path of a directory on the host, to which the files of "
            f"image_load_controller_src are copied, but it is {printable(options.staging_dir) or 'not set'}."
        )
    check_remote("image_load_staging_dir", options.staging_dir)
