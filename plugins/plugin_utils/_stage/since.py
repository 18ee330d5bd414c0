# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of a bundle on the controller: lock files and receipts, all of which every host gets."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from ansible_collections.airgap.images.plugins.module_utils._archive.base_files import GivenFile, archives_of
from ansible_collections.airgap.images.plugins.module_utils._archive.base_reading import files_of
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError, OptionError
from ansible_collections.airgap.images.plugins.plugin_utils._stage.checks import require_file

ERROR = "error"
_OPTION = "image_save_since"


def read_base(paths: Sequence[str], missing: str, find: Callable[[str], str | None]) -> tuple[list[GivenFile], str]:
    """Read the files, as the user who runs Ansible.

    :param missing: what happens if that is not possible: C(error), or C(full) for a full archive.
    :param find: returns the path of a file, or None if there is none.
    :returns: the files, or none and why the archive is full.
    :raises OptionError: says which file cannot be used.
    """
    try:
        files = files_of([require_file(_OPTION, path, find) for path in paths])
        archives_of(files)
    except OptionError as error:
        if missing == ERROR:
            raise
        return [], str(error)
    except LockFileError as error:
        if missing == ERROR:
            raise OptionError(f"{_OPTION}: {error}") from error
        return [], f"{_OPTION}: {error}"
    return files, ""


def staged_files(files: Sequence[GivenFile], directory: str) -> dict[str, str]:
    """Return the files as they are staged on a host: each in a directory of its own, as several may have one name.

    :param directory: on the host.
    :returns: their contents by their paths.
    """
    return {
        os.path.join(directory, str(number), os.path.basename(file.path)): file.raw.decode("utf-8", "surrogateescape")
        for number, file in enumerate(files, start=1)
    }
