# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host as the user who logs in sees it, whatever the task becomes there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ansible.plugins.action import ActionBase


@contextmanager
def as_login(action: ActionBase) -> Iterator[None]:
    """Run what an action runs in the block as the user who logs in, as transfers of files always do."""
    connection = action._connection
    become = connection.become
    connection.set_become_plugin(None)  # type: ignore[arg-type]
    try:
        yield
    finally:
        # The other user may not be able to use the temporary directory of this one.
        action._remove_tmp_path(connection._shell.tmpdir)
        connection.set_become_plugin(become)  # type: ignore[arg-type]
