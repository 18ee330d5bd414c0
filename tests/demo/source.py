# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration's source: a registry on loopback with a few images, until standard input ends.

First writes ``HOST:PORT`` to standard output, then one reference a line, then an empty line.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ansible_collections.airgap.images.tests.support.registry import Registry, RegistryError
from ansible_collections.airgap.images.tests.support.samples import small_real_images


def main() -> int:
    """Serves; its one argument is the folder for what the registry stores and logs."""
    try:
        with Registry(Path(sys.argv[1])) as registry:
            images = small_real_images(registry)
            print(registry.host, *(f"{image.repository}:{image.tag}" for image in images), "", sep="\n", flush=True)
            # Ends when whoever started this closes the pipe, or dies.
            sys.stdin.read()
    except RegistryError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
