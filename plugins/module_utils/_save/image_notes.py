# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notes on an image: what cannot be kept of it, and what was left out. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from .._oci.image import PlatformImage, ResolvedImage
from .._oci.manifest import Index
from .._oci.media_types import OCI_INDEX
from .._oci.schema1 import Schema1
from .options import Selection


def notes_of(image: ResolvedImage, selection: Selection, index: Index | None = None) -> tuple[str, ...]:
    """Return what users of an image should know, a sentence each; none twice.

    :param index: the one that its tag names, if it names one.
    """
    told = (
        *_lost_pin(image),
        *_wrong_sizes(image, index),
        *_absent_platforms(image, selection),
        *_changed_children(image, selection),
        *_zstd_layers(image),
    )
    return tuple(dict.fromkeys(told))


def _lost_pin(image: ResolvedImage) -> Iterator[str]:
    """Warn those who have pinned an index that another one replaces; see :func:`_oci.layout.assemble`."""
    if image.listed.reference.digest is None or image.index is None or image.whole_index is not None:
        return
    why = (
        "not all of its platforms are saved"
        if image.media_type == OCI_INDEX
        else "a Docker manifest list becomes an index"
    )
    yield (
        f"{image.digest} cannot be pulled from where the archive is loaded, because {why}; pin the digest of a "
        "platform image there"
    )


def _wrong_sizes(image: ResolvedImage, index: Index | None) -> Iterator[str]:
    """Warn those who will pull an index that is kept with wrong sizes; see :func:`_oci.layout.assemble`."""
    if index is None or image.whole_index is None or any(child.is_converted for child in image.children):
        return
    sizes = {child.digest: child.descriptor.size for child in image.children}
    wrong = sorted({entry.digest for entry in index.manifests if entry.size != sizes.get(entry.digest, entry.size)})
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        yield (
            f"its index, which is kept byte for byte, gives a wrong size of {wrong[0]}{more}: containerd refuses such "
            "an index, so pull a platform image by its digest there, or have hangar load make an index anew"
        )


def _absent_platforms(image: ResolvedImage, selection: Selection) -> Iterator[str]:
    found = (child.descriptor.platform for child in image.children)
    platforms = [platform for platform in found if platform is not None and not platform.is_unknown]
    absent = selection.platforms.absent(platforms) if platforms and not image.listed.refers_to else ()
    if absent:
        yield f"not available for {', '.join(str(architecture) for architecture in absent)}"


def _changed_children(image: ResolvedImage, selection: Selection) -> Iterator[str]:
    for child in image.children:
        if isinstance(child.content, Schema1):
            yield f"Docker schema 1: converted to OCI, so its digest {image.digest} cannot be kept"
        elif not selection.include_foreign_layers:
            left_out = [layer for layer in child.content.layers if layer.is_foreign]
            if left_out:
                yield (
                    f"{len(left_out)} foreign layers of {child.descriptor.platform} were left out; hosts that run it "
                    "fetch them from the addresses that the image names. include_foreign_layers=true saves them too"
                )


def _zstd_layers(image: ResolvedImage) -> Iterator[str]:
    with_zstd = [str(child.descriptor.platform) for child in image.children if _has_zstd_layers(child)]
    if with_zstd:
        yield f"hangar 1.6 does not load {', '.join(with_zstd)}, which has layers in zstd; skopeo does"


def _has_zstd_layers(image: PlatformImage) -> bool:
    """Return True if any layer is compressed with zstd: OCI's ``tar+zstd``, or Docker's ``tar.zstd``."""
    platform = image.descriptor.platform
    if platform is None or platform.is_unknown or isinstance(image.content, Schema1):
        return False
    return any(layer.media_type.endswith(("+zstd", ".zstd")) for layer in image.content.layers)
