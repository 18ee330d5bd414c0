# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes images of archives to a file that container engines import: read, choose, lay out, compare, write.

Knows nothing of Ansible: takes typed options, raises :class:`ImagesError`, returns a :class:`FileResult`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from .._archive.request import Request
from .._base.errors import ImagesError, OptionError
from .._base.stop import Stop
from .._host.disk_errors import explained
from .._host.files import make_directories, open_regular
from .._host.log import Log
from .._host.progress import Progress
from .._host.space import free_bytes, require
from .._host.stages import Stages
from .._oci.image import FailedImage
from .._oci.manifest import Manifest, parse_manifest
from .._oci.platform import Architecture, PlatformFilter, parse_architecture
from .._publish.failed_list import refuse_foreign
from .._source.archive import Archive, open_archives
from .._source.errors import SourceError, SourceGone
from .asking import requests_for_blobs, requests_for_digests
from .carrier import Sent
from .chain import in_chain_order
from .choice import Chosen, choose
from .contents import Content, LoadImage, read_content
from .file_options import FileOptions
from .file_result import FAILED, NOT_WRITTEN, PRESENT, WRITTEN, FileResult
from .image_file import FileImage, ImageFile, lay_out
from .image_file_writer import FileWriter, is_there
from .lacking import LackingBlob, errors_of, failure_of_file, lacking_blob
from .options import AUTO
from .request_file import refuse_foreign as refuse_foreign_request
from .request_file import update_requests
from .requirements import carried_by, needed_from_base
from .result import Loaded
from .run_files import RunFiles, update_failed_list
from .still_asked import OpenAfterLoading
from .verify import verify_first


@dataclass(frozen=True)
class Draft:
    """The content of the file that a run writes.

    :param images: those whose documents could be read, each with its place in the file.
    :param errors: why others could not, by their identity; why none is written, if blobs are nowhere.
    :param lacking: the blobs that bundles leave out and that no archive has.
    """

    chosen: Chosen
    images: tuple[tuple[LoadImage, FileImage], ...]
    errors: Mapping[int, ImagesError]
    file: ImageFile
    lacking: tuple[LackingBlob, ...] = ()

    @property
    def is_complete(self) -> bool:
        """True if nothing has failed yet."""
        return not self.errors and not self.chosen.absent and not self.chosen.listed.invalid


def write_images(options: FileOptions, *, log: Log, stop: Stop, progress: Progress | None = None) -> FileResult:
    """Write the images of archives to a file, or find that it has them.

    :param stop: ends the run as soon as it is set.
    :param progress: is told how far the run is.
    :raises ImagesError: when the run as a whole cannot go on. Single images that fail are in the result.
    """
    stages = Stages(log, progress or Progress())
    _refuse_foreign_files(options)
    with stages.stage("read"):
        archives = in_chain_order(open_archives(options.src, stop=stop, log=log))
        chosen = choose(archives, options.choice, options.naming, index=AUTO, referrers=options.referrers)
        stages.progress.images = len(chosen.images)
        draft = _draft(chosen, archives, stop)
    if options.verifies_first:
        with stages.stage("verify"):
            verify_first(archives, options.request_file, check=options.check)
    with stages.stage("compare"):
        is_same = is_there(options.dest, draft.file, thoroughly=options.is_thorough, check=stop.check)
    errors: Mapping[str, SourceError] = {}
    if draft.is_complete and not is_same and not options.check:
        with stages.stage("write"):
            errors = _write(options, draft, archives, stages.progress, stop)
    return _finish(options, draft, archives, errors, is_same=is_same, stages=stages)


