# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of the documentation, read as somebody does who follows them: files are written, commands are typed."""

from __future__ import annotations

import atexit
import functools
import json
import re
import shlex
import subprocess
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.airgap.images.tests.support.forked import ForkServer, can_fork, read_at_start
from ansible_collections.airgap.images.tests.support.markdown import Block, blocks
from ansible_collections.airgap.images.tests.support.module import COLLECTION, RunningModule

# What a reader takes over. All else is what is seen, or drawn.
TYPED = ("console", "ini", "sh", "yaml")
TIMEOUT = 300
PLAIN_PLAYBOOK = re.compile(r"ansible-playbook( [\w./,=-]+)+")
"""A command that means the same without a shell."""

NAMED = re.compile(r"# (?P<name>[\w./-]+\.(?:ini|sh|txt|ya?ml))\n")

# The tests of test_docs_followed.py and test_docs_monthly.py, and the pages that they follow.
FOLLOWED: Mapping[str, tuple[str, ...]] = {
    "test_following_the_pages": (
        "docs/consumers.md",
        "docs/getting-started.md",
        "docs/guides/k3s.md",
        "docs/guides/load.md",
        "docs/guides/media.md",
        "docs/guides/registry.md",
        "docs/progress.md",
        "docs/report.md",
        "docs/restore.md",
    ),
    "test_following_the_readme": ("README.md",),
    "test_the_months_of_two_sites": ("docs/guides/monthly.md",),
}
# The page whose files test_docs_rancher.py runs; its commands are below.
RANCHER = "docs/guides/rancher.md"

# Files whose name stands in the text around them.
NAMES: Mapping[str, Mapping[str, str]] = {
    "README.md": {
        "[connected]": "inventory.ini",
        "- name: Save the images of a Rancher release for an air-gapped site": "save.yml",
    },
}

_CLUSTER = "needs a node to install a cluster on, and the product's own files"
_HANGAR = "needs hangar, which no package index has"
_DISTRIBUTED = "test_role_distribute.py and test_role_set.py do this with hosts and archives of their own"
_LOADED = "names a stick and a registry of a site; test_load_role.py does this with its own"
_VERIFIED = "names sticks of a site; test_verify.py does this with its own"
_OTHER_GATE = "is a gate of its own, or a long run beside the tests"
_RANCHER = "tests/functional/test_docs_rancher.py runs this with settings for loopback"
_REGISTRIES = "names registries that are not to be had here; test_save_registries.py has such entries"
_SAME_SAVE = "the same save as in docs/getting-started.md, of images that are not to be had here"
_SYSTEM = "changes the system"

