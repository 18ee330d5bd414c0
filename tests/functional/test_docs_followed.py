# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of the documentation, followed from top to bottom by somebody who types what stands there."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tarfile
from pathlib import Path

import yaml

from ansible_collections.airgap.images.tests.functional._helpers import check
from ansible_collections.airgap.images.tests.functional._pages import FOLLOWED, Reader
from ansible_collections.airgap.images.tests.functional._role import Site
from ansible_collections.airgap.images.tests.support.consumers import consumers
from ansible_collections.airgap.images.tests.support.module import COLLECTION, environment
from ansible_collections.airgap.images.tests.support.playbook import packed_modules
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import oci_index, small
from ansible_collections.airgap.images.tests.support.skopeo import registry_digests
from ansible_collections.airgap.images.tests.support.workbench import Workbench

REGISTRY = "registry.site.example.com:5000"
RESTORED = "/tmp/restored"  # noqa: S108  # as the pages have it
HANDED_OUT = ("galaxy.yml", "README.md", "CHANGELOG.rst", "requirements.txt", "meta", "playbooks", "plugins", "roles")


def reader(site: Site, name: str, outside: Registry, inside: Registry, *hosts: str, **words: str) -> Reader:
    """Somebody with ansible-core and a folder, whose hosts are on loopback, and who has to install the collection."""
    folder = site.folder / name
    folder.mkdir()
    # No Galaxy is asked, and no time is lost between two looks at a task.
    config = "[defaults]\ninternal_poll_interval = 0.01\n[galaxy]\nserver = http://127.0.0.1:9/\n"
    (site.folder / "ansible.cfg").write_text(config, "utf-8")
    # The registry of the site has TLS on the pages. skopeo reads this in a home directory.
    settings = Path(os.environ["HOME"], ".config", "containers", "registries.conf")
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(f'[[registry]]\nlocation = "{inside.host}"\ninsecure = true\n', "utf-8")
    options = {"source_registry": outside.host, "validate_certs": False}
    for host, variables in site.inventory(*hosts).items():
        more = {f"image_save_{option}": value for option, value in options.items()}
        more |= {"image_save_install": False, "image_save_cache_dir": "{{ work }}/cache", "image_save_poll": 1}
        (folder / "host_vars").mkdir(exist_ok=True)
        (folder / "host_vars" / f"{host}.json").write_text(json.dumps({**variables, **more}), "utf-8")
    env = environment(
        {
            "ANSIBLE_CALLBACKS_ENABLED": "forehanded",
            "ANSIBLE_CALLBACK_PLUGINS": str(COLLECTION / "tests" / "support" / "callbacks"),
            "ANSIBLE_COLLECTIONS_PATH": str(site.folder / "collections"),
            "ANSIBLE_CONFIG": str(site.folder / "ansible.cfg"),
            "ANSIBLE_HOME": str(site.folder / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            # The same modules as those of the checkout.
            "FOREHANDED_MODULES": str(packed_modules()),
            "LC_ALL": "C.UTF-8",
            **{name: os.environ.get(name) for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")},
            **site.hosts.env,
        }
    )
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    return Reader(
        folder,
        words={REGISTRY: inside.host, **words},
        env=env,
        hosts_paths=("/srv/",),
        defaults={**options, "cache_dir": str(folder / "cache")},
    )


def checkout(folder: Path) -> Path:
    """Copy the files of the collection that users get."""
    for name in HANDED_OUT:
        source = COLLECTION / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(exist_ok=True)
            shutil.copyfile(source, folder / name)
    return folder


def test_following_the_pages(bench: Workbench, site: Site) -> None:
    """From the installation to a registry of the site, with one save for all pages on the way; then the README."""
    outside, inside = bench.registry(), bench.registry()
    pause = push(outside, "pause", "3.9", oci_index())
    busybox = push(outside, "library/busybox", "1.36", small(2, docker=True))
    here = site.folder / "elsewhere"
    first = reader(
        site,
        "first",
        outside,
        inside,
        "north.example.com",
        **{RESTORED: str(here / "restored"), "/srv/site": str(here / "site"), "/var/lib/": f"{here}/var/lib/"},
    )
    first.places = {"$ ansible-galaxy collection build": checkout(site.folder / "checkout")}
    first.follow("docs/getting-started.md")

    media = first.folder / "media" / "north.example.com"
    assert len(check(media / "first.tar.gz").lock["images"]) == 2
    layout = here / "restored" / "saved-image-cache" / "share" / "sha256"
    assert {each.digest.partition(":")[2] for each in (pause, busybox)} <= {path.name for path in layout.iterdir()}
    assert registry_digests(inside, "pause", "3.9")[1:] == [pause.platform("amd64").digest]
    saves = [output for command, output in first.typed if command.endswith(" save.yml")]
    assert [re.findall(r"changed=(\d+)", output) == ["0"] for output in saves] == [False, True]
    assert re.search(r"north\.example\.com: .*first\.tar\.gz\.report\.html", saves[0]), saves[0]

    loader = on_the_other_side(site, outside, inside, bench.registry(), media)
    first.follow("docs/guides/registry.md")
    assert registry_digests(inside, "library/busybox", "1.36")[-1] == busybox.digest
    assert '"1.36"' in first.output("skopeo list-tags")
    first.follow("docs/guides/k3s.md")
    images = here / "var/lib/rancher/k3s/agent/images"
    with tarfile.open(images / "busybox.tar") as tar:
        index = tar.extractfile("index.json")
        assert index is not None
        (entry,) = json.load(index)["manifests"]
    named = json.loads((here / "site" / "saved-image-cache" / "index.json").read_text("utf-8"))["manifests"]
    assert entry["digest"] in [each["digest"] for each in named], "skopeo has changed it"
    with consumers() as programs, programs.containerd():
        for path in (images / "busybox.tar", images / "first.tar"):
            programs.type(f"ctr image import --no-unpack {path}")
        assert entry["digest"] in programs.of_containerd("default").values()

    stick = site.folder / "stick"
    stick.mkdir()
    shutil.copytree(media, site.folder / "carried")
    carried = reader(
        site,
        "reader",
        outside,
        inside,
        **{RESTORED.removesuffix("restored"): f"{here}/carried/", "/media/usb": str(stick)},
    )
    (here / "carried").mkdir()
    shutil.copytree(media, carried.folder, dirs_exist_ok=True)
    lists = carried.folder / "srv" / "airgap"
    lists.mkdir(parents=True)
    shutil.copyfile(first.folder / "images.txt", lists / "images.txt")
    shutil.copyfile(media / "first.tar.gz.sha256", carried.folder / "last.sha256")
    carried.follow("docs/restore.md")
    assert (here / "carried" / "by-hand" / "saved-image-cache" / "index.json").is_file()
    carried.follow("docs/report.md")
    assert carried.output("grep -c").split() == ["2"]
    stated, found = (
        re.findall("[0-9a-f]{64}", carried.output(each)) for each in ("grep -E", "sha256sum first.tar.gz.r")
    )
    assert len(stated) == 2 and stated == found
    shutil.rmtree(here / "carried" / "restored")
    carried.follow("docs/guides/media.md")
    assert (here / "carried" / "restored" / "saved-image-cache" / "index.json").is_file()
    assert carried.output("diff").split() == []
    with consumers() as programs, programs.containerd():
        on_site = reader(site, "site", outside, inside, **{"/srv/site": str(here / "site")})
        on_site.by = programs.caller
        shutil.copytree(media, on_site.folder, dirs_exist_ok=True)
        on_site.follow("docs/consumers.md")
        expected = {each["annotations"]["org.opencontainers.image.ref.name"]: each["digest"] for each in named}
        assert programs.of_containerd("k8s.io") == expected
        assert programs.of_podman() == expected
        assert len(expected) == 2
    carried.follow("docs/progress.md")
    assert json.loads((lists / "progress.json").read_text("utf-8"))["ended"] is True
    followed = first.followed + loader.followed + on_site.followed + carried.followed
    assert sorted(followed) == sorted(FOLLOWED["test_following_the_pages"])


def on_the_other_side(site: Site, outside: Registry, inside: Registry, empty: Registry, media: Path) -> Reader:
    """Somebody who loads the archive of the first page into an empty registry, on a host and in a task."""
    loader = reader(site, "loader", outside, inside, "loader.site.example.com", **{REGISTRY: empty.host})
    settings = loader.folder / "host_vars" / "loader.site.example.com.json"
    more = {"image_load_validate_certs": False, "image_load_install": False, "vault_registry_password": "example"}
    settings.write_text(json.dumps({**json.loads(settings.read_text("utf-8")), **more}), "utf-8")
    loader.defaults = {"validate_certs": False}
    for folder in (site.on_host("loader.site.example.com", "srv/media"), loader.folder / "srv" / "media"):
        shutil.copytree(media, folder)
        folder.chmod(0o777)  # the host's user writes the receipt there
    loader.follow("docs/guides/load.md")

    runs = [output for command, output in loader.typed if command.startswith("ansible-playbook -i site.ini")]
    assert [re.findall(r"changed=(\d+)", output) == ["0"] for output in runs] == [True, False, False, True]
    locked = check(media / "first.tar.gz").lock["images"]
    names = {"pause": "3.9", "library/busybox": "1.36"}
    assert len(locked) == len(names)
    for name, tag in names.items():
        saved = {platform["digest"] for each in locked if name in each["reference"] for platform in each["platforms"]}
        top, *below = registry_digests(empty, name, tag)
        assert set(below or [top]) == saved
    assert registry_digests(empty, "team/docker.io/library/busybox", "1.36") == registry_digests(
        empty, "library/busybox", "1.36"
    )
    receipt = site.on_host("loader.site.example.com", "srv/media/first.receipt.json")
    assert json.loads(receipt.read_text("utf-8"))["complete"] is True
    with tarfile.open(loader.folder / "srv" / "images.tar") as tar:
        index = tar.extractfile("index.json")
        assert index is not None
        assert len(json.load(index)["manifests"]) == len(names)
    mirrors = yaml.safe_load((loader.folder / "srv" / "registries.yaml").read_text("utf-8"))["mirrors"]
    assert mirrors["docker.io"]["rewrite"] == {"^(.*)$": "team/docker.io/$1"}
    return loader


def test_following_the_readme(bench: Workbench, site: Site) -> None:
    """Two hosts that share a list, and what is unpacked by hand."""
    outside, inside = bench.registry(), bench.registry()
    rancher = push(outside, "rancher/rancher", "v2.7.9", oci_index())
    push(outside, "rancher/shell", "v0.1.21", small(2, docker=True))
    push(outside, "jetstack/cert-manager-controller", "v1.12.3", small(3))
    hosts = ["north.example.com", "south.example.com"]
    follower = reader(
        site,
        "readme",
        outside,
        inside,
        *hosts,
        **{
            "registry.site/": f"{inside.host}/",
            "/media/usb": str(site.folder / "readme" / "srv" / "airgap"),
            "rancher.tar.gz": "rancher-v2.7.9.tar.gz",
            ".restore.sh /srv": f".restore.sh {site.folder}/restored",
            "--oci-tar /srv/": f"--oci-tar {site.folder}/",
            "-C /srv": f"-C {site.folder}/by-hand",
            "oci:/srv/": f"oci:{site.folder}/by-hand/",
        },
    )
    follower.env = {**follower.env, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTION.parents[2])}
    lists = follower.folder / "srv" / "airgap"
    lists.mkdir(parents=True)
    (site.folder / "by-hand").mkdir()
    for folder in (follower.folder, lists):
        (folder / "rancher-images.txt").write_text("rancher/rancher:v2.7.9\nrancher/shell:v0.1.21\n", "utf-8")
    follower.follow("README.md")
    assert tuple(follower.followed) == FOLLOWED["test_following_the_readme"]

    media = follower.folder / "media"
    assert (site.folder / "restored" / "saved-image-cache" / "index.json").is_file()
    record = json.loads((media / "images.lock.json").read_text("utf-8"))
    assert {each["host"] for each in record["images"]} == set(hosts)
    for host in hosts:
        check(media / host / f"rancher-v2.7.9-{host}.tar.gz")
    assert registry_digests(inside, "rancher/rancher", "v2.7.9")[1:] == [rancher.platform("amd64").digest]