def _refuse_foreign_files(options: FileOptions) -> None:
    """Make sure that only what an earlier run has written can be replaced.

    :raises OptionError: when something else is there.
    """
    if options.failed_list is not None:
        refuse_foreign(options.failed_list, made=os.path.dirname(os.path.abspath(options.failed_list)))
    if options.request_file is not None:
        refuse_foreign_request(options.request_file)
    first = lay_out(()).members[0].header
    try:
        with open_regular(options.dest) as file:
            start = file.read(len(first))
    except FileNotFoundError:
        return
    except OSError as error:
        raise explained(f"dest: cannot read {options.dest}", error) from error
    if start and start != first:
        raise OptionError(
            f"dest: {options.dest} is a file that this module did not write, and would be replaced; name another"
        )


def _draft(chosen: Chosen, archives: Sequence[Archive], stop: Stop) -> Draft:
    """Read the documents of all images, and give each byte its place."""
    wanted = _platform_of_host()
    images: list[tuple[LoadImage, FileImage]] = []
    errors: dict[int, ImagesError] = {}
    for image in chosen.images:
        stop.check()
        try:
            content = read_content(image)
            docker = _for_docker(image, content, archives, wanted)
            images.append((image, FileImage(image.reference, image.target, content, docker)))
        except SourceGone:
            raise
        except ImagesError as error:
            errors[id(image)] = error
    lacking = _lacking(images, archives)
    if lacking:
        errors = {**errors_of([image for image, _one in images], lacking), **errors}
    return Draft(chosen, tuple(images), errors, lay_out([one for _image, one in images]), lacking)


def _lacking(images: Sequence[tuple[LoadImage, FileImage]], archives: Sequence[Archive]) -> tuple[LackingBlob, ...]:
    """Return the blobs that bundles leave out and that no archive has."""
    needed = needed_from_base((image, one.needs()) for image, one in images).values()
    return tuple(lacking_blob(one.blob, one.images, archives) for one in needed if not carried_by(archives, one))


def _platform_of_host() -> PlatformFilter:
    """Return the platform of this host: that of the nodes, if it is one."""
    try:
        return PlatformFilter((parse_architecture(os.uname().machine),), ("linux",))
    except OptionError:
        return PlatformFilter((Architecture("amd64"),), ("linux",))


def _for_docker(
    image: LoadImage, content: Content, archives: Sequence[Archive], wanted: PlatformFilter
) -> Manifest | None:
    """Return the manifest that a program which knows one platform only is to find; ``None`` if there is none."""
    locked = [one for one in image.archive.images if one.reference == image.reference]
    fitting = {one.digest for each in locked for one in each.platforms if one.platform and wanted.matches(one.platform)}
    for child in content.children:
        if child.descriptor.digest in fitting:
            parsed = parse_manifest(image.document(child.descriptor.digest))
            if not isinstance(parsed, Manifest) or not parsed.is_image:
                continue
            if all(any(one.has(layer.digest) for one in archives) for layer in parsed.layers):
                return parsed
    return None


def _write(
    options: FileOptions, draft: Draft, archives: Sequence[Archive], progress: Progress, stop: Stop
) -> Mapping[str, SourceError]:
    """Write the file; returns why blobs could not be read, by digest."""
    directory = os.path.dirname(options.dest)
    try:
        make_directories(directory)
    except OSError as error:
        raise explained(f"dest: cannot make {directory}", error) from error
    require(directory, free_bytes(directory), draft.file.size, otherwise="or choose another filesystem for dest")
    manifests = {
        digest: image
        for image, one in draft.images
        for digest in (one.content.top.digest, *(child.descriptor.digest for child in one.content.children))
    }
    sent = Sent()
    progress.measure(lambda: sent.bytes)
    blobs = draft.file.blobs()
    progress.bytes = sum(member.size for digest, member in blobs.items() if digest not in manifests)
    writer = FileWriter(draft.file, archives, manifests, on_written=sent.add, check=stop.check)
    return writer.write(options.dest)


