# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least that a re-run has to do: HEAD of each manifest, over eight connections that are kept alive.

``python -m … heads HOST:PORT`` reads paths from stdin and writes the seconds that all of them took, and CPU seconds.
"""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ..support.images import MANIFEST_TYPES

CONNECTIONS = 8


def ask(host: str, paths: Sequence[str]) -> None:
    """Asks for these, one after the other, over one connection.

    :raises RuntimeError: an answer is not 200
    """
    connection = http.client.HTTPConnection(host)
    for path in paths:
        connection.request("HEAD", path, headers={"Accept": ", ".join(MANIFEST_TYPES)})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
    connection.close()


def main() -> None:
    """Shares the paths out over the connections."""
    host = sys.argv[1]
    paths = sys.stdin.read().split()
    started, before = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for done in [pool.submit(ask, host, paths[number::CONNECTIONS]) for number in range(CONNECTIONS)]:
            done.result()
    print(time.monotonic() - started, time.process_time() - before)


if __name__ == "__main__":
    main()
