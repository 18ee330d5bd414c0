# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene of the demonstration: a registry with a few images, three hosts, and behind the air gap another registry
and a host, until standard input ends.

Writes ``images.txt``, ``inventory.ini`` and ``ansible.cfg`` into a folder, then ``ready`` to standard output.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from ansible_collections.airgap.images.tests.support.faults import Rule, Trickle
from ansible_collections.airgap.images.tests.support.proxy import Proxy
from ansible_collections.airgap.images.tests.support.registry import Registry, RegistryError
from ansible_collections.airgap.images.tests.support.samples import small_real_images
from ansible_collections.airgap.images.tests.support.ssh_hosts import SshHosts, SshHostsError

NAMES = ("north", "east", "west")
INSIDE = "site"


def slowly(registry: Registry) -> Proxy:
    """The registry behind a line on which there is something to see: 256 KiB a second for each blob."""
    return Proxy(registry.url, [Rule(Trickle(pause=0.25, piece=64 * 1024), path="/blobs/")])


def inventory(hosts: SshHosts, registry: Proxy, inside: Registry) -> str:
    """The hosts, as somebody writes them down, and what the loopback asks for."""
    variables = hosts.inventory(NAMES)[NAMES[0]]
    shown = ("ansible_host", "ansible_port", "ansible_user", "ansible_ssh_private_key_file")
    lines = [
        "[connected]",
        *(f"{name:<6} folder={hosts.folder(name)}" for name in NAMES),
        "",
        "[inside]",
        f"{INSIDE:<6} folder={hosts.folder(INSIDE)}",
        "",
        "[all:vars]",
        *(f"{name}={variables[name]}" for name in shown),
        "ansible_python_interpreter=/usr/bin/python3",
        "",
        "# The registries have no TLS, and the first one is slow, so that there is something to see.",
        "[connected:vars]",
        f"registry={registry.host}",
        "image_save_validate_certs=false",
        "",
        "[inside:vars]",
        f"site_registry={inside.host}",
        "image_load_validate_certs=false",
    ]
    return "\n".join(lines) + "\n"


def settings(hosts: SshHosts) -> str:
    """Ansible's settings: nothing of the user's or the system's is used or written to, and output is brief."""
    # Both who logs in and who becomes root make files there. The first makes the folder, or it could not enter it.
    temporary, jobs = hosts.folder("tmp"), hosts.folder("jobs")
    lines = [
        "[defaults]",
        "inventory = inventory.ini",
        "collections_path = collections",
        "home = ansible",
        "nocolor = true",
        "display_ok_hosts = false",
        "display_skipped_hosts = false",
        f"remote_tmp = {temporary}",
        f"async_dir = {jobs}",
        "[ssh_connection]",
        "pipelining = true",
        # Without privileges, an sshd can't give a terminal to a session everywhere.
        "usetty = false",
        f"ssh_common_args = {hosts.inventory(NAMES)[NAMES[0]]['ansible_ssh_common_args']}",
        f"control_path_dir = {hosts.env['ANSIBLE_SSH_CONTROL_PATH_DIR']}",
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Serves; its one argument is the folder."""
    # A Ctrl-C is for the whole group of processes. What has to be removed is removed when the shell closes the pipe.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = Path(sys.argv[1])
    try:
        with (
            Registry(folder / "registry") as registry,
            Registry(folder / "registry-inside") as inside,
            SshHosts() as hosts,
            slowly(registry) as source,
        ):
            images = small_real_images(registry)
            references = [f"{image.repository}:{image.tag}" for image in images]
            (folder / "images.txt").write_text("\n".join(["# one reference a line", *references, ""]), encoding="utf-8")
            (folder / "inventory.ini").write_text(inventory(hosts, source, inside), encoding="utf-8")
            (folder / "ansible.cfg").write_text(settings(hosts), encoding="utf-8")
            print("ready", flush=True)
            # Ends when whoever started this closes the pipe, or dies.
            sys.stdin.read()
    except (RegistryError, SshHostsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
