# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends skopeo to the mirror that an option names, under the name that the list has: containers-registries.conf(5).

With another ``location``, skopeo asks the mirror, with its login and certificates, while the reference, and so the
signature policy and the identity that a signature must have, stay those of the list.
"""

from __future__ import annotations

import os
import threading

from .._oci.reference import Repository


class MirrorFiles:
    """Writes a configuration for each repository of a mirror, when it is first needed.

    It names the repository in full: drop-in files are read as well, and the longest prefix counts.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._paths: dict[Repository, str] = {}

    def path(self, repository: Repository, directory: str) -> str:
        """Return the path of the file that leads to a repository.

        :param repository: a mirror of another.
        :param directory: where the file is made; belongs to this run alone, and is removed by its owner.
        """
        with self._mutex:
            if repository not in self._paths:
                path = os.path.join(directory, f"mirror-{len(self._paths) + 1}.conf")
                with open(path, "x", encoding="ascii") as file:
                    file.write(f'[[registry]]\nprefix = "{repository.stands_for}"\nlocation = "{repository}"\n')
                self._paths[repository] = path
            return self._paths[repository]
