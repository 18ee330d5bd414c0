# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a task that modules with files have in common, as attributes of published files.

What flags of chattr(1) a file has is compared here and not by Ansible, which takes C(+i) for a change each time where a
filesystem sets flags of its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.basic import FILE_COMMON_ARGUMENTS, AnsibleModule

from .._base.errors import OptionError, StorageError, printable, quoted
from .attributes import PROTECTING, Attributes, NoAttributes
from .filesystem import filesystem_of

_FLAGS = re.compile(r"([-+=]?)([A-Za-z]*)")
_OF_THE_FILESYSTEM = frozenset("eEhINV")  # chattr(1): set or removed by the filesystem alone


@dataclass(frozen=True)
class Flags:
    """The flags that C(attributes) asks for.

    :param sign: ``+``, ``-`` or ``=``.
    """

    sign: str
    letters: frozenset[str]

    def removed(self, existing: frozenset[str]) -> frozenset[str]:
        """Return the flags to remove."""
        if self.sign == "=":
            return existing - self.letters - _OF_THE_FILESYSTEM
        return existing & self.letters if self.sign == "-" else frozenset()

    def added(self, existing: frozenset[str]) -> frozenset[str]:
        """Return the flags to add."""
        return frozenset() if self.sign == "-" else self.letters - existing


def parse_flags(text: str | None) -> Flags | None:
    """Read flags as chattr(1) takes them; none for an empty text.

    :raises OptionError: when it is anything else.
    """
    if not text:
        return None
    match = _FLAGS.fullmatch(text)
    if match is None:
        raise OptionError(f"attributes: {quoted(text)} are not valid flags; expected flags such as +S (see chattr(1))")
    return Flags(match.group(1) or "=", frozenset(match.group(2)))


def attributes_of(module: AnsibleModule) -> Attributes:
    """Return the attributes that a task asks for.

    :raises OptionError: when they cannot be given on this host.
    """
    names = FILE_COMMON_ARGUMENTS.keys() - {"unsafe_writes"}
    if module.selinux_enabled() or any(module.params[name] is not None for name in names):
        return TaskAttributes(module)
    return NoAttributes()  # a directory has thousands of files


def octal_mode(mode: object) -> int | None:
    """Return the bits of a numeric C(mode), as Ansible reads it; ``None`` for symbolic ones and none at all."""
    if isinstance(mode, int):
        return mode
    return int(mode, 8) if isinstance(mode, str) and re.fullmatch(r"0?o?[0-7]{3,4}", mode) else None


class TaskAttributes:
    """Gives what a task asks for, and changes nothing in check mode."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._flags = parse_flags(module.params["attributes"])
        programs = [module.get_bin_path(name) for name in ("chattr", "lsattr")] if self._flags else []
        if not all(programs):
            raise OptionError(
                "attributes: chattr and lsattr not found on the target; install e2fsprogs, or leave attributes out"
            )
        self._chattr = programs[0] if programs else ""

    def differ(self, path: str, final: str = "") -> bool:
        removed, added = self._flags_of(path)
        with self._only_looking():
            return bool(removed or added - PROTECTING) or self._give_by_ansible(path, final)

    def give(self, path: str, final: str = "") -> bool:
        removed, added = self._flags_of(path)
        added -= PROTECTING
        self._change_flags("-", removed, path)  # one of them may be what forbids the rest
        changed = self._give_by_ansible(path, final)
        self._change_flags("+", added, path)
        return changed or bool(removed or added)

    def lack_protection(self, path: str) -> bool:
        return bool(self._flags_of(path)[1] & PROTECTING)

    def protect(self, path: str) -> None:
        self._change_flags("+", self._flags_of(path)[1] & PROTECTING, path)

    def lift(self, path: str) -> None:
        if self._flags is not None:
            self._change_flags("-", self._existing(path) & PROTECTING, path)

    def frees(self, flags: frozenset[str]) -> bool:
        return flags <= (self._flags.removed(flags) if self._flags is not None else frozenset())

    def _give_by_ansible(self, path: str, final: str) -> bool:
        """All but flags; directories may also be entered by who may read them.

        Where files have neither mode nor owner, nothing is done: what check mode says is so as little as a change.
        """
        # SELinux has a default for each path, and that of a file on its way is none of ours.
        arguments: dict[str, Any] = self._module.load_file_common_arguments(self._module.params, path=final or path)
        arguments.update(path=path, attributes=None)
        if not filesystem_of(os.path.dirname(path)).has_modes:
            arguments.update(mode=None, owner=None, group=None)
        if arguments["mode"] is not None and os.path.isdir(path):
            bits = octal_mode(arguments["mode"])
            # A symbolic mode for files would take from directories what makes them usable.
            arguments["mode"] = None if bits is None else f"{bits | (bits & 0o444) >> 2:04o}"
        return bool(self._module.set_fs_attributes_if_different(arguments, False, expand=False))

    def _flags_of(self, path: str) -> tuple[frozenset[str], frozenset[str]]:
        """Return the flags to remove from a path, and those to add."""
        if self._flags is None:
            return frozenset(), frozenset()
        existing = self._existing(path)
        return self._flags.removed(existing), self._flags.added(existing)

    def _existing(self, path: str) -> frozenset[str]:
        return frozenset(self._module.get_file_attributes(path, include_version=False).get("attr_flags", ""))

    def _change_flags(self, sign: str, letters: Iterable[str], path: str) -> None:
        flags = sign + "".join(sorted(letters))
        if flags == sign or self._module.check_mode:
            return
        status, out, err = self._module.run_command([self._chattr, flags, path])
        if status != 0:
            said = printable((err or out).strip(), 300)
            raise StorageError(
                f"attributes: {path} cannot be given {flags}: {said}. Its filesystem may not support these flags, or "
                "this user may lack the permission; leave attributes out"
            )

    @contextmanager
    def _only_looking(self) -> Iterator[None]:
        was = self._module.check_mode
        self._module.check_mode = True
        try:
            yield
        finally:
            self._module.check_mode = was