def _finish(
    options: FileOptions,
    draft: Draft,
    archives: Sequence[Archive],
    errors: Mapping[str, SourceError],
    *,
    is_same: bool,
    stages: Stages,
) -> FileResult:
    """Write the list of what failed, and return the result."""
    chosen = draft.chosen
    failures = {**draft.errors, **_failures(draft, errors)}
    is_complete = draft.is_complete and not failures
    action = NOT_WRITTEN if not is_complete else PRESENT if is_same else WRITTEN
    outcome = partial(_outcome, failures=failures, action=action)
    images = (
        *map(outcome, chosen.images),
        *(Loaded(one.listed, None, "", FAILED, error=one.error) for one in chosen.absent),
    )
    failed = tuple(FailedImage(one.listed, one.error, one.digest) for one in images if one.error is not None)
    files = RunFiles(action == WRITTEN)
    if draft.lacking or is_complete or not options.check:
        files.attempt(lambda: _write_requests(files, options, draft, errors, archives, is_complete=is_complete))
    files.attempt(lambda: update_failed_list(options.failed_list, failed, chosen.listed.invalid, check=options.check))
    requests = files.requests
    return FileResult(
        dest=options.dest,
        size=draft.file.size,
        changed=files.is_changed,
        images=images,
        failed=failed,
        listed=chosen.listed,
        left_out=len(chosen.left_out),
        blobs=len(draft.file.blobs()),
        lacking=draft.lacking,
        lacking_told=(
            failure_of_file(draft.lacking, options.dest, requests.paths, check=options.check) if draft.lacking else ""
        ),
        requests=requests.paths,
        fulfilled=requests.fulfilled,
        notes=_notes(draft),
        warnings=tuple(files.warnings),
        seconds=dict(stages.seconds),
    )


def _write_requests(
    files: RunFiles,
    options: FileOptions,
    draft: Draft,
    errors: Iterable[str],
    archives: Sequence[Archive],
    *,
    is_complete: bool,
) -> bool:
    """Write, renew or remove what asks for parts and blobs; returns whether any of it was different.

    Where the file is not written for another reason, parts were not read, so what an earlier run asked for stays.
    """
    if options.request_file is None:
        return False
    asked = requests_for_blobs(draft.lacking, archives) or _requests_for(draft, errors, archives)
    if asked is None or not (asked or is_complete):
        return False
    left_out = OpenAfterLoading(archives, {image.reference for image in draft.chosen.images})
    files.requests = update_requests(options.request_file, asked, archives, left_out, check=options.check)
    return files.requests.is_changed


def _requests_for(draft: Draft, errors: Iterable[str], archives: Sequence[Archive]) -> list[Request] | None:
    """Return what asks for the parts by which blobs could not be read; ``None`` if it is not known which these are."""
    needs = {blob.digest: image.archive for image, one in draft.images for blob in one.needs()}
    unread = [image.archive for image in draft.chosen.images if isinstance(draft.errors.get(id(image)), SourceError)]
    return requests_for_digests([(needs[digest], digest) for digest in errors if digest in needs], unread, archives)


def _failures(draft: Draft, errors: Mapping[str, SourceError]) -> dict[int, ImagesError]:
    """Return why images are incomplete, by their identity."""
    found: dict[int, ImagesError] = {}
    for image, one in draft.images:
        error = next((errors[blob.digest] for blob in one.needs() if blob.digest in errors), None)
        if error is not None:
            found[id(image)] = error
    return found


def _outcome(image: LoadImage, *, failures: Mapping[int, ImagesError], action: str) -> Loaded:
    error = failures.get(id(image))
    return Loaded(image.listed, image.target, image.digest, action if error is None else FAILED, error=error)


def _notes(draft: Draft) -> tuple[str, ...]:
    others = [str(one.reference) for _image, one in draft.images if one.for_docker is None]
    if not others:
        return ()
    platform = str(_platform_of_host())
    return (
        f"podman load and docker load do not find {len(others)} of {len(draft.images)} images in the file, which have "
        f"no image for {platform}: {', '.join(others[:3])}{' and others' if len(others) > 3 else ''}",
    )
