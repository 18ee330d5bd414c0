# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of a restore script that prints the commands to continue with."""

from __future__ import annotations

NEXT = r"""
# skopeo reads what is after the first colon as the image. hangar appends any path to its working directory.
show_next() {
    directory=$(quote "$final")
    before=
    after=
    case $final in
        *:*)
            directory=saved-image-cache
            before="(cd $(quote "$target") && "
            after=")"
            ;;
    esac
    blobs=
    [ -n "$links" ] || blobs="--src-shared-blob-dir $directory/share "
    copy="${before}skopeo copy --all --preserve-digests ${blobs}oci:$directory:"
    printf '%s\n' "$final is whole: $count."
    [ -n "$links" ] || printf '%s\n' "It is without its links. skopeo and hangar can read it as below. Other programs \
need the links: for them, call this script with a TARGET_DIR on a filesystem that has links, or with --oci-tar."
    if [ -n "$example" ]; then
        printf '\n%s\n' "Copy an image to a registry (put its name in place of REGISTRY):"
        printf '  %s\n' "$copy$example docker://REGISTRY/$example_path$after"
        printf '\n%s\n' "Or all of them (in csh, tcsh and fish, type sh first):"
        show_loop
        printf '\n%s\n' "Or with hangar 1.6. It gives OCI images other digests, and skips images with zstd"
        printf '%s\n' "layers, charts and signatures:"
        printf '  %s%s\n' "(cd $(quote "$target") && hangar load --compress dir --source saved-image-cache " \
            "--destination REGISTRY)"
    fi
    if [ -n "$example" ] && [ -n "$links" ]; then
        printf '\n%s\n' "Or make one tar of it, which containerd, podman and buildah read:"
        printf '  %s\n' "(cd $(quote "$final") && tar -c -h -f ../images.tar oci-layout index.json blobs)"
    fi
}
"""
