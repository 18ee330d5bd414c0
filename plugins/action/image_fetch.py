# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings an archive to the controller. The documentation is in plugins/modules/image_fetch.py."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.airgap.images.plugins.module_utils._base.empty import without_empty
from ansible_collections.airgap.images.plugins.module_utils._base.errors import ImagesError
from ansible_collections.airgap.images.plugins.plugin_utils._display.once import shown_once
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.carrier import Carrier
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.fetch import Fetch
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.host import Host
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.transport import without_compression

# Paths of the host are texts here: a type that expands "~" would insert the controller's home.
ARGUMENTS: dict[str, dict[str, object]] = {
    "src": {"type": "str"},
    "dest": {"type": "path", "required": True},
    "formerly": {"type": "str"},
    "failed_list": {"type": "str"},
    "outdated": {"type": "list", "elements": "path", "default": []},
    "only": {"type": "list", "elements": "int", "default": []},
    "retries": {"type": "int", "default": 3},
    "retry_delay": {"type": "float", "default": 2.0},
}


class ActionModule(ActionBase):
    """C(airgap.images.image_fetch)."""

    _supports_async = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self._arguments()
        # With become, whole files would pass through memory at both ends.
        self._connection.set_become_plugin(None)  # type: ignore[arg-type]
        without_compression(self._connection)
        variables = task_vars or {}
        host = Host(self, variables)
        ticker = Ticker.of(self._task, variables)
        retries, delay = arguments["retries"], arguments["retry_delay"]
        carrier = Carrier(
            self._connection, host.name, host.for_transfer, retries=retries, delay=delay, warn=ticker.warning
        )
        is_check = self._task.check_mode
        fetch = Fetch(host, carrier, ticker, arguments, is_check=is_check, is_diff=self._task.diff)
        try:
            returned = fetch.run()
            if returned["changed"] and not is_check:
                ticker.say(returned["msg"])
                if returned["transferred"]:
                    ticker.say_paths(returned)
            result.update(returned)
        except ImagesError as error:
            result.update(failed=True, msg=str(error))
        finally:
            ticker.end()
            self._remove_tmp_path(self._connection._shell.tmpdir)  # type: ignore[no-untyped-call]
        return shown_once(result)

    def _arguments(self) -> dict[str, Any]:
        self._task.args = without_empty(self._task.args, ARGUMENTS)
        validated: tuple[object, dict[str, Any]] = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            ARGUMENTS, required_one_of=[("src", "failed_list")]
        )
        return validated[1]
