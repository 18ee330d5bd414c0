# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of a restore script that writes one tar instead of a directory. Bundles do not have it: they lack layers."""

from __future__ import annotations

TAR = r"""
# podman, buildah and skopeo read what is after the first colon as the image.
aim_at_tar() {
    asked=FILE
    case ${1##*/} in
        '' | . | ..) misuse "--oci-tar takes the name of a file to write" ;;
        *:*) misuse "a colon in the name of FILE ends it for podman, buildah and skopeo. Name another FILE" ;;
    esac
    case $1 in
        */*)
            directory=${1%/*}
            aim_at "${directory:-/}" "${1##*/}"
            ;;
        *) aim_at . "$1" ;;
    esac
}

restore_as_tar() {
    open_work
    rebuild_lost
    if ! gather || ! pack; then
        give_up "cannot write $final; see the messages above. $room are needed in $target meanwhile, and the tar is \
one file of them; a file on FAT32 has less than 4 GiB. Nothing is left of it"
    fi
    publish "$work/oci.tar"
}

# Readers of such a tar expect blobs to be a directory. -h is for the links that gather has made.
pack() {
    say "writing the tar"
    rm -f "$work/saved-image-cache/blobs" || return 1
    mv "$work/saved-image-cache/share" "$work/saved-image-cache/blobs" || return 1
    { cd "$work/saved-image-cache" && exec tar -c -h -f - oci-layout index.json blobs; } >"$work/oci.tar" &
    child=$!
    wait "$child" || return 1
    child=
}

show_next_of_tar() {
    before=
    after=
    file=$(quote "$final")
    case $final in
        *:*)
            file=$(quote "./${final##*/}")
            before="(cd $(quote "$target") && "
            after=")"
            ;;
    esac
    printf '%s\n' "$final is whole: $count."
    if [ -n "$example" ]; then
        printf '\n%s\n' "Import all of them into containerd, here for Kubernetes:"
        printf '  %s\n' "ctr --namespace k8s.io image import --no-unpack $(quote "$final")"
        printf '\n%s\n' "Or one of them into podman, or buildah:"
        printf '  %s\n' "${before}podman pull oci-archive:$file:$example$after"
        printf '  %s\n' "${before}buildah pull oci-archive:$file:$example$after"
    fi
}
"""

GATHER_BY_UNPACKING = r"""
gather() {
    unpack
}
"""

GATHER_FROM_DIRECTORY = r"""
# Nothing is copied just to be read once more.
gather() {
    if [ -z "$links" ]; then
        unpack
        return
    fi
    from=$(cd "$here$archive" && pwd -P && echo .) || return 1
    from=${from%??}
    put_all linking
}
"""

OPTIONS_OF_TAR = r"""
        --oci-tar)
            [ $# -eq 2 ] || misuse "--oci-tar takes the name of a file to write"
            need_all
            need tar
            find_here
            aim_at_tar "$2"
            check
            restore_as_tar
            show_next_of_tar
            tell_lacking
            exit 0
            ;;
"""
