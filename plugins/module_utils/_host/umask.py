# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The user's own umask, which decides who can read the files of a run, even if the task has ``async``.

Ansible's async wrapper sets umask 022. So the shell on the host records the user's own umask in the environment before
it starts that wrapper, and the module takes it from there.
"""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping

_NOTED = "AIRGAP_IMAGES_UMASK"
TO_NOTE = f"{_NOTED}=$(umask)"
"""The shell text that goes before the command of a task with ``async``."""

_OTHERS_WRITE = 0o002


def settle_umask(environ: MutableMapping[str, str]) -> None:
    """Set the umask that was recorded, if one was. In any case, only owner and group can write.

    :param environ: where it was recorded; it is removed, because programs that a run starts have no use for it.
    """
    noted = environ.pop(_NOTED, "")
    own = int(noted, 8) if re.fullmatch("0?[0-7]{1,3}", noted) else os.umask(0o077)
    os.umask(own | _OTHERS_WRITE)
