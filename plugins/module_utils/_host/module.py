# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An Ansible module around an engine: how its options are read, and how it ends."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .._base.empty import without_empty
from .._base.secrets import Secrets
from .log import Log
from .signals import ignore_signals

_SENTENCES = frozenset({"msg", "reason", "notes", "sentence", "pattern"})
"""The return values that are made of sentences, wherever they are in a result."""


class Module(AnsibleModule):
    """A module for which an option without a value is one that is left out."""

    def _load_params(self) -> None:
        super()._load_params()  # type: ignore[no-untyped-call]
        self.params = without_empty(self.params, self.argument_spec)


def require_library(module: AnsibleModule, name: str, error: ImportError | None) -> None:
    """Fail with the interpreter's name if a library is missing.

    :param error: of its import; ``None``: it is there.
    """
    if error is not None:
        module.fail_json(msg=missing_required_lib(name), exception=str(error))


def fail(
    module: AnsibleModule,
    log: Log,
    message: str,
    *,
    changed: bool = False,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> NoReturn:
    """End a run that as a whole cannot go on.

    :param changed: whether something on disk that the user asked for is different all the same.
    :param more: other values that are returned.
    """
    ignore_signals()
    log.error(message)
    returned: dict[str, Any] = {**more, "msg": log.secrets.hide(message), "changed": changed}
    if module.params["debug"]:
        returned.update(log=log.lines, exception=log.secrets.hide(traceback.format_exc()))
    _warn_of_log(module, log)
    module.fail_json(**returned)


def end(
    module: AnsibleModule, log: Log, returned: Mapping[str, Any], *, warnings: Sequence[str], is_failure: bool
) -> NoReturn:
    """End a run that came to its end.

    :param returned: the return values. Secrets are hidden in their sentences, which may repeat a registry's.
    :param warnings: for the user.
    :param is_failure: whether the task fails all the same.
    """
    shown: dict[str, Any] = {
        key: without_secrets(value, log.secrets, is_sentence=key in _SENTENCES) for key, value in returned.items()
    }
    log.info(str(shown["msg"]))
    if module.params["debug"]:
        shown["log"] = log.lines
    for warning in warnings:
        module.warn(log.secrets.hide(warning))
    _warn_of_log(module, log)
    if is_failure:
        module.fail_json(**shown)
    module.exit_json(**shown)


def without_secrets(value: object, secrets: Secrets, *, is_sentence: bool = False) -> object:
    """Hide secrets in the sentences of a result. Names and paths stay as they are.

    :param is_sentence: whether the value is a sentence.
    :returns: the value itself if it shows none, as a list of ten thousand images would take its memory twice.
    """
    if isinstance(value, dict):
        members = {key: without_secrets(inner, secrets, is_sentence=key in _SENTENCES) for key, inner in value.items()}
        return value if all(members[key] is inner for key, inner in value.items()) else members
    if isinstance(value, list):
        shown = [without_secrets(inner, secrets, is_sentence=is_sentence) for inner in value]
        return value if all(one is inner for one, inner in zip(shown, value)) else shown
    return secrets.hide(value) if is_sentence and isinstance(value, str) else value


def _warn_of_log(module: AnsibleModule, log: Log) -> None:
    """Warn if the log that was asked for lacks lines."""
    if log.problem:
        module.warn(log.problem)
