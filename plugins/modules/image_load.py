#!/usr/bin/python
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_load
short_description: Load container images from files that crossed an air gap into a registry
version_added: 0.2.0
description:
  - Pushes the images of archives that M(airgap.images.image_save) or hangar wrote into the registry of a site.
  - Most tasks need O(src) and O(registry), and O(username) and O(password) where the registry asks for a login.
    O(keep_registry) and O(rewrites) decide over names, O(images) and O(exclude) over what is loaded, O(on_conflict)
    over tags that name another image, and O(check_target) and O(verify) over how much is checked.
  - Nothing is unpacked. Blobs are read from the parts, checked by digest and sent, so no space is needed beside the
    parts. A blob that the registry has is not sent, and one that it has in another repository is mounted from there.
  - Manifests are pushed byte for byte, so images keep their digests. An index keeps its digest if all of its images
    were saved. A tag is written last, when everything below it is in the registry. A run that is interrupted at any
    moment leaves each tag with its old image or its new one, and the next run goes on.
  - A run with nothing to do asks for the digest of each tag, and reads nothing but the lock file.
  - Neither skopeo nor a container engine is needed.
author:
  - airgap.images contributors (@airgap-images)
requirements:
  - Python >= 3.9
  - requests
  - zstandard, for archives in zstd only
attributes:
  check_mode:
    support: full
    description: Can run in check mode and return what would change without changing anything.
    details:
      - Asks the registry what it has, and says what would be pushed, mounted or created. Only HEAD and GET are sent.
  diff_mode:
    support: full
    description: Returns details on what has changed (or would change in check mode) when in diff mode.
    details:
      - Shows the tags that are different, and their digests before and after.
  action:
    support: full
    description: Indicates this has a corresponding action plugin so some parts of the options can be executed on the
      controller.
  async:
    support: full
    description: Supports being run with the C(async) keyword.
    details:
      - The task then runs as an ordinary module, and shows no progress.
  idempotent:
    support: full
    description: When run twice in a row outside of check mode, with the same arguments, the second run changes nothing.
  platform:
    support: full
    platforms: posix
    description: Target OS that can be operated against.