# Blocks that no test runs as they stand, by their first line, and why. Their form is looked at all the same.
NOT_RUN: Mapping[str, Mapping[str, str]] = {
    "README.md": {
        "$ tests/demo.sh": _OTHER_GATE,
        "$ tests/run.sh": _OTHER_GATE,
        "$ ansible-galaxy collection build": "the same as in docs/getting-started.md, where it runs",
        "$ apt-get install skopeo python3-requests python3-zstandard": _SYSTEM,
        "$ ansible-playbook airgap.images.image_save -i inventory.ini -e @vars.yml": "runs the role as save.yml does",
        "- name: Load what was carried across into the registry of the site": _LOADED,
        "$ hangar load -s rancher.tar.gz -d registry.site": _HANGAR,
    },
    "docs/consumers.md": {
        "$ hangar load --source first.tar.gz --destination registry.site.example.com:5000": _HANGAR,
    },
    "docs/guides/index.md": {
        "# group_vars/connected/vars.yml": _SAME_SAVE,
        "$ ansible-playbook -i inventory.ini save.yml --check": _SAME_SAVE,
    },
    "docs/guides/k3s.md": {
        "# group_vars/connected/vars.yml": _SAME_SAVE,
        "# save.yml": _SAME_SAVE,
        "$ ansible-playbook -i inventory.ini save.yml": _SAME_SAVE,
        "# config.yaml": _CLUSTER,
        "$ install -m 0755 k3s /usr/local/bin/k3s": _CLUSTER,
    },
    "docs/guides/media.md": {
        "$ mount -o uid=0,umask=077 /dev/sdb1 /media/usb": "needs a USB stick; test_surroundings_usb.py mounts one so",
    },
    "docs/guides/registries.md": {
        "# group_vars/connected/vars.yml": _REGISTRIES,
    },
    RANCHER: {
        "$ ansible-vault encrypt group_vars/all/vault.yml": _RANCHER,
        "$ ansible-vault encrypt_string --stdin-name vault_list_token": "asks for the value",
        "$ ansible-playbook -i inventory.yml save.yml --ask-vault-pass": _RANCHER,
        "$ ansible-playbook -i inventory.yml load.yml --ask-vault-pass": _RANCHER,
        "$ hangar load -s north.example.com/rancher-v2.7.9-north.example.com.tar.gz "
        "-d registry.site.example.com:5000": _HANGAR,
        "$ ansible-playbook -i inventory.yml rke2.yml --ask-vault-pass": _RANCHER,
        "# rancher-values.yaml": _CLUSTER,
        "$ helm install rancher rancher-2.7.9.tgz --namespace cattle-system --create-namespace --values "
        "rancher-values.yaml": _CLUSTER,
    },
    "docs/guides/set.md": {
        "image_save_distribute: true": _DISTRIBUTED,
        "$ sh images.restore.sh --check": _DISTRIBUTED,
        "$ cp -r media carried-2026-10": "test_role_since.py saves bundles of a set from such a copy",
        "- name: Show what a third host would take over": "test_balance_images.py distributes lists in this way",
        "$ ansible-playbook -i inventory.ini save.yml -e '{image_save_take_over: [south]}'": _DISTRIBUTED,
    },
    "docs/guides/registry.md": {
        "$ skopeo login registry.site.example.com:5000": "asks for a password",
        "$ install -D -m 0644 site-ca.crt /etc/containers/certs.d/registry.site.example.com:5000/ca.crt": _SYSTEM,
        "$ hangar load --source first.tar.gz --destination registry.site.example.com:5000": _HANGAR,
        "$ (cd /srv/site && hangar load --compress dir --source saved-image-cache --destination "
        "registry.site.example.com:5000)": _HANGAR,
    },
    "docs/guides/rke2.md": {
        "# group_vars/connected/vars.yml": _SAME_SAVE,
        "# save.yml": _SAME_SAVE,
        "$ ansible-playbook -i inventory.ini save.yml": _SAME_SAVE,
        "# config.yaml": _CLUSTER,
        "$ INSTALL_RKE2_ARTIFACT_PATH=/root/rke2 sh /root/rke2/install.sh": _CLUSTER,
        "$ skopeo inspect docker://registry.site.example.com:5000/rancher/rke2-runtime:v1.30.4-rke2r1": _CLUSTER,
    },
    "docs/performance/results.md": {"$ tests/bench.sh": _OTHER_GATE},
    "docs/reliability.md": {
        "$ tests/faults.sh                        # everything; writes the table below": _OTHER_GATE,
        "$ tests/faults.sh --only signals                              # 10,000 and 500; "
        "the gate has 32 and 2": _OTHER_GATE,
        "$ tests/faults.sh --only walk                         # 500 steps, ten in each trial; "
        "the gate has 2": _OTHER_GATE,
        "$ tests/fuzz.sh            # ten million executions and more; writes docs/reliability/fuzz.md": _OTHER_GATE,
    },
    "roles/image_load/README.md": {
        "- name: Load the images of a Rancher release into the registry of the site": _LOADED,
        "image_load_controller_src: [/media/usb]": _LOADED,
        "$ ansible-playbook airgap.images.image_load -i inventory.ini -e @load-vars.yml": _LOADED,
        "- name: Put the images on each node of an RKE2 cluster": "test_load_file.py writes one by the module",
        "- name: Mirror images into the registry of the site": _LOADED,
        "- name: Have the nodes of a K3s cluster find the images under their old names": _CLUSTER,
    },
    "roles/image_verify/README.md": {
        "- name: Verify what was carried across": _VERIFIED,
        "$ ansible-playbook airgap.images.image_verify -i inventory.ini -e @verify-vars.yml": _VERIFIED,
        "image_verify_controller_src: [/media/usb, /media/parity]": _VERIFIED,
        "- name: Verify a stick that was just written": _VERIFIED,
    },
    "roles/image_save/README.md": {
        "- name: Prepare the images of a Rancher release for the site without network": _SAME_SAVE,
        "image_save_list_urls:": _RANCHER,
        "$ helm template rancher rancher-2.9.2.tgz --namespace cattle-system "
        "--set hostname=rancher.site.example.com > rancher.yaml": _CLUSTER,
        "image_save_manifest_files: [rancher.yaml]": "test_role_lists.py saves from manifests",
        "image_save_registries:": _REGISTRIES,
        "image_save_environment:": "names a file of the host's own; the tests of registries.conf use it",
        "- name: Show what there is to carry": "shows what test_role_*.py look at",
    },
}


