# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a load: gathered from its result, and written if it says something new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._base.errors import OptionError, printable
from .._host.disk_errors import explained
from .._host.files import put_whole, read_regular
from .._oci.reference import Reference
from .._report.comparison import image_size
from .._report.failures import shown_lines
from .._report.load_facts import CHANGED, NEW, SAME, LoadedImage, LoadFacts, MovedBlobs
from .._report.load_facts import FAILED as LACKING
from .._report.load_facts import KEPT as LEFT
from .._report.load_facts import LOADED as THERE
from .._report.load_report import render_load, state_of_page
from .._source.archive import Archive
from .result import FAILED, KEPT, Loaded, Result

_LARGEST = 256 * 1024 * 1024


def refuse_foreign(path: str) -> None:
    """Make sure that nothing is there, or a report of a load, which will be replaced.

    :raises OptionError: when something else is there.
    :raises StorageError: when it cannot be read.
    """
    raw = _read(path)
    if raw and not state_of_page(raw):
        raise OptionError(
            f"report: {path} is a file that this module did not write, and would be replaced; name another"
        )


def facts_of(result: Result, archives: Sequence[Archive]) -> LoadFacts:
    """Gather what the report says."""
    sizes = {image.reference: image_size(image) for archive in archives for image in archive.images}
    stats, cluster = result.stats, result.cluster
    return LoadFacts(
        registry=result.registry,
        images=tuple(_image(one, sizes) for one in result.images),
        invalid=shown_lines(result.listed.invalid),
        left_out=result.left_out,
        pushed=MovedBlobs(stats.blobs_pushed, stats.bytes_pushed),
        mounted=MovedBlobs(stats.blobs_mounted, stats.bytes_mounted),
        present=MovedBlobs(stats.blobs_present, stats.bytes_present),
        registries_yaml=cluster.registries_yaml,
        hosts_toml=cluster.hosts_toml,
        system_default_registry=cluster.system_default_registry,
        notes=result.notes,
        confirmation=result.confirmation,
    )


def update_report(path: str, facts: LoadFacts, *, check: bool) -> bool:
    """Write the report, unless the one that is there says the same of the registry, and nothing is new in it.

    :param check: only report, change nothing.
    :returns: whether it was (or would be) different.
    :raises StorageError: when it cannot be written.
    """
    if not facts.having(NEW) and not facts.having(CHANGED) and state_of_page(_read(path)) == facts.state:
        return False
    page = render_load(facts)
    if not check:
        try:
            put_whole(path, page)
        except OSError as error:
            raise explained(f"report: cannot write {path}", error) from error
    return True


def _image(one: Loaded, sizes: Mapping[Reference, int]) -> LoadedImage:
    status = {FAILED: LACKING, KEPT: LEFT}.get(one.action, THERE)
    return LoadedImage(
        reference=str(one.reference),
        target=str(one.target) if one.target is not None else "",
        digest=one.digest,
        status=status,
        change=_change(one) if status == THERE else "",
        size=sizes.get(one.reference, 0),
        before=one.before if one.before != one.digest else "",
        reason=printable(str(one.error)) if one.error is not None else "",
    )


def _change(one: Loaded) -> str:
    if one.is_moved:
        return CHANGED
    return SAME if one.before == one.digest else NEW


def _read(path: str) -> bytes:
    try:
        return read_regular(path, _LARGEST)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise explained(f"report: cannot read {path}", error) from error
