# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection plugin for the tests: this machine, by a connection that can start no job."""

from __future__ import annotations

from ansible.plugins.connection.local import Connection as LocalConnection

DOCUMENTATION = """
name: unaided
short_description: This machine, without jobs
description:
  - What C(local) is, but modules always go through a pipe and never run by themselves.
author:
  - airgap.images contributors
extends_documentation_fragment:
  - connection_pipelining
"""


class Connection(LocalConnection):
    """Runs commands here."""

    transport = "unaided"
    always_pipeline_modules = True
