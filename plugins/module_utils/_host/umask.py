# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may read what a run makes: the user's own umask says so, also where the run is a job.

Ansible's starter of jobs sets umask 022. So the shell on the host notes the user's own in the environment before it
runs that starter, and the module takes it from there.
"""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping

_NOTED = "AIRGAP_IMAGES_UMASK"
TO_NOTE = f"{_NOTED}=$(umask)"
"""What a POSIX shell is to read before the command that starts a job."""

_OTHERS_WRITE = 0o002


def settle_umask(environ: MutableMapping[str, str]) -> None:
    """Set the umask that was noted, if one was, and let nobody but owner and group write in any case.

    :param environ: where it was noted; it is removed, as what runs for us has no use for it.
    """
    noted = environ.pop(_NOTED, "")
    own = int(noted, 8) if re.fullmatch("0?[0-7]{1,3}", noted) else os.umask(0o077)
    os.umask(own | _OTHERS_WRITE)
