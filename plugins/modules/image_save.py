#!/usr/bin/python
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_save
short_description: Save container images into files that cross an air gap
version_added: 0.1.0
description:
  - Fetches container images from their registries and writes them into one verified archive, optionally in parts of a
    given size, with checksums and a lock file next to it.
  - >-
    Six options are enough for most tasks. O(images) and O(list_files) name the images, O(arch) and O(os) choose their
    platforms, O(dest) is the archive, and O(part_size) splits it. For example,
    C({list_files: [/srv/airgap/images.txt], arch: [amd64], os: [linux], dest: /srv/airgap/images, part_size: 4GB}).
  - Of the others, O(registries) has logins, certificates and mirrors, O(failed_list) and O(allow_partial) are for
    images that fail, and O(cache_dir) and O(keep_cache) for disks that are small.
  - The archive is an OCI image layout. skopeo copies images from it and keeps all digests. oras and regctl can copy
    images from it by digest. C(hangar load) 1.6 can load it, except for images with zstd layers and artefacts. The same
    images with the same options produce the same bytes.
  - Blobs are kept in a cache, so that later runs fetch only what is new. A run with nothing new only asks the
    registries for the digests of the tags, and changes nothing.
  - Files get their final names only when they are complete. A run that fails leaves the previous archive unchanged.
  - The module does not need root or a container engine.
author:
  - airgap.images contributors (@airgap-images)
requirements:
  - skopeo >= 1.6
  - Python >= 3.9
  - requests
  - zstandard, for O(compress=zstd) only
attributes:
  check_mode:
    support: full
    description: Can run in check mode and return what would change without changing anything.
    details:
      - Asks the registries for digests and manifests, but does not fetch layers or write files.
      - With O(allow_partial=true), an image whose copy failed in the last run is expected to fail again for the same
        reason.
  diff_mode:
    support: full
    description: Returns details on what has changed (or would change in check mode) when in diff mode.
    details:
      - Shows the references, and the digests of their platform images, before and after.
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
    details:
      - O(force=true) writes the archive again in every run.
      - If a tag is moved in the registry between the runs, this is a change.
  platform:
    support: full
    platforms: posix
    description: Target OS that can be operated against.
    details:
      - Linux is required for stopping skopeo together with a killed module.
