# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Imports from the zip file in which Ansible sends a module.

There is no bytecode in it, so Python compiles each file. Its importer for zip files does so twice: the first time only
to find out the file's name. For the 200 files of a module, this is a quarter of a second on the host, in every task.
"""

from __future__ import annotations

import os
import sys
import zipimport


class CompilingOnce(zipimport.zipimporter):
    """The importer for zip files, which finds out the name of a file without compiling it."""

    def get_filename(self, fullname: str) -> str:
        """Return the path of a module.

        :raises ZipImportError: when the zip file does not have it.
        """
        name = fullname.rpartition(".")[2]
        file = os.path.join(name, "__init__.py") if self.is_package(fullname) else f"{name}.py"
        return os.path.join(self.archive, self.prefix, file)


def compile_once() -> None:
    """Import from zip files that way from here on."""
    slow = [path for path, importer in sys.path_importer_cache.items() if type(importer) is zipimport.zipimporter]
    if slow:
        sys.path_hooks.insert(0, CompilingOnce)
    for path in slow:
        del sys.path_importer_cache[path]
