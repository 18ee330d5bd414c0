# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Failures whose message is on the screen once.

ansible-core 2.19 and later show the message of a failed task twice: as an error with the task's place in the role, and
in the result below it. A failure that is raised can do without the first one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure


class ShownOnce(AnsibleActionFail):
    """The failure of a task, shown as its result alone."""

    @property
    def omit_exception_key(self) -> bool:
        """True, so that the result has no C(exception), which is what callbacks show as an error."""
        return True


class UnreachableOnce(AnsibleConnectionFailure):
    """A host that cannot be reached, shown as the result of the task alone."""

    @property
    def omit_exception_key(self) -> bool:
        """True, as for :class:`ShownOnce`."""
        return True


@contextmanager
def unreachable_once() -> Iterator[None]:
    """Have a host that cannot be reached told once.

    :raises UnreachableOnce: instead of a failed connection whose message Ansible would show twice.
    """
    try:
        yield
    except AnsibleConnectionFailure as error:
        if not hasattr(AnsibleConnectionFailure, "omit_exception_key"):
            raise
        raise UnreachableOnce(str(error)) from None


def shown_once(result: dict[str, Any]) -> dict[str, Any]:
    """End a task with its result.

    :param result: with C(failed) and C(msg) if the task has failed.
    :returns: the same.
    :raises ShownOnce: instead, if it has failed and Ansible would show its message twice.
    """
    if result.get("failed") and hasattr(AnsibleActionFail, "omit_exception_key"):
        raise ShownOnce(str(result["msg"]), result=result)  # type: ignore[no-untyped-call]
    return result