options:
  # -- most common
  images:
    description:
      - Image references, such as V(rancher/rancher:v2.7.9), V(quay.io/jetstack/cert-manager-controller:v1.12.3),
        V(registry.lan:5000/team/app@sha256:…).
      - If the registry is missing, it is Docker Hub. If both tag and digest are missing, the tag is V(latest). If both
        are given, the digest counts.
      - Blank lines and lines that begin with V(#) or V(//) are ignored, so the content of a list file can be given as
        well.
      - Lines that are not valid references count as failed and are returned in RV(invalid_lines).
    type: list
    elements: str
    default: []
  list_files:
    description:
      - Paths of text files on the target with one reference per line, in the format of O(images).
      - The files can be UTF-8 or UTF-16, with or without a byte order mark, and with any line endings.
    type: list
    elements: path
    default: []
  arch:
    description:
      - Architectures to save, such as V(amd64), V(arm64) or V(s390x). V(arm/v7) selects only this variant.
    type: list
    elements: str
    default: [amd64, arm64]
  os:
    description:
      - Operating systems to save.
    type: list
    elements: str
    default: [linux, windows]
  dest:
    description:
      - Path of the archive on the target. If the suffix is missing, it is added according to the format, V(.tar.gz),
        V(.tar.zst) or V(.tar). With O(compress=dir) this is the path of a directory.
      - With O(part_size) or O(part_at=image), the archive is C(DEST.part0), C(DEST.part1) and so on.
      - The other files are next to it and have the same name with a suffix. C(DEST.sha256) has the checksums,
        C(DEST.lock.json) records the contents, C(DEST.report.html) and C(DEST.report.csv) describe them for people,
        C(DEST.report.json) has the facts of the report that the lock file does not have, and the script
        C(DEST.restore.sh) unpacks the archive on the other side.
      - Only users that you trust should be able to write to its directory. Links under any of these names are replaced,
        and never followed.
    type: path
    required: true
  part_size:
    description:
      - Split the archive into parts of this size. This is a number of bytes, or a number with a unit as in C(split).
        V(K), V(M), V(G), V(T) and V(KiB), V(MiB), … are powers of 1024, V(KB), V(MB), … are powers of 1000. Fractions
        such as V(4.7GB) are accepted.
      - By default, the archive is a single file.
      - The task fails before the first byte if a part could be larger than the maximum file size on the filesystem of
        O(dest), which is 4 GiB minus one byte on FAT32.
    type: str
  # -- what to save
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
      - Where the lines of O(images) and O(list_files), or the images of O(from_lock), come from, as messages and
        results name it, if these were made of other lists. One entry for each image of the lock file, or for each line
        that is neither blank nor a comment, such as V(rancher-images.txt:12) or V(image_save_images, item 3). Ignored
        if the number is different.
      - The role sets it, so that a failed image is found in the list that the user has written.
    type: list
    elements: str
    default: []
  from_lock:
    description:
      - Path of a lock file on the target (RV(lock_file) of an earlier run). Saves exactly the digests in that file,
        whatever the tags are now.
      - The lock file then determines which images and platforms are saved. O(arch) and O(os) have no effect.
    type: path
  request:
    description:
      - Path on the target of a request, C(NAME.request.json), as M(airgap.images.image_verify) and
        M(airgap.images.image_load) write it on the other side. Makes exactly the parts and blobs that it asks for. The
        images are those of the lock file. O(images), O(list_files) and the options that decide over the content and the
        bytes have no effect, so a request can be added to the task that has saved the archive.
      - The lock file that the request is for must be the one next to O(dest), or in O(from_lock).
      - What is made is in the directory C(NAME.requested) next to O(dest), which is the whole answer. The archive at
        O(dest) is not touched, and may be incomplete or gone. Carry the directory, and add it to the paths of the
        archive on the other side, in any order.
      - The parts are written from the cache, where nothing but them is kept, and must have the checksums of the lock
        file. What the cache has lost is fetched again by digest. If this release or its compression library would write
        other bytes than those of the archive, the task fails before it begins.
      - Blobs that the request asks for by digest are in C(NAME-requested), a bundle whose base is the archive.
    type: path
  since:
    description:
      - Paths on the target of the lock files and receipts of archives that were carried before. The archive then is a
        bundle, which leaves out the layers that these archives had. The lock file of a set stands for the lock files of
        its hosts, which must be in the directories next to it.
      - A receipt, which M(airgap.images.image_load) writes, says which images of an archive have arrived. An archive
        without a receipt is assumed to have arrived, and the lock file of the bundle says so. The other side checks it
        before anything is changed there.
      - A bundle always has all manifests, indexes and configurations, and its lock file describes the whole list. A
        layer that it leaves out need not be in O(cache_dir), and is not downloaded.
      - If there is no new blob, no moved tag and no changed list, no bundle is written, and the task reports no change.
      - A bundle only replaces a bundle of the same base. The task fails if anything else is at O(dest).
      - Leave it out to save a full archive, which is always possible.
    type: list
    elements: path
    default: []
  since_missing:
    description:
      - What happens if a file in O(since) does not exist, or cannot be used. V(error) fails, V(full) saves a full
        archive.
    type: str
    choices: [error, full]
    default: error
  since_confirmed:
    description:
      - Lines that were read out over the telephone where no receipt may leave the other side. Each confirms that
        archives in O(since) have arrived completely. M(airgap.images.image_load) returns them.
    type: list
    elements: str
    default: []
  fail_on_missing_platform:
    description:
      - Count images that have none of the requested platforms as failed. By default they are skipped, and returned in
        RV(skipped_images).
    type: bool
    default: false
  include_foreign_layers:
    description:
      - Also fetch foreign layers (base layers of Windows images that have URLs of their own). They are fetched from the
        registry by digest. If the registry does not have them, the image fails.
    type: bool
    default: false
  referrers:
    description:
      - Whether to save what refers to the images in their repositories, such as signatures, attestations and SBOMs.
      - With V(auto), the index and each saved manifest of an image are looked for in the registry's lists of referrers,
        or under the tags C(sha256-DIGEST) that take their place, and under the tags C(sha256-DIGEST.sig),
        C(sha256-DIGEST.att) and C(sha256-DIGEST.sbom) of cosign. Whatever refers to what was found is looked for as
        well. O(arch) and O(os) make no difference to them.
      - Each is saved as a reference of its own, right behind its image. M(airgap.images.image_load) loads them after
        what they refer to.
      - They are asked for in every run, because a new signature does not change the digest of its image. This takes
        one request for the tags of each repository, one for each tag that is found, and one for each manifest where
        the registry keeps lists of referrers.
      - The signature policy decides about images. It is not asked about artefacts that refer to them, because nobody
        signs signatures. What names a platform is treated as an image.
      - With O(from_lock), the lock file decides.
    type: str
    choices: [auto, none]
    default: none
  # -- registries and signatures
  registries:
    description:
      - Options that differ from one registry to another, with one entry for each registry - its login, its
        certificates, or a mirror to fetch its images from.
      - What an entry does not set is as for all registries, except for O(username) and O(password), which belong to a
        single registry.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description:
          - Host of the registry, with its port if it has one, such as V(docker.io) or V(registry.lan:5000).
        type: str
        required: true
      username:
        description:
          - User name. It takes precedence over those in login files.
        type: str
      password:
        description:
          - Password or access token for O(registries[].username).
        type: str
      validate_certs:
        description:
          - Whether to verify the certificates of this registry, of its token service and of its storage. With V(false),
            plain HTTP is used if the registry does not support HTTPS.
          - If not set, O(validate_certs) applies.
        type: bool
      ca_path:
        description:
          - Path of a PEM file on the target with certificates of additional authorities to trust for this registry.
          - If not set, O(ca_path) applies.
        type: path
      client_cert:
        description:
          - Path of a PEM file on the target with the client certificate for this registry, and its key unless
            O(registries[].client_key) is set.
          - If not set, O(client_cert) and O(client_key) apply.
        type: path
      client_key:
        description:
          - Path of a PEM file on the target with the key of O(registries[].client_cert).
        type: path
      mirror:
        description:
          - Registry to fetch the images of this registry from. Either a host, with a port if needed, or a host and a
            path that is prefixed to each repository, such as V(mirror.lan:5000/dockerhub). The registry itself is then
            not asked for anything, not even if the mirror lacks an image.
          - The archive, the lock file and the report use the names in the list, and the signature policy is that for
            the name in the list. Login and certificates are those of the mirror, which can have an entry with its host
            in O(registries). This is why no other option can be set in the same entry.
          - It takes precedence over C(registries.conf), which is not used for these images. O(source_registry) takes
            precedence over it.
        type: str
  username:
    description:
      - User name for O(source_registry), or for the only registry that the images come from. If they come from several
        registries, use O(registries).
      - If not set, the environment variable E(SOURCE_USERNAME) is used.
    type: str
  password:
    description:
      - Password or access token for O(username).
      - If not set, the environment variable E(SOURCE_PASSWORD) is used.
    type: str
  authfile:
    description:
      - Path of a login file on the target, as written by C(skopeo login) and C(docker login).
      - By default, the files that skopeo searches are used.
    type: path
  source_registry:
    description:
      - Registry to fetch all images from, instead of the one that each reference names. Either a host, with a port if
        needed, or a host and a path that is prefixed to each repository, such as V(mirror.lan:5000/dockerhub).
      - The archive uses the names in the list.
      - If not set, the environment variable E(SOURCE_REGISTRY) is used.
    type: str
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
  signature_policy:
    description:
      - Path of a signature policy on the target (containers-policy.json) to use instead of the system's.
      - The current policy always applies. If its content, the content of a key that it names, C(registries.d) or
        C(registries.conf) has changed since the previous run, every image of the existing archive has to be accepted
        again. No layers are fetched for this. Images that are refused now fail.
    type: path
  insecure_policy:
    description:
      - Accept any image, regardless of the signature policy.
    type: bool
    default: false
  # -- files of the archive
  compress:
    description:
      - Format of the archive. V(gzip), V(zstd) and V(none) write a tar file.
      - V(dir) writes a directory with the same files. If the cache is on the same filesystem, blobs are hard links into
        it, as long as O(mode), O(owner), O(group), O(attributes) and the options for SELinux are not set. A file with
        other names is copied before any of these are applied, so that the cache and other archives stay unchanged.
    type: str
    choices: [gzip, zstd, none, dir]
    default: gzip
  compress_level:
    description:
      - Compression level for everything in the archive, 0 to 9 for gzip, 1 to 22 for zstd.
      - By default, content that is already compressed, like nearly all layers, is stored as it is, and only the rest is
        compressed. With zstd, the library skips incompressible content. This is many times faster and costs about half
        a percent in size.
    type: int
  part_at:
    description:
      - Where parts end. With V(size), all parts but the last have O(part_size).
      - With V(image), a part also ends behind each image. Then the bytes of a part depend only on its own image and on
        which of its blobs an earlier image has brought. When a few images of the list change, all other parts keep
        their content, and only their numbers shift. The last part has the documents of the whole archive, and always
        changes. O(part_size) is optional then.
      - With more than 10,000 parts, the task fails before the first byte. This is estimated from the number of images
        and their sizes.
    type: str
    choices: [size, image]
    default: size
  part_digits:
    description:
      - Minimum number of digits in the name of a part, padded with zeros.
      - By default, all numbers have as many digits as the last one, V(.part0) to V(.part9), or V(.part00) to
        V(.part41), so that C(cat DEST.part*) joins them in the right order. C(hangar load) only reads parts without
        leading zeros, so set V(1) for it if there are more than ten.
    type: int
  parity:
    description:
      - Also write C(DEST.parity), from which any one part that is lost or damaged on the way can be made again on the
        other side, without another trip. It is as large as the largest part. With 20 parts or more, these are
        C(DEST.parity0), C(DEST.parity1) and so on, one for every 20 parts, and each of them makes one part again of
        those that belong to it.
      - Requires O(part_size), and an archive of at least two parts. The parts are read once more for it. A bundle in
        one part has no parity file, and RV(notes) says so.
      - Parity files are not parts. RV(checksum_file) does not name them, and nothing that reads the archive needs them.
        Carry them on another medium than the parts.
      - For an existing archive, they are written or removed without writing the parts again.
    type: bool
    default: false
  verify:
    description:
      - How the published archive is checked if nothing else has changed. V(digest) compares the sha256 of each part.
        Parts that were not touched since they were last read are not read again. V(size) only compares sizes, and does
        not detect changed bytes.
      - Blobs are always checked by digest when they go into an archive.
    type: str
    choices: [digest, size]
    default: digest
  force:
    description:
      - Write the archive again even when nothing changed.
    type: bool
    default: false
  # -- images that fail
  failed_list:
    description:
      - Path of a file on the target that lists what failed, one reference per line, with the reason as a comment. The
        file can be used in O(list_files) without changes.
      - If nothing failed, the file is not created, and the file of an earlier run is removed. A file that is not such a
        list, or a link, is never touched, and the task fails.
    type: path
  allow_partial:
    description:
      - Save an archive without the images that failed, and do not fail because of them.
      - By default, the task fails after all images were tried. What was fetched stays in the cache, except with
        O(keep_cache=false).
    type: bool
    default: false
  # -- disk space
  cache_dir:
    description:
      - Directory on the target for fetched blobs. Runs for several archives can share it, one at a time. On NFS this
        also holds between hosts, unless it is mounted with C(nolock) or C(local_lock).
      - By default, this is C(saved-image-cache) next to O(dest).
      - The task fails if other users could replace the directory or its content. It must belong to the task's user, and
        neither it nor a directory above it may be writable by everyone. A directory above it may be if it has the
        sticky bit, like V(/tmp). Mount a USB stick (exFAT, FAT32), where the mount gives all files one owner and mode,
        with C(uid=) and C(umask=077).
      - If its filesystem does not support modes, login files and links to client keys are elsewhere during the run.
    type: path
  keep_cache:
    description:
      - Whether blobs stay in O(cache_dir) after they were added to the archive.
      - With V(false), each blob is removed as soon as it is in the archive and no later image needs it, so that the run
        needs space for the archive and a few images instead of twice the size of all images. The lock file still tells
        the next run that nothing has changed. If something has changed, that run downloads all images again, and says
        so.
      - After a failure, nothing that the run has fetched is kept. Once an image has failed, nothing more is therefore
        fetched, and the remaining images fail with that reason, unless O(allow_partial=true).
      - A run that is stopped leaves behind what it had fetched but not yet archived, which is a few images.
    type: bool
    default: true
  prune_cache:
    description:
      - Remove everything from the cache that this archive does not need. Do not set this if several archives share the
        cache.
    type: bool
    default: false
  lock_timeout:
    description:
      - Seconds to wait for another run that uses the same O(cache_dir) or O(dest).
    type: int
    default: 0
  # -- networks
  jobs:
    description:
      - Number of simultaneous transfers, 1 to 20. Each one fetches a blob from the registry, or completes an image.
    type: int
    default: 4
  retries:
    description:
      - Number of retries for temporary failures, such as an interrupted transfer or an overloaded registry. Wrong
        credentials or missing tags fail immediately.
      - An interrupted layer is resumed where it stopped. A try that transferred a mebibyte or more does not count.
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
      - Seconds for the transfers of one platform image, including retries. Time spent waiting for its turn does not
        count.
    type: int
    default: 3600
  stall_timeout:
    description:
      - Seconds without any data after which a transfer is stopped and retried.
    type: int
    default: 120
  # -- programs and jobs on the host
  skopeo_path:
    description:
      - Name or path of the skopeo program on the target.
    type: path
    default: skopeo
  skopeo_copy:
    description:
      - Which images are copied by C(skopeo copy).
      - With V(auto), those of which skopeo has anything to decide. Other images are written without it, with the same
        bytes. These are images from repositories for which the signature policy accepts anything, and whose registry
        C(registries.conf) does not name. The first one of each registry in a run is copied by skopeo too, and compared.
        If the copies differ, skopeo copies all images of that registry, and RV(notes) says so.
      - With V(always), skopeo copies every image. What it cannot read is refused before its layers are fetched.
      - Docker schema 1 images are always converted by skopeo.
    type: str
    choices: [auto, always]
    default: auto
  # -- log and progress
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
extends_documentation_fragment:
  - ansible.builtin.files
notes:
  - An option that is set to empty text or null has the same effect as one that is not set, so environment variables
    also apply. The same is true for the options of O(registries).
  - Proxies are taken from the environment of the task (E(HTTPS_PROXY), E(HTTP_PROXY), E(NO_PROXY), also in lower case),
    which is interpreted as by skopeo and other Go programs. SOCKS proxies are not supported.
  - The module fetches each layer itself, once. Where the signature policy has any requirement, skopeo then completes
    each image, and therefore makes the final decision about the policy, after the layers were fetched, for every
    repository under which an image is listed; see also O(skopeo_copy). If one of these repositories has lost a layer,
    it is taken from another one in the list that has it.
  - Registries that appear in C(registries.conf), in its drop-in directories or in the file that
    E(CONTAINERS_REGISTRIES_CONF) names are left to skopeo completely, for manifests as well as layers. Mirrors,
    C(location), C(insecure) and C(blocked) therefore have the same effect as for skopeo, and a blocked registry is
    never contacted. A run with nothing new requests a manifest for each image of such a registry, instead of a HEAD.
    Short-name aliases are not used, so a bare name means C(docker.io/library). Images that come from a mirror in
    O(registries) are not affected by C(registries.conf).
  - Credentials are passed to skopeo in a file that only the user of the task can read, and that is removed when the
    module ends. They never appear on a command line.
  - The bytes of an archive depend on the version of zlib (V(gzip)) or zstd (V(zstd)) for the content that is
    compressed. RV(lock_file) records the version.
seealso:
  - name: hangar
    description: The tool whose archive format this module writes.
    link: https://github.com/cnrancher/hangar
  - name: OCI image layout
    description: The specification of the content of an archive.
    link: https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

EXAMPLES = r"""
- name: Save the images of a Rancher release for a USB stick
  airgap.images.image_save:
    list_files:
      - /srv/airgap/rancher-images.txt
    dest: /srv/airgap/rancher-v2.7.9.tar.gz
    part_size: 4GB
    jobs: 10

- name: Save a few images for one platform, with credentials from a vault
  airgap.images.image_save:
    images:
      - rancher/rancher:v2.7.9
      - quay.io/jetstack/cert-manager-controller:v1.12.3
    arch: [amd64]
    os: [linux]
    registries:
      - host: docker.io
        username: "{{ vault_dockerhub_user }}"
        password: "{{ vault_dockerhub_token }}"
    dest: /srv/airgap/rancher.tar.zst
    compress: zstd

- name: Fetch what is on Docker Hub from a mirror with a login, and use plain HTTP for a build server alone
  airgap.images.image_save:
    list_files:
      - /srv/airgap/site-images.txt
    registries:
      - host: docker.io
        mirror: mirror.lan:5000/dockerhub
      - host: mirror.lan:5000
        username: "{{ vault_mirror_user }}"
        password: "{{ vault_mirror_token }}"
        ca_path: /etc/pki/company-ca.pem
      - host: builds.lan
        validate_certs: false
    dest: /srv/airgap/site.tar.gz

- name: Save everything from a mirror inside the company, and go on without what it lacks
  airgap.images.image_save:
    list_files:
      - /srv/airgap/rke2-images.txt
    source_registry: mirror.lan:5000/dockerhub
    ca_path: /etc/pki/company-ca.pem
    dest: /srv/airgap/rke2.tar.gz
    failed_list: /srv/airgap/rke2-failed.txt
    allow_partial: true

- name: Make the parts that were damaged on the way once more
  airgap.images.image_save:
    request: /srv/airgap/rancher-v2.7.9.tar.gz.request.json
    dest: /srv/airgap/rancher-v2.7.9.tar.gz

- name: Save again exactly what an earlier archive held
  airgap.images.image_save:
    from_lock: /srv/airgap/rancher-v2.7.9.tar.gz.lock.json
    dest: /srv/airgap/again/rancher-v2.7.9.tar.gz
"""

RETURN = r"""
changed:
  description: Whether a requested file is different now (in check mode, whether it would be).
  returned: always
  type: bool
  sample: true
reason:
  description: Why the archive was written, or why it was not. An archive of another release that this release would
    write with other bytes stays as it is until something else changes or O(force=true), which is mentioned here. So is
    the number of platform images in an existing archive that were accepted again, see O(signature_policy).
  returned: when the list could be processed
  type: str
  sample: 1 image added, 2 images changed
msg:
  description: What happened, and how much a bundle spares. After failures, each cause once, with the first of its
    images, and the path of the failed list.
  returned: always
  type: str
  sample: 'saved 3 images to /srv/airgap/rancher.tar.gz (4 files, 6.3 GiB): 1 image added'
notes:
  description: Special circumstances, such as links that are left out because the archive or the cache is on a USB
    stick, or a registry whose images were copied by skopeo after all, see O(skopeo_copy). Also part of RV(msg).
  returned: when the list could be processed
  type: list
  elements: str
  sample:
    - the cache /media/usb/cache has no links blobs, as there are no links on its filesystem
dest:
  description: Path of the archive, with its suffix.
  returned: when the list could be processed
  type: str
  sample: /srv/airgap/rancher.tar.gz
bundle:
  description: What the other side already has. Only sizes of blobs are added up, without the tar around them.
  returned: with O(since), unless the archive is full because of O(since_missing=full), and of a bundle that O(request)
    asks for
  type: dict
  contains:
    base:
      description: The archives in O(since), or the one that O(request) is for.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the archive.
          type: str
        receipt:
          description: Whether there is a receipt. Otherwise it is assumed that the archive has arrived.
          type: bool
    is_needed:
      description: Whether there is anything to carry. If not, no bundle is written.
      type: bool
    left_out:
      description: Number of layers that the bundle leaves out.
      type: int
    bytes_left_out:
      description: Their size.
      type: int
    bytes_full:
      description: Size of all blobs of a full archive, or V(0) if nothing was written.
      type: int
  sample:
    base:
      - name: rancher-2026-10.tar.gz
        receipt: true
    is_needed: true
    left_out: 4210
    bytes_left_out: 41234567890
    bytes_full: 43234567890
parts:
  description: The files of the archive in order. Empty with O(compress=dir); the lock file lists the files of the
    directory.
  returned: when the list could be processed
  type: list
  elements: dict
  contains:
    path:
      description: Path of the file.
      type: str
    size:
      description: Its size in bytes.
      type: int
    sha256:
      description: Its sha256 in hex digits.
      type: str
  sample:
    - path: /srv/airgap/rancher.tar.gz.part0
      size: 4294967296
      sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    - path: /srv/airgap/rancher.tar.gz.part1
      size: 1873651200
      sha256: 60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752
part_count:
  description: The number of files of the archive, those of a directory included.
  returned: when the list could be processed
  type: int
  sample: 2
parity_files:
  description: The files from which a lost part can be made again, see O(parity). Empty in check mode if they do not
    exist yet.
  returned: when the list could be processed
  type: list
  elements: dict
  contains:
    path:
      description: Path of the file.
      type: str
    size:
      description: Its size in bytes.
      type: int
    sha256:
      description: Its sha256 in hex digits.
      type: str
  sample:
    - path: /srv/airgap/rancher.tar.gz.parity
      size: 4294967296
      sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
images:
  description: The images of the list, in order, with their results.
  returned: when the list could be processed
  type: list
  elements: dict
  contains:
    reference:
      description: The normalised reference.
      type: str
    status:
      description: V(saved), V(skipped) or V(failed). V(fetched) if the image is in the cache, but no archive was
        written because others failed. V(carried) if no bundle was written because an earlier archive has everything. In
        check mode, V(saved) means that it would be saved.
      type: str
    digest:
      description: The digest of the reference in the registry. Empty if it could not be determined.
      type: str
    reason:
      description: Why the image was skipped or failed. Empty if it was saved.
      type: str
    notes:
      description: >-
        Anything that could not be kept, architectures that the image does not have, and zstd layers, because of which
        hangar does not load it.
      type: list
      elements: str
    platforms:
      description: The platform images in the archive, with attestations and artefacts.
      type: list
      elements: dict
      contains:
        platform:
          description: Operating system, architecture and variant. Empty for artefacts.
          type: str
        digest:
          description: Digest of the manifest in the archive.
          type: str
        size:
          description: Size of manifest, configuration and layers in bytes.
          type: int
    referrers:
      description: With O(referrers=auto), what was saved with it because it refers to it, or to another one of these.
      type: list
      elements: dict
      contains:
        reference:
          description: The reference in the archive.
          type: str
        kind:
          description: What it is. By a tag of cosign, V(signature), V(attestation) or V(SBOM); otherwise its own type.
          type: str
        refers_to:
          description: Digest of the manifest or index that it refers to.
          type: str
        digest:
          description: Digest of its manifest or index.
          type: str
        size:
          description: Size of its manifests, configurations and layers in bytes.
          type: int
  sample:
    - reference: docker.io/rancher/rancher:v2.7.9
      status: saved
      digest: sha256:5e1c8f2a7b3d49c06d1f80a2e4b95c7386f0d2a1b4c5e6978091a2b3c4d5e6f7
      reason: ''
      notes: []
      platforms:
        - platform: linux/amd64
          digest: sha256:0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9
          size: 583924117
      referrers: []
failed_images:
  description: The images that could not be saved, in the order of the list.
  returned: when the list could be processed
  type: list
  elements: dict
  contains:
    reference:
      description: The normalised reference.
      type: str
    origin:
      description: Its position in the list. File and line number, or the number of the item of an option.
      type: str
    reason:
      description: What happened, and what to do.
      type: str
  sample:
    - reference: docker.io/rancher/no-such-image:v1
      origin: /srv/airgap/rancher-images.txt:12
      reason: docker.io/rancher/no-such-image:v1 does not exist on docker.io
causes:
  description: Why images and lines failed. Those that failed in the same way are one cause, the most frequent first.
  returned: when the list could be processed
  type: list
  elements: dict
  contains:
    kind:
      description: V(refused) for a login or an account, V(missing), V(connection), V(proxy), V(platform), V(manifest),
        V(content), V(disk), V(not_fetched) after another failure with O(keep_cache=false), V(line) for lines that are
        not valid references, or V(transfer) for all others.
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
hint:
  description: What can be done about a failure besides removing its causes. Also part of RV(msg). Empty if there is
    nothing.
  returned: when the list could be processed
  type: str
  sample: What was fetched stays in the cache; allow_partial=true saves an archive without the images that fail
succeeded:
  description: False if the task fails because of images, also where C(failed_when) changes what Ansible makes of it.
  returned: when the list could be processed
  type: bool
  sample: true
skipped_images:
  description: The images that have none of the requested platforms.
  returned: when the list could be processed
  type: list
  elements: dict
  contains:
    reference:
      description: The normalised reference.
      type: str
    reason:
      description: The requested platforms, and those of the image.
      type: str
  sample:
    - reference: docker.io/rancher/wins:v0.4.11
      reason: none of the wanted platforms (amd64 on linux); the image has windows/amd64 (10.0.17763.4131)
invalid_lines:
  description: The lines that are not valid references. Each one counts as failed.
  returned: when the list could be processed
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
  sample:
    - origin: /srv/airgap/rancher-images.txt:40
      line: 'docker pull rancher/rancher'
      reason: it contains whitespace; expected one reference per line, and comments on lines of their own
stats:
  description: Statistics of the run.
  returned: when the list could be processed
  type: dict
  contains:
    images:
      description: References in the archive that were asked for.
      type: int
    referrers:
      description: References in the archive that were saved because they refer to others.
      type: int
    platform_images:
      description: Distinct platform images in the archive.
      type: int
    duplicates:
      description: Lines that repeat an image.
      type: int
    blobs_downloaded:
      description: Blobs that were fetched, manifests included.
      type: int
    blobs_reused:
      description: Blobs that were already in the cache. 0 if the archive was left as it was.
      type: int
    blobs_repaired:
      description: Damaged blobs of the cache that were fetched again.
      type: int
    bytes_downloaded:
      description: Bytes of the fetched blobs.
      type: int
    bytes_reused:
      description: Bytes of the blobs that were already in the cache.
      type: int
    bytes_archive:
      description: Bytes of the archive.
      type: int
    bytes_pruned:
      description: Bytes removed by O(prune_cache).
      type: int
    manifest_requests:
      description: Requests for manifests, by method.
      type: dict
    seconds:
      description: Wall time of each stage; copying and archiving overlap.
      type: dict
  sample:
    images: 3
    referrers: 0
    platform_images: 6
    duplicates: 0
    blobs_downloaded: 12
    blobs_reused: 41
    blobs_repaired: 0
    bytes_downloaded: 310478112
    bytes_reused: 6453112870
    bytes_archive: 6768591360
    bytes_pruned: 0
    manifest_requests: {HEAD: 3, GET: 2}
    seconds: {list: 0.001, resolve: 0.214, plan: 0.011, copy_and_archive: 41.705, publish: 0.052}
plan:
  description: The work to do, before it is done. Returned when the archive has to be written.
  returned: when the archive has to be (or would be) written
  type: dict
  contains:
    images:
      description: References with content to copy.
      type: int
    platform_images:
      description: Platform images to copy.
      type: int
    blobs:
      description: Blobs to download.
      type: int
    bytes:
      description: Bytes to download.
      type: int
    archive_bytes:
      description: Upper estimate of the size of the archive.
      type: int
    cache_free:
      description: Free bytes on the filesystem of O(cache_dir).
      type: int
    dest_free:
      description: Free bytes on the filesystem of O(dest).
      type: int
  sample:
    images: 1
    platform_images: 2
    blobs: 12
    bytes: 310478112
    archive_bytes: 6768640000
    cache_free: 81604378624
    dest_free: 81604378624
lock_file:
  description: Path of the record of the archive's contents.
  returned: when the list could be processed
  type: str
  sample: /srv/airgap/rancher.tar.gz.lock.json
checksum_file:
  description: Path of the checksums, for C(sha256sum -c).
  returned: when the list could be processed
  type: str
  sample: /srv/airgap/rancher.tar.gz.sha256
report_file:
  description: Path of the report, a page for a browser that shows what the archive contains, what is new, and whether
    it is complete.
  returned: when the list could be processed, except with parts that O(request) asks for, without blobs
  type: str
  sample: /srv/airgap/rancher.tar.gz.report.html
table_file:
  description: Path of the same information as a table (CSV), one line per platform image.
  returned: when the list could be processed, except with parts that O(request) asks for, without blobs
  type: str
  sample: /srv/airgap/rancher.tar.gz.report.csv
facts_file:
  description: Path of the facts of the report that the lock file does not have, as JSON.
  returned: when the list could be processed, except with parts that O(request) asks for, without blobs
  type: str
  sample: /srv/airgap/rancher.tar.gz.report.json
restore_file:
  description: Path of a shell script that checks the parts and unpacks the archive, with C(sh PATH TARGET_DIR).
  returned: when the list could be processed, except with parts that O(request) asks for, without blobs
  type: str
  sample: /srv/airgap/rancher.tar.gz.restore.sh
log:
  description: The last lines of the log.
  returned: when O(debug=true)
  type: list
  elements: str
  sample:
    - '2026-11-22T09:12:31.402Z INFO [image 2.1] copying docker.io/rancher/rancher@sha256:0a1b… (linux/amd64)'
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.airgap.images.plugins.module_utils._host.payload import compile_once

compile_once()  # before everything that is to be imported that way
# isort: split

from ansible_collections.airgap.images.plugins.module_utils._archive.zstd_encoder import ZSTANDARD_ERROR
from ansible_collections.airgap.images.plugins.module_utils._base.errors import ImagesError
from ansible_collections.airgap.images.plugins.module_utils._host.disk_errors import reason
from ansible_collections.airgap.images.plugins.module_utils._host.environment import forget, text_of_environment
from ansible_collections.airgap.images.plugins.module_utils._host.file_attributes import attributes_of
from ansible_collections.airgap.images.plugins.module_utils._host.job import as_job
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._host.module import Module, end, fail, require_library
from ansible_collections.airgap.images.plugins.module_utils._host.progress import PRIVATE
from ansible_collections.airgap.images.plugins.module_utils._host.signals import ignore_signals, stop_on_signals
from ansible_collections.airgap.images.plugins.module_utils._host.telling import telling
from ansible_collections.airgap.images.plugins.module_utils._host.umask import settle_umask
from ansible_collections.airgap.images.plugins.module_utils._http.transport import REQUESTS_ERROR
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import LIST_FORMATS, PLAIN
from ansible_collections.airgap.images.plugins.module_utils._save.engine import save
from ansible_collections.airgap.images.plugins.module_utils._save.options import AUTO, NO_REFERRERS
from ansible_collections.airgap.images.plugins.module_utils._save.params import read_options
from ansible_collections.airgap.images.plugins.module_utils._save.result import Result
from ansible_collections.airgap.images.plugins.module_utils._save.returned import as_returned, diff_of
from ansible_collections.airgap.images.plugins.module_utils._save.told_files import told_files


def argument_spec() -> dict[str, dict[str, object]]:
    """The options, as DOCUMENTATION describes them."""
    return {
        # -- most common
        "images": {"type": "list", "elements": "str", "default": []},
        "list_files": {"type": "list", "elements": "path", "default": []},
        "arch": {"type": "list", "elements": "str", "default": ["amd64", "arm64"]},
        "os": {"type": "list", "elements": "str", "default": ["linux", "windows"]},
        "dest": {"type": "path", "required": True},
        "part_size": {"type": "str"},
        # -- what to save
        "list_format": {"type": "str", "choices": list(LIST_FORMATS), "default": PLAIN},
        "origins": {"type": "list", "elements": "str", "default": []},
        "from_lock": {"type": "path"},
        "request": {"type": "path"},
        "since": {"type": "list", "elements": "path", "default": []},
        "since_missing": {"type": "str", "choices": ["error", "full"], "default": "error"},
        "since_confirmed": {"type": "list", "elements": "str", "default": []},
        "fail_on_missing_platform": {"type": "bool", "default": False},
        "include_foreign_layers": {"type": "bool", "default": False},
        "referrers": {"type": "str", "choices": [AUTO, NO_REFERRERS], "default": NO_REFERRERS},
        # -- registries and signatures
        "registries": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "host": {"type": "str", "required": True},
                "username": {"type": "str"},
                "password": {"type": "str", "no_log": True},
                "validate_certs": {"type": "bool"},
                "ca_path": {"type": "path"},
                "client_cert": {"type": "path"},
                "client_key": {"type": "path", "no_log": False},
                "mirror": {"type": "str"},
            },
        },
        "username": {"type": "str", "fallback": (text_of_environment, ["SOURCE_USERNAME"])},
        "password": {"type": "str", "no_log": True, "fallback": (text_of_environment, ["SOURCE_PASSWORD"])},
        "authfile": {"type": "path"},
        "source_registry": {"type": "str", "fallback": (text_of_environment, ["SOURCE_REGISTRY"])},
        "validate_certs": {"type": "bool", "default": True, "aliases": ["tls_verify"]},
        "ca_path": {"type": "path"},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path", "no_log": False},
        "signature_policy": {"type": "path"},
        "insecure_policy": {"type": "bool", "default": False},
        # -- files of the archive
        "compress": {"type": "str", "choices": ["gzip", "zstd", "none", "dir"], "default": "gzip"},
        "compress_level": {"type": "int"},
        "part_at": {"type": "str", "choices": ["size", "image"], "default": "size"},
        "part_digits": {"type": "int"},
        "parity": {"type": "bool", "default": False},
        "verify": {"type": "str", "choices": ["digest", "size"], "default": "digest"},
        "force": {"type": "bool", "default": False},
        # -- images that fail
        "failed_list": {"type": "path"},
        "allow_partial": {"type": "bool", "default": False},
        # -- disk space
        "cache_dir": {"type": "path"},
        "keep_cache": {"type": "bool", "default": True},
        "prune_cache": {"type": "bool", "default": False},
        "lock_timeout": {"type": "int", "default": 0},
        # -- networks
        "jobs": {"type": "int", "default": 4},
        "retries": {"type": "int", "default": 3},
        "retry_delay": {"type": "float", "default": 2.0},
        "timeout": {"type": "int", "default": 3600},
        "stall_timeout": {"type": "int", "default": 120},
        # -- programs and jobs on the host
        "skopeo_path": {"type": "path", "default": "skopeo"},
        "skopeo_copy": {"type": "str", "choices": ["auto", "always"], "default": "auto"},
        # -- log and progress
        "log_file": {"type": "path"},
        "progress_file": {"type": "path"},
        "debug": {"type": "bool", "default": False},
    }


def make_module() -> AnsibleModule:
    """Read the options, and check them against each other."""
    return Module(
        argument_spec=argument_spec(),
        supports_check_mode=True,
        add_file_common_args=True,
        required_together=[("username", "password")],
    )


def main() -> None:
    module = make_module()
    check, params = module.check_mode, module.params
    private = as_job(os.environ.pop(PRIVATE, None))
    forget(os.environ, "SOURCE_USERNAME", "SOURCE_PASSWORD")
    settle_umask(os.environ)
    require_library(module, "requests", REQUESTS_ERROR)
    if params["compress"] == "zstd":
        require_library(module, "zstandard", ZSTANDARD_ERROR)
    log = Log(debug=params["debug"])
    stop = stop_on_signals(keeps=not check)
    try:
        options = read_options(params, check=check)
        output = options.output
        attributes = attributes_of(module)
        with telling(log, stop, told_files(params, options, private)) as progress:
            if options.request is None:
                result: Result = save(options, log=log, stop=stop, attributes=attributes, progress=progress)
            else:
                # Code that most runs would read in vain.
                from ansible_collections.airgap.images.plugins.module_utils._save.answer import answer
                from ansible_collections.airgap.images.plugins.module_utils._save.request import read_asked

                asked = read_asked(options.request, options)
                output = asked.output if asked.request.parts else asked.bundle_output
                result = answer(asked, options, log=log, stop=stop, attributes=attributes, progress=progress)
    except ImagesError as error:
        fail(module, log, str(error), changed=error.changed)
    except OSError as error:
        fail(module, log, f"{error.filename or 'a file'} cannot be read or written: {reason(error)}")
    ignore_signals()
    if stop.reason and not result.is_failure:
        module.warn("the run was asked to end when only its last steps were left, and went on to its end")
    returned = as_returned(result, output, check=check)
    if module._diff:
        returned["diff"] = diff_of(result, output)
    warnings, is_failure = result.warnings, result.is_failure
    del result, options  # what was saved takes as much memory as what is returned of it
    end(module, log, returned, warnings=warnings, is_failure=is_failure)


if __name__ == "__main__":
    main()