@functools.cache
def pages() -> dict[str, list[Block]]:
    """The blocks that a reader takes over, of the pages for users that have any."""
    paths = [COLLECTION / "README.md", *COLLECTION.glob("docs/**/*.md"), *COLLECTION.glob("roles/*/README.md")]
    found = {}
    for path in sorted(paths):
        typed = [block for block in blocks(path.read_text("utf-8")) if block.language in TYPED or file_name("", block)]
        if typed and "_build" not in path.parts:
            found[path.relative_to(COLLECTION).as_posix()] = typed
    return found


def first_line(block: Block) -> str:
    return block.text.partition("\n")[0]


def file_name(page: str, block: Block) -> str:
    """The file that a block is, or nothing."""
    named = NAMED.match(block.text)
    return named["name"] if named else NAMES.get(page, {}).get(first_line(block), "")


def commands(block: Block) -> list[tuple[str, str]]:
    """The commands of a block, each with the output that is shown below it."""
    found: list[tuple[str, str]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif found and found[-1][0].endswith("\\"):
            found[-1] = (f"{found[-1][0]}\n{line}", "")
        else:
            command, output = found[-1]
            found[-1] = (command, f"{output}{line}\n")
    return found


@functools.cache
def _server(env: frozenset[tuple[str, str]]) -> ForkServer:
    """An interpreter that has imported Ansible, which is half of what a run of ansible-playbook does."""
    forehanded = COLLECTION / "tests" / "support" / "callbacks" / "forehanded.py"
    server = ForkServer("ansible.cli.playbook", dict(env), str(forehanded))
    atexit.register(server.close)
    return server


@dataclass
class Reader:
    """Follows pages in a folder; some words are others there.

    :ivar words: what stands on the page, and what is here.
    :ivar hosts_paths: beginnings of paths on hosts, which are below the folder of each host here.
    :ivar places: the folders of commands, by the first line of their block, that are not typed in ``folder``.
    :ivar defaults: options of the module for tasks that stand alone.
    :ivar by: what runs the shell, where that is not the reader.
    :ivar passed_over: first lines of blocks that are not run this time.
    :ivar failing: commands that end with 2, by how often they were typed before, as the page says that they fail.
    :ivar after: what happens in the world when such a command has ended.
    :ivar typed: the commands so far, and what they wrote.
    """

    folder: Path
    words: Mapping[str, str]
    env: Mapping[str, str]
    hosts_paths: tuple[str, ...] = ()
    places: Mapping[str, Path] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    by: tuple[str, ...] = ()
    passed_over: Collection[str] = ()
    failing: Collection[tuple[str, int]] = ()
    after: Mapping[tuple[str, int], Callable[[], None]] = field(default_factory=dict)
    typed: list[tuple[str, str]] = field(default_factory=list)
    followed: list[str] = field(default_factory=list)

    def follow(self, page: str) -> None:
        """Write every file of a page and type every command of it, but for those that ``NOT_RUN`` names."""
        self.followed.append(page)
        for block in pages()[page]:
            place = f"{page}:{block.line}"
            if first_line(block) in (*NOT_RUN.get(page, {}), *self.passed_over):
                continue
            name = file_name(page, block)
            if name:
                self._write(name, self._yaml(block) if block.language == "yaml" else self._here(block.text))
            elif block.language == "console":
                self._type_all(place, block)
            else:
                assert block.language == "yaml", f"{place}: nobody knows what to do with it"
                self._run_tasks(place, block)

    def output(self, command: str) -> str:
        """Return the output of the last command that begins so, as the page has it."""
        return [output for typed, output in self.typed if typed.startswith(command)][-1]

    def _here(self, text: str) -> str:
        for there, here in self.words.items():
            text = text.replace(there, here)
        return text

    def _yaml(self, block: Block) -> str:
        return json.dumps(self._on_hosts(yaml.safe_load(self._here(block.text))), indent=1)

    def _on_hosts(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._on_hosts(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._on_hosts(each) for each in value]
        return f"{{{{ work }}}}{value}" if isinstance(value, str) and value.startswith(self.hosts_paths) else value

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def _type_all(self, place: str, block: Block) -> None:
        folder = self.places.get(first_line(block), self.folder)
        for command, shown in commands(block):
            if command.startswith("cd "):
                folder = folder / self._here(command[3:])
            else:
                self._type(place, command, shown, folder)

    def _type(self, place: str, command: str, shown: str, folder: Path) -> None:
        status, stdout, stderr = self._run(self._here(command), folder)
        said = f"{stdout}\n{stderr}"
        turn = (command, sum(typed == command for typed, _output in self.typed))
        # As for a person, what differs is no failure.
        expected = (0, 1) if command.startswith("diff ") else (2,) if turn in self.failing else (0,)
        assert status in expected, f"{place}: {command}\nended with {status}:\n{said}"
        assert not shown or stdout == self._here(shown), f"{place}: {command}\ndoes not write this:\n{said}"
        self.typed.append((command, said))
        self.after.get(turn, lambda: None)()

    def _run(self, command: str, folder: Path) -> tuple[int, str, str]:
        """Have a shell run a command; return its exit status, and what it wrote to stdout and to stderr."""
        env = dict(self.env)
        if PLAIN_PLAYBOOK.fullmatch(command) and not self.by and can_fork(env):
            server, words = _server(read_at_start(env)), shlex.split(command)
            with RunningModule(words, b"", env, folder, server=server, words=words[1:]) as running:
                return running.process.wait(TIMEOUT), *running.output()
        done = subprocess.run(
            [*self.by, "bash", "-c", command],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def _run_tasks(self, place: str, block: Block) -> None:
        """Run tasks that stand alone, as somebody would have them in a play."""
        tasks = json.loads(self._yaml(block))
        for task in list(tasks):
            if task.get("poll") == 0:
                job = {"jid": f"{{{{ {task['register']}.ansible_job_id }}}}"}
                wait = {"until": "job is finished", "retries": 300, "delay": 1, "register": "job"}
                tasks.append({"name": "Wait for it", "ansible.builtin.async_status": job, **wait})
        play = {
            "name": f"The tasks of {place}",
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {
                # Else jobs are begun in one home directory, and looked for in another.
                "ansible_async_dir": str(self.folder / "jobs"),
                "ansible_python_interpreter": "/usr/bin/python3",
                "vault_dockerhub_token": "example",
                "vault_dockerhub_user": "me",
                "work": str(self.folder),
            },
            "module_defaults": {"group/airgap.images.all": dict(self.defaults)},
            "tasks": tasks,
        }
        self._write("tasks.json", json.dumps([play]))
        self._type(place, "ansible-playbook -i localhost, tasks.json", "", self.folder)
