# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths that users give."""

from __future__ import annotations

import sys

from .._base.checks import is_path
from .._base.errors import OptionError, quoted


def refuse_strange_path(option: str, value: str | None) -> None:
    """Refuse a path that no filesystem accepts, or that names another file than in Ansible's other modules.

    These encode file names in UTF-8; Python encodes them by the locale.

    :param option: the option's name, for the error.
    :raises OptionError: names the option, and says what to do.
    """
    if value is None:
        return
    encoding = sys.getfilesystemencoding()
    if encoding not in ("utf-8", "utf8") and not value.isascii():
        raise OptionError(
            f"{option}: {quoted(value)} contains non-ASCII characters, but Python on this host encodes file names as "
            f"{encoding}, because of its locale. Set LC_ALL=C.UTF-8 in the task's environment, or use a path in ASCII"
        )
    if not is_path(value):
        raise OptionError(f"{option}: {quoted(value)} is not a valid path: it contains what no file name can contain")