options:
  src:
    description:
      - Paths on the target of what was carried across. A path is that of a lock file, of an archive in one file, of a
        part, of an unpacked directory, or of a directory that holds any of these.
      - Parts of one archive can be in several directories, such as those of several USB sticks. Images that need a part
        which is not there fail by name, and the others are loaded. Run again with the next stick.
      - Archives of hangar and of earlier releases of this collection can be loaded as well. They are read from their
        beginning to their end.
      - Full archives and bundles that rest on them can be named together, in any order. If several have an image, the
        newest one counts, which is a bundle over what it rests on. Of archives that do not rest on each other, it is
        the one that is named last.
      - What a bundle leaves out is looked for before anything is changed, in the registry first, and then in the other
        archives. If it is in another repository, it is mounted from there, or copied within a registry that refuses
        that. If anything is nowhere, nothing is loaded, and RV(lacking) lists it.
    type: list
    elements: path
    required: true
  to:
    description:
      - With V(registry), images are pushed to O(registry).
      - With V(containerd_images), they are written to O(dest) instead, a file for the directory C(agent/images) of K3s
        and RKE2, for C(ctr image import), and for C(podman load) and C(docker load). No registry is needed.
    type: str
    choices: [registry, containerd_images]
    default: registry
  dest:
    description:
      - Path on the target of the file of images, which ends with C(.tar). Needed with O(to=containerd_images).
      - Its directory is created if it is missing. The file is put in place when it is complete. If anything fails, the
        task fails, and an existing file is left as it is. A file that this module did not write is never touched.
      - It holds all platforms, with the digests that they would have in a registry. C(podman load) of a file with
        several images, and C(docker load), use Docker's list in it, which has the platform of the host that wrote it,
        and does not keep digests.
      - The same images give the same file. It is not written again if it is there already. This is found out by its
        size, names and manifests, or with O(check_target=blobs) by all of its content.
    type: path
  registry:
    description:
      - The registry to load into. Either a host, with a port if needed, or a host and a path that is prefixed to each
        repository, such as V(registry.lan:5000/mirror). Needed with O(to=registry).
      - With O(to=containerd_images), images get the names that they would have in this registry. Without it, they keep
        their own, which is what nodes look for unless C(system-default-registry) is set.
    type: str
  keep_registry:
    description:
      - Whether the registry in the name of an image becomes the first part of its path.
      - With V(false), V(docker.io/rancher/rancher) is loaded as V(rancher/rancher), as Rancher expects it. With
        V(true), it is loaded as V(docker.io/rancher/rancher). C(HOST:PORT) becomes C(HOST_PORT).
    type: bool
    default: false
  rewrites:
    description:
      - Rules that give images other names. If several fit, the one with the longest O(rewrites[].from) counts.
    type: list
    elements: dict
    default: []
    suboptions:
      from:
        description:
          - The beginning of names, with their registry, up to a slash or the end, such as V(docker.io/rancher).
        type: str
        required: true
      to:
        description:
          - The path that takes its place, below O(registry). If it is empty, the beginning is dropped.
        type: str
        required: true
  images:
    description:
      - References to load. By default, and without O(list_files), all images of the archives are loaded.
    type: list
    elements: str
    default: []
  list_files:
    description:
      - Paths of text files on the target with one reference per line, in the format of O(images) of
        M(airgap.images.image_save).
      - The files can be UTF-8 or UTF-16, with or without a byte order mark, and with any line endings.
    type: list
    elements: path
    default: []
  list_format:
    description:
      - Format of the files in O(list_files). V(plain) is one reference per line.
      - V(sources) uses the first of two columns, for files whose second column says where an image comes from, such as
        C(rancher-images-sources.txt) of the Rancher releases.
    type: str
    choices: [plain, sources]
    default: plain
  origins:
    description:
      - Where the lines of O(images) and O(list_files) come from, as messages and results name it, if these were made of
        other lists. One entry for each line that is neither blank nor a comment, such as V(rancher-images.txt:12) or
        V(image_load_images, item 3). Ignored if the number of lines is different.
      - The role sets it, so that a failed image is found in the list that the user has written.
    type: list
    elements: str
    default: []
  exclude:
    description:
      - References that are not loaded, or names of repositories, without tag, of which nothing is loaded.
    type: list
    elements: str
    default: []
  share:
    description:
      - Load a share of the images only, the one of this name among O(share_among).
    type: str
  share_among:
    description:
      - Names, usually of hosts, among which the images are shared out by repository. Runs with the same names and
        archives, and each with another O(share), load all images together, and none of them twice.
      - The images of one repository stay together, and an additional image does not move any others.
    type: list
    elements: str
    default: []
  on_conflict:
    description:
      - What to do with a tag that names another image in the registry. V(replace) moves it, and RV(moved_tags) lists
        it, so loading an older archive later moves tags back. V(keep) leaves it, and V(fail) fails for this image.
    type: str
    choices: [replace, keep, fail]
    default: replace
  index:
    description:
      - What a tag names if not all images of its index were saved. With V(auto) this is an index of those that were
        saved. V(source) pushes the index of the source all the same, which most registries refuse.
    type: str
    choices: [auto, source]
    default: auto
  verify:
    description:
      - With V(while), each blob is checked as it is sent, so that the archive is read once. A damaged part fails only
        the images that need it. V(first) checks all parts before anything is sent.
    type: str
    choices: [while, first]
    default: while
  check_target:
    description:
      - What is asked before an image counts as being in the registry. V(tags) asks for its tag only. V(manifests) also
        asks for the manifests of its platforms, and V(blobs) for everything, which repairs a registry that has lost
        something.
    type: str
    choices: [tags, manifests, blobs]
    default: tags
  referrers:
    description:
      - What to do with images of the archives that refer to others, such as the signatures, attestations and SBOMs of
        cosign (tags such as C(sha256-DIGEST.sig)), and manifests with a C(subject).
      - With V(auto), they are loaded after what they refer to. In a registry that keeps no lists of referrers itself,
        manifests with a C(subject) are entered in the index with the tag C(sha256-DIGEST), as the specification of
        registries has it. Such an index is merged with the one that is there, whatever O(on_conflict) says.
      - V(none) leaves them out.
    type: str
    choices: [auto, none]
    default: auto
  create_projects:
    description:
      - Whether to create the projects in a Harbor that images need and that do not exist. A project is the first part
        of the path of a repository. Those that exist stay as they are.
      - This needs O(username) and O(password) of an administrator, of a user who may create projects, or of a system
        robot with the permission to create projects.
      - Other registries create repositories by themselves, or need them to be created in their own ways.
    type: bool
    default: false
  project_public:
    description:
      - Whether everybody can pull from the projects that O(create_projects) creates.
    type: bool
    default: false
  project_quota:
    description:
      - Space that each of the projects that O(create_projects) creates may use, such as V(200G) or V(1T), in the format
        of O(airgap.images.image_save#module:part_size). Harbor only respects it from administrators.
      - By default, Harbor's own setting for new projects applies.
    type: str
  receipt:
    description:
      - Path of a file on the target that records what the registry has, to be carried back. It has no host, user, path
        or time in it.
      - If O(src) names several archives, each has a receipt of its own, and those of a set have one. That of the newest
        archive is here, and others are beside it with the start of their lock file's sha256 in the name. RV(receipts)
        lists all. A bundle with what was requested of one of the archives is not the newest one.
      - What an earlier load of the same archive into the same target has confirmed stays when only some of the images
        are loaded. An image that the run asks the registry for, and does not find, is taken out.
      - Where no file may be carried back, a line can be read out over the telephone. It is shown after a complete load,
        and in RV(confirmation).
      - A file that is not a receipt is never touched, and the task fails.
    type: path
  request_file:
    description:
      - Path of a file on the target that asks for what is missing, to be carried to where archives are saved. It names
        parts that were found damaged or missing, and blobs that a bundle rests on and that are nowhere. It has no host,
        user, path or time in it.
      - The path of a directory that exists, or that ends with a slash, stands for a file C(NAME.request.json) in it for
        each archive. Otherwise, if something is missing from several archives, that of the newest one is here, and
        others are beside it with the start of their lock file's sha256 in the name. RV(request_files) lists all.
      - If nothing is missing, the file is not created, and the file of an earlier run that asks for something of the
        same archives is removed. It stays if images fail for another reason, such as the registry. When only some of
        the images are loaded, it goes on asking for what the others need and is not there yet. A file that is not a
        request is never touched, and the task fails.
    type: path
  report:
    description:
      - Path of a file on the target for an HTML page about the load, in the style of the report of an archive. It shows
        what is new in the registry, what was there, what failed, and the settings by which nodes find the images.
      - A load that finds everything in place leaves the page of the load before. A file that is not such a page is
        never touched, and the task fails.
    type: path
  failed_list:
    description:
      - Path of a file on the target that lists what failed, one reference per line, with the reason as a comment. The
        file can be used in O(list_files) without changes.
      - If nothing failed, the file is not created, and the file of an earlier run is removed. A file that is not such a
        list, or a link, is never touched, and the task fails.
    type: path
  username:
    description:
      - User name for O(registry).
      - If not set, the environment variable E(DEST_USERNAME) is used.
    type: str
  password:
    description:
      - Password or access token for O(username).
      - If not set, the environment variable E(DEST_PASSWORD) is used.
    type: str
  authfile:
    description:
      - Path of a login file on the target, as written by C(skopeo login) and C(docker login).
      - By default, the files that skopeo searches are used.
    type: path
  validate_certs:
    description:
      - Whether to verify the certificates of registries. With V(false), plain HTTP is used if a registry does not
        support HTTPS.
    type: bool
    default: true
    aliases: [tls_verify]
  ca_path:
    description:
      - Path of a PEM file on the target with certificates of additional authorities to trust, besides those of the
        system and of the C(certs.d) directories of containers and Docker.
    type: path
  client_cert:
    description:
      - Path of a PEM file on the target with the client certificate, and its key unless O(client_key) is set.
    type: path
  client_key:
    description:
      - Path of a PEM file on the target with the key of O(client_cert).
    type: path
  jobs:
    description:
      - Number of blobs that are sent at the same time, 1 to 20. No more images than this are begun at any time.
    type: int
    default: 4
  retries:
    description:
      - Number of retries for temporary failures, such as an interrupted transfer or an overloaded registry. Wrong
        credentials fail immediately.
      - An interrupted blob is resumed where it stopped, if the registry supports that.
    type: int
    default: 3
  retry_delay:
    description:
      - Seconds before the first retry. Each further delay is twice as long, up to a minute. If the registry asks for a
        longer delay, it is respected.
    type: float
    default: 2.0
  timeout:
    description:
      - Seconds for one blob, including retries.
    type: int
    default: 3600
  stall_timeout:
    description:
      - Seconds without any data after which a transfer is stopped and retried.
    type: int
    default: 120
  # -- programs and jobs on the host
  log_file:
    description:
      - Path of a file on the target to which a log is appended. Every line has the time, the level, and the numbers of
        the image in the list and of its platform image.
      - Nothing is logged in check mode.
    type: path
  progress_file:
    description:
      - Path of a file on the target in which the run reports its progress, for programs that follow it. It is a small
        JSON document that is rewritten every second, is always complete, and remains when the run has ended.
      - Nothing is written in check mode.
      - The task itself shows the progress on the controller, using a file of its own, unless it has C(async) or runs in
        check mode.
    type: path
  debug:
    description:
      - Log more, and return the last lines in RV(log).
    type: bool
    default: false
notes:
  - An option that is set to empty text or null has the same effect as one that is not set, so environment variables
    also apply.
  - Proxies are taken from the environment of the task (E(HTTPS_PROXY), E(HTTP_PROXY), E(NO_PROXY), also in lower case).
  - The API of registries does not say how much space is left. A load needs as much as RV(stats.bytes_pushed) says in
    check mode, and some registries twice that while blobs arrive.
  - The API has no conditional writes. Just before a tag is written, it is asked for once more, so that another load
    that runs at the same time is noticed.
  - Keep the garbage collection of the registry from running during a load. It may remove blobs that no manifest names
    yet.
seealso:
  - module: airgap.images.image_save
  - name: OCI distribution specification
    description: The API of registries that this module uses.
    link: https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""
EXAMPLES = r"""
- name: Load everything from a USB stick into the registry of the site
  airgap.images.image_load:
    src:
      - /media/usb/rancher-v2.7.9.tar.gz.lock.json
    registry: registry.lan:5000
    username: "{{ vault_registry_user }}"
    password: "{{ vault_registry_password }}"
    ca_path: /etc/pki/company-ca.pem

- name: Keep the registries of the images as parts of their names, and record what arrived
  airgap.images.image_load:
    src:
      - /media/usb
    registry: registry.lan:5000/mirror
    keep_registry: true
    receipt: /srv/airgap/rancher.receipt.json
  register: loaded

- name: Have the nodes of a K3s cluster find the images under their old names
  ansible.builtin.copy:
    content: "{{ loaded.registries_yaml }}"
    dest: /etc/rancher/k3s/registries.yaml
    mode: "0600"

- name: Load a few images, but move no tag that exists
  airgap.images.image_load:
    src:
      - /srv/airgap/rancher-v2.7.9.tar.gz.part0
    images:
      - rancher/rancher:v2.7.9
    registry: registry.lan:5000
    on_conflict: keep

- name: Have a K3s node import the images when it starts, without any registry
  airgap.images.image_load:
    src:
      - /media/usb
    to: containerd_images
    dest: /var/lib/rancher/k3s/agent/images/rancher.tar
"""

RETURN = r"""
msg:
  description: What was done, in a sentence. If something failed, each cause with the first images.
  returned: always
  type: str
  sample: 'loaded 42 images into registry.lan:5000 (30 pushed, 1 tagged): 1.2 GiB in 211 blobs'
succeeded:
  description: Whether all images were loaded.
  returned: when the archives could be read
  type: bool
  sample: true
registry:
  description: The registry that was loaded into, with its path.
  returned: with O(to=registry), when the archives could be read
  type: str
  sample: registry.lan:5000/mirror
dest:
  description: The file of images.
  returned: with O(to=containerd_images), when the archives could be read
  type: str
  sample: /var/lib/rancher/k3s/agent/images/rancher.tar
size:
  description: Bytes of that file.
  returned: with O(to=containerd_images), when the archives could be read
  type: int
  sample: 1288490188
notes:
  description: What may surprise about names and digests, what the files for clusters cannot express, and images that
    C(podman load) does not find in a file.
  returned: when the archives could be read
  type: list
  elements: str
  sample: []
images:
  description: The images that were to be loaded, with their results.
  returned: when the archives could be read
  type: list
  elements: dict
  contains:
    reference:
      description: The normalised reference, as the archive has it.
      type: str
    target:
      description: Its name in the registry. Empty if no archive has it.
      type: str
    digest:
      description: The digest that the tag is to name in the registry.
      type: str
    action:
      description:
        - V(pushed) if manifests were pushed, V(tagged) if only the tag was, V(present) if the registry had it, V(kept)
          if its tag names another image and was left, or V(failed). In check mode, what would be done.
        - With O(to=containerd_images), V(written), V(present), V(failed), or V(not_written) because another failed.
      type: str
    reason:
      description: Why it failed. Empty if it did not.
      type: str
  sample:
    - reference: docker.io/rancher/rancher:v2.7.9
      target: registry.lan:5000/rancher/rancher:v2.7.9
      digest: sha256:5e1c8f2a7b3d49c06d1f80a2e4b95c7386f0d2a1b4c5e6978091a2b3c4d5e6f7
      action: pushed
      reason: ''
failed_images:
  description: The images that could not be loaded, in order.
  returned: when the archives could be read
  type: list
  elements: dict
  contains:
    reference:
      description: The normalised reference.
      type: str
    origin:
      description: Its place in the list, or the archive and its number there.
      type: str
    reason:
      description: What happened, and what to do.
      type: str
  sample: []
moved_tags:
  description: The tags that named another image before.
  returned: with O(to=registry), when the archives could be read
  type: list
  elements: dict
  contains:
    target:
      description: The name in the registry.
      type: str
    before:
      description: The digest that it named before.
      type: str
    after:
      description: The digest that it names now.
      type: str
  sample: []
invalid_lines:
  description: The lines of lists that are not valid references. Each one counts as failed.
  returned: when the archives could be read
  type: list
  elements: dict
  contains:
    origin:
      description: File and line number, or the number of the item in O(images).
      type: str
    line:
      description: The content of the line.
      type: str
    reason:
      description: Why it is not a valid reference.
      type: str
  sample: []
causes:
  description: Why images and lines failed. Those that failed in the same way are one cause, the most frequent first.
  returned: when the archives could be read
  type: list
  elements: dict
  contains:
    kind:
      description: V(refused) for a login or an account, V(missing), V(connection), V(proxy), V(manifest), V(content),
        V(disk), V(line) for lines that are not valid references, or V(transfer) for all others.
      type: str
    sentence:
      description: What happened, to how many images, and what to do.
      type: str
    pattern:
      description: The same with C({images}) in place of the number, which is equal for equal causes.
      type: str
    count:
      description: Number of images or lines.
      type: int
    references:
      description: All of them, in the order of the list.
      type: list
      elements: str
    origins:
      description: The position of each in the list.
      type: list
      elements: str
  sample:
    - kind: refused
      sentence: "registry.lan:5000 refused user 'robot' for 2 images: unauthorized. The password may be wrong or have
        expired; some registries answer so for repositories that do not exist"
      pattern: "registry.lan:5000 refused user 'robot' for {images}: unauthorized. The password may be wrong or have
        expired; some registries answer so for repositories that do not exist"
      count: 2
      references: ['registry.lan:5000/team/app:1', 'registry.lan:5000/team/web:2']
      origins: ['/srv/airgap/team.txt:1', '/srv/airgap/team.txt:2']
left_out:
  description: Number of images of the archives that were not asked for.
  returned: when the archives could be read
  type: int
  sample: 0
projects_created:
  description: The projects that were created in Harbor. In check mode, those that would be created.
  returned: with O(to=registry), when the archives could be read
  type: list
  elements: str
  sample: [rancher]
receipt:
  description: Path of the receipt. Empty if none was asked for.
  returned: with O(to=registry), when the archives could be read
  type: str
  sample: /srv/airgap/rancher.receipt.json
receipts:
  description: The receipts that are there after the run, one for each archive or set, that of O(receipt) first.
  returned: with O(to=registry), when the archives could be read
  type: list
  elements: dict
  contains:
    path:
      description: Path of the file.
      type: str
    archives:
      description: The lock files that it is for.
      type: list
      elements: str
    complete:
      description: Whether the registry has all that they list.
      type: bool
    confirmation:
      description: The line that confirms it. Empty if it is not complete, and in check mode if it would be new.
      type: str
  sample:
    - path: /srv/airgap/rancher.receipt.json
      archives: [rancher-2024-02.tar.gz.lock.json]
      complete: true
      confirmation: 6d2f0a91c44be870-1b9c03f5a7e82d64
confirmation:
  description: The line that confirms that all of the newest archive arrived, to be read out over the telephone. Empty
    if it did not, or if there is no receipt.
  returned: with O(to=registry), when the archives could be read
  type: str
  sample: 6d2f0a91c44be870-1b9c03f5a7e82d64
lacking:
  description: Blobs that bundles rest on and that are nowhere. If there are any, nothing was loaded.
  returned: when the archives could be read
  type: list
  elements: dict
  contains:
    digest:
      description: Digest of the blob.
      type: str
    size:
      description: Its bytes.
      type: int
    images:
      description: The images that need it.
      type: list
      elements: str
    archive:
      description: Name of the archive that carried it.
      type: str
    parts:
      description: The parts of that archive that it may be in.
      type: list
      elements: str
  sample: []
request_files:
  description: Paths of the files that ask for what is missing.
  returned: when the archives could be read, also if O(verify=first) has found damage
  type: list
  elements: str
  sample: []
fulfilled:
  description: The sha256 of the lock files of the archives of which nothing is missing, as far as this run has seen.
    What was requested of them before need not be carried any more. Empty without O(request_file).
  returned: when the archives could be read
  type: list
  elements: str
  sample: []
report:
  description: Path of the report. Empty if none was asked for.
  returned: with O(to=registry), when the archives could be read
  type: str
  sample: /srv/airgap/rancher.load.html
stats:
  description: Statistics of the run. In check mode, what it would do. With O(to=containerd_images), these are only
    C(images), C(blobs) and C(bytes) of the file, and C(seconds).
  returned: when the archives could be read
  type: dict
  contains:
    images:
      description: References that are in the registry now.
      type: int
    heads:
      description: Requests that only asked.
      type: int
    blobs_pushed:
      description: Blobs that were sent.
      type: int
    blobs_mounted:
      description: Blobs that were mounted from another repository of the registry.
      type: int
    blobs_present:
      description: Blobs that were there, as far as they were asked for.
      type: int
    bytes_pushed:
      description: Bytes of the blobs that were sent.
      type: int
    bytes_mounted:
      description: Bytes of the blobs that were mounted.
      type: int
    bytes_present:
      description: Bytes of the blobs that were there.
      type: int
    seconds:
      description: Wall time of each stage.
      type: dict
  sample:
    images: 42
    heads: 251
    blobs_pushed: 211
    blobs_mounted: 12
    blobs_present: 0
    bytes_pushed: 1288490188
    bytes_mounted: 61341696
    bytes_present: 0
    seconds: {read: 0.041, ask: 0.514, push: 14.201}
registries_yaml:
  description: A C(registries.yaml) for K3s and RKE2, by which nodes find the images under their old names. Add the
    certificate and the login of the registry under C(configs) if it needs them.
  returned: with O(to=registry), when the archives could be read
  type: str
  sample: |
    mirrors:
      "docker.io":
        endpoint:
          - "https://registry.lan:5000"
hosts_toml:
  description: A C(hosts.toml) for containerd for each registry, by its name. Its path on a node is
    C(/etc/containerd/certs.d/NAME/hosts.toml).
  returned: with O(to=registry), when the archives could be read
  type: dict
  sample:
    docker.io: |
      server = "https://registry.lan:5000"

      [host."https://registry.lan:5000"]
        capabilities = ["pull", "resolve"]
system_default_registry:
  description: The value of Rancher's setting C(system-default-registry). Empty if its images have other names than
    Rancher expects.
  returned: with O(to=registry), when the archives could be read
  type: str
  sample: registry.lan:5000
log:
  description: The last lines of the log.
  returned: when O(debug=true)
  type: list
  elements: str
  sample:
    - '2026-11-22T09:12:31.402Z INFO pushing registry.lan:5000/rancher/rancher:v2.7.9'
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.airgap.images.plugins.module_utils._host.payload import compile_once

compile_once()  # before everything that is to be imported that way
# isort: split

from ansible_collections.airgap.images.plugins.module_utils._archive.receipt import DEPTHS, TAGS
from ansible_collections.airgap.images.plugins.module_utils._base.errors import ImagesError
from ansible_collections.airgap.images.plugins.module_utils._host.disk_errors import reason
from ansible_collections.airgap.images.plugins.module_utils._host.environment import forget, text_of_environment
from ansible_collections.airgap.images.plugins.module_utils._host.job import as_job
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._host.module import Module, end, fail, require_library
from ansible_collections.airgap.images.plugins.module_utils._host.progress import PRIVATE
from ansible_collections.airgap.images.plugins.module_utils._host.signals import ignore_signals, stop_on_signals
from ansible_collections.airgap.images.plugins.module_utils._host.umask import settle_umask
from ansible_collections.airgap.images.plugins.module_utils._http.transport import REQUESTS_ERROR
from ansible_collections.airgap.images.plugins.module_utils._load.options import (
    AUTO,
    CONTAINERD_IMAGES,
    FIRST,
    NO_REFERRERS,
    ON_CONFLICT,
    REGISTRY,
    REPLACE,
    SOURCE,
    WHILE,
)
from ansible_collections.airgap.images.plugins.module_utils._load.task import do_task
from ansible_collections.airgap.images.plugins.module_utils._load.verify import LostParts
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import LIST_FORMATS, PLAIN


def argument_spec() -> dict[str, dict[str, object]]:
    """The options, as DOCUMENTATION describes them."""
    return {
        "src": {"type": "list", "elements": "path", "required": True},
        "to": {"type": "str", "choices": [REGISTRY, CONTAINERD_IMAGES], "default": REGISTRY},
        "dest": {"type": "path"},
        "registry": {"type": "str"},
        "keep_registry": {"type": "bool", "default": False},
        "rewrites": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"from": {"type": "str", "required": True}, "to": {"type": "str", "required": True}},
        },
        "images": {"type": "list", "elements": "str", "default": []},
        "list_files": {"type": "list", "elements": "path", "default": []},
        "list_format": {"type": "str", "choices": list(LIST_FORMATS), "default": PLAIN},
        "origins": {"type": "list", "elements": "str", "default": []},
        "exclude": {"type": "list", "elements": "str", "default": []},
        "share": {"type": "str"},
        "share_among": {"type": "list", "elements": "str", "default": []},
        "on_conflict": {"type": "str", "choices": list(ON_CONFLICT), "default": REPLACE},
        "index": {"type": "str", "choices": [AUTO, SOURCE], "default": AUTO},
        "verify": {"type": "str", "choices": [WHILE, FIRST], "default": WHILE},
        "check_target": {"type": "str", "choices": list(DEPTHS), "default": TAGS},
        "referrers": {"type": "str", "choices": [AUTO, NO_REFERRERS], "default": AUTO},
        "create_projects": {"type": "bool", "default": False},
        "project_public": {"type": "bool", "default": False},
        "project_quota": {"type": "str"},
        "receipt": {"type": "path"},
        "request_file": {"type": "path"},
        "report": {"type": "path"},
        "failed_list": {"type": "path"},
        "username": {"type": "str", "fallback": (text_of_environment, ["DEST_USERNAME"])},
        "password": {"type": "str", "no_log": True, "fallback": (text_of_environment, ["DEST_PASSWORD"])},
        "authfile": {"type": "path"},
        "validate_certs": {"type": "bool", "default": True, "aliases": ["tls_verify"]},
        "ca_path": {"type": "path"},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path", "no_log": False},
        "jobs": {"type": "int", "default": 4},
        "retries": {"type": "int", "default": 3},
        "retry_delay": {"type": "float", "default": 2.0},
        "timeout": {"type": "int", "default": 3600},
        "stall_timeout": {"type": "int", "default": 120},
        "log_file": {"type": "path"},
        "progress_file": {"type": "path"},
        "debug": {"type": "bool", "default": False},
    }


def make_module() -> AnsibleModule:
    """Read the options, and check them against each other."""
    return Module(
        argument_spec=argument_spec(),
        supports_check_mode=True,
        required_together=[("username", "password")],
        required_if=[("to", REGISTRY, ["registry"]), ("to", CONTAINERD_IMAGES, ["dest"])],
    )


def main() -> None:
    module = make_module()
    check, params = module.check_mode, module.params
    private = as_job(os.environ.pop(PRIVATE, None))
    forget(os.environ, "DEST_USERNAME", "DEST_PASSWORD")
    settle_umask(os.environ)
    if params["to"] == REGISTRY:
        require_library(module, "requests", REQUESTS_ERROR)
    log = Log(debug=params["debug"])
    stop = stop_on_signals(keeps=not check)
    try:
        ended = do_task(params, private, check=check, log=log, stop=stop)
    except LostParts as error:
        fail(module, log, str(error), changed=error.changed, more={"request_files": list(error.requests)})
    except ImagesError as error:
        fail(module, log, str(error), changed=error.changed)
    except OSError as error:
        fail(module, log, f"{error.filename or 'a file'} cannot be read or written: {reason(error)}")
    ignore_signals()
    if stop.reason and not ended.is_failure:
        module.warn("the run was asked to end when only its last steps were left, and went on to its end")
    returned = ended.returned
    if module._diff:
        returned["diff"] = ended.diff
    end(module, log, returned, warnings=ended.warnings, is_failure=ended.is_failure)


if __name__ == "__main__":
    main()
