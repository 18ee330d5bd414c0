# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all restore scripts have in common, in the language of POSIX shells. :mod:`restore` writes what is before it.

That sets ``archive``, ``total``, ``step``, ``size``, ``unpacked``, ``largest``, ``room``, ``count`` and ``example``,
and has the functions ``each_file``, ``list_images``, ``tell_lacking``, ``need_all``, ``unpack``, ``gather`` and
``show_loop``. Nothing runs before the last line is read: of a script that is cut off, nothing does.

Shells that people call it by are more than POSIX's: ``status`` and ``path``, for instance, are not ours in zsh.
"""

from __future__ import annotations

COMMON = r"""
say() {
    printf '%s\n' "$1" >&2
}

fail() {
    say "error: $1"
    exit 1
}

misuse() {
    say "error: $1"
    help >&2
    exit 2
}

# quote TEXT: as a shell takes it
quote() {
    case $1 in
        '' | *[!A-Za-z0-9_./:@%+=,-]*) ;;
        *)
            printf '%s' "$1"
            return
            ;;
    esac
    rest=$1
    printf "'"
    while :; do
        case $rest in
            *\'*)
                printf "%s'\\\\''" "${rest%%\'*}"
                rest=${rest#*\'}
                ;;
            *)
                printf "%s'" "$rest"
                return
                ;;
        esac
    done
}

help() {
    printf '%s\n' \
        "usage: sh $(quote "$0") TARGET_DIR" \
        "  checks the $total files of $archive ($size) beside this script," \
        "  then unpacks $count ($unpacked) to TARGET_DIR/saved-image-cache, whole or not at all" \
        "other uses:" \
        "  --check          only check the files" \
        "  --oci-tar FILE   check them, then write one tar that containerd, podman and buildah read" \
        "  --images         list the images, one a line" \
        "  --help           show this"
}

need() {
    lacking=
    for program in "$@"; do
        command -v "$program" >/dev/null 2>&1 || lacking="$lacking $program"
    done
    [ -z "$lacking" ] || fail "not installed, but needed:$lacking. Nothing was done"
}

# The files are beside this script, or beside what it is a link to.
find_here() {
    case $0 in
        /*) script=$0 ;;
        *) script=./$0 ;;
    esac
    here=${script%/*}/
    while [ -h "$script" ] && ! [ -e "$here$first" ] && command -v readlink >/dev/null 2>&1; do
        link=$(readlink "$script") || break
        case $link in
            /*) script=$link ;;
            *) script=$here$link ;;
        esac
        here=${script%/*}/
    done
}

# progress WHAT NAME: of very many files, about a hundred are named
progress() {
    number=$((number + 1))
    if [ "$number" -eq 1 ] || [ "$number" -eq "$total" ] || [ $((number % step)) -eq 0 ]; then
        say "$1 file $number of $total: $2"
    fi
}

find_file() {
    if ! [ -f "$here$1" ]; then
        say "missing: $1"
        missing=$((missing + 1))
    fi
}

check_file() {
    if ! [ -f "$here$3" ]; then
        number=$((number + 1))
        return 0
    fi
    progress checking "$3"
    if ! found=$(sha256sum <"$here$3"); then
        say "damaged: $3 cannot be read"
    elif [ "${found%% *}" = "$1" ]; then
        return 0
    elif command -v wc >/dev/null 2>&1 && found=$(wc -c <"$here$3") && [ "$found" -ne "$2" ]; then
        say "damaged: $3 has $((found)) bytes instead of $2"
    else
        say "damaged: $3 has the right size, but another sha256 than $1"
    fi
    damaged=$((damaged + 1))
}

# one_file SHA256 SIZE NAME: what each_file was called for
one_file() {
    case $doing in
        find) find_file "$3" ;;
        check) check_file "$@" ;;
        *) put_file "$3" ;;
    esac
}

check() {
    missing=0
    damaged=0
    each_file find
    each_file check
    if [ $((missing + damaged)) -gt 0 ]; then
        fail "of $total files, $missing are missing and $damaged are damaged; they are named above. Copy these again \
to $(quote "$here"), then call this script again. Nothing was unpacked"
    fi
    say "all $total files are whole"
}

# aim_at DIRECTORY NAME: what is wrong with them is said before hours go into checking.
aim_at() {
    case $1 in
        /* | .) target=$1 ;;
        *) target=./$1 ;;
    esac
    final=${target%/}/$2
    refuse_final
    place=$target
    while ! [ -e "$place" ]; do
        place=${place%/*}
        [ -n "$place" ] || place=/
    done
    [ -d "$place" ] || fail "$place is no directory. Name another $asked"
    if ! [ -w "$place" ] || ! [ -x "$place" ]; then
        fail "you may not write to $place. Name another $asked, or call this script as another user"
    fi
}

aim_at_directory() {
    asked=TARGET_DIR
    aim_at "$1" saved-image-cache
}

# podman, buildah and skopeo take what stands after the first colon for the image.
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

refuse_final() {
    if [ -e "$final" ] || [ -h "$final" ]; then
        fail "$final is there already, and stays as it is. Remove it with rm -r $(quote "$final"), or name another \
$asked"
    fi
}

# Of a target that several machines have, what belongs to which is told by a name in it.
find_host() {
    host=
    { read -r host </proc/sys/kernel/hostname; } 2>/dev/null || host=$(uname -n 2>/dev/null) || host=
}

# A run that was killed could not clear up behind itself. Only its user may write to its directory; of a process of
# somebody else, kill does not tell whether it is there.
clear_leftovers() {
    for left in "${target%/}"/.saved-image-cache.restore.*; do
        process=${left##*.}
        case $process in
            '' | *[!0-9]*) continue ;;
        esac
        by=
        [ -f "$left/host" ] && read -r by <"$left/host"
        if [ -z "$by" ] || [ "$by" != "$host" ] || ! [ -w "$left" ]; then
            say "$left may belong to a run of another user or on another machine; it is left alone. Where nothing is \
restored to $target any more, remove it with rm -r $(quote "$left")"
        elif [ "$process" != "$$" ] && { kill -0 "$process" 2>/dev/null || [ -d "/proc/$process" ]; }; then
            say "$left belongs to process $process, which still runs; it is left alone"
        else
            rm -rf "$left" || say "$left, which an earlier run has left, cannot be removed"
        fi
    done
}

# Who writes to the directory is ended, and not waited for: that would be waiting for the medium too, which may hang. So
# a last file may yet appear while the directory is being removed.
clear_up() {
    [ -z "$child" ] || kill "$child" 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9; do
        rm -rf "$work" 2>/dev/null && return
    done
    rm -rf "$work"
}

# shellcheck disable=SC2317,SC2329  # called by traps
stop() {
    trap '' HUP INT PIPE QUIT TERM
    clear_up
    say "stopped by SIG$1; nothing of it is left in $target. Call this script again to begin anew"
    exit "$2"
}

give_up() {
    clear_up
    fail "$1"
}

open_work() {
    mkdir -p "$target" || fail "cannot make the directory $target"
    find_host
    clear_leftovers
    child=
    work=${target%/}/.saved-image-cache.restore.$$
    if [ -e "$work" ] || [ -h "$work" ]; then
        fail "$work has the name that this run needs, and stays as it is. Call this script again"
    fi
    trap 'stop HUP 129' HUP
    trap 'stop INT 130' INT
    trap 'stop QUIT 131' QUIT
    trap 'stop PIPE 141' PIPE
    trap 'stop TERM 143' TERM
    mkdir -m 700 "$work" || give_up "cannot make the directory $work"
    find_links
    { printf '%s\n' "$host" >"$work/host"; } 2>/dev/null
}

restore() {
    open_work
    [ -n "$links" ] || say "the filesystem of $target has no symbolic links, so those called blobs are left out"
    unpack || give_up "could not unpack to $target; what stands above says why. $unpacked are needed there, in files \
of up to $largest; FAT32 ends a file at 4 GiB. Nothing of it is left"
    publish "$work/saved-image-cache"
}

restore_as_tar() {
    open_work
    if ! gather || ! pack; then
        give_up "could not write $final; what stands above says why. $room are needed in $target meanwhile, and the \
tar is one file of them; FAT32 ends a file at 4 GiB. Nothing of it is left"
    fi
    publish "$work/oci.tar"
}

# Readers of such a tar want blobs as a directory. -h is for what gather has linked to.
pack() {
    say "writing the tar"
    rm -f "$work/saved-image-cache/blobs" || return 1
    mv "$work/saved-image-cache/share" "$work/saved-image-cache/blobs" || return 1
    { cd "$work/saved-image-cache" && exec tar -c -h -f - oci-layout index.json blobs; } >"$work/oci.tar" &
    child=$!
    wait "$child" || return 1
    child=
}

# publish PATH: the new file or directory gets its name.
publish() {
    say "writing to disk"
    bring_to_disk
    trap '' HUP INT PIPE QUIT TERM
    if [ -e "$final" ] || [ -h "$final" ]; then
        rm -rf "$work"
        fail "$final has appeared in the meantime, and stays as it is"
    fi
    mv "$1" "$final" || give_up "cannot rename $1 to $final"
    rm -rf "$work"
    trap - HUP INT PIPE QUIT TERM
}

# USB sticks have no symbolic links. What is unpacked there goes without.
find_links() {
    links=yes
    if ln -s host "$work/link" 2>/dev/null; then
        rm "$work/link"
    else
        links=
    fi
}

# So that a power cut finds either all of it or nothing.
bring_to_disk() {
    if command -v sync >/dev/null 2>&1; then
        { sync -f "$work" 2>/dev/null || sync; } &
        child=$!
        wait "$child"
        child=
    fi
}

# skopeo takes what stands after the first colon for the image. hangar puts any path behind its working directory.
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
    [ -n "$links" ] || printf '%s\n' "It is without its links. skopeo and hangar go on as below; other programs need \
the links, so for them call this script with a TARGET_DIR on a filesystem that has such, or with --oci-tar."
    if [ -n "$example" ]; then
        printf '\n%s\n' "Copy an image to a registry (put its name in place of REGISTRY):"
        printf '  %s\n' "$copy$example docker://REGISTRY/$example_path$after"
        printf '\n%s\n' "Or all of them (in csh, tcsh and fish, type sh first):"
        show_loop
        printf '\n%s\n' "Or with hangar 1.6. It gives OCI images other digests, and passes over images with zstd"
        printf '%s\n' "layers, charts and signatures:"
        printf '  %s%s\n' "(cd $(quote "$target") && hangar load --compress dir --source saved-image-cache " \
            "--destination REGISTRY)"
    fi
    if [ -n "$example" ] && [ -n "$links" ]; then
        printf '\n%s\n' "Or make one tar of it, which containerd, podman and buildah read:"
        printf '  %s\n' "(cd $(quote "$final") && tar -c -h -f ../images.tar oci-layout index.json blobs)"
    fi
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

main() {
    case ${1-} in
        --help | -h)
            help
            exit 0
            ;;
        --images)
            list_images
            exit
            ;;
        --check)
            [ $# -eq 1 ] || misuse "--check takes no directory"
            need sha256sum
            find_here
            check
            tell_lacking
            exit 0
            ;;
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
        --) shift ;;
        -*) misuse "$1 is no option. To unpack to a directory of that name, write ./$1" ;;
    esac
    if [ $# -ne 1 ] || [ -z "$1" ]; then
        misuse "name one directory to unpack to"
    fi
    need_all
    find_here
    aim_at_directory "$1"
    check
    restore
    show_next
    tell_lacking
    exit 0
}

main "$@"
"""

FROM_TAR = r"""
put_file() {
    kill -0 "$$" 2>/dev/null || exit 1
    progress unpacking "$1"
    cat <"$here$1" || exit 1
}

# The last program's status is all that a pipeline tells, so the others leave a mark. GNU tar takes a backslash in the
# argument of -C for more than it is.
unpack() {
    set --
    if [ -z "$links" ]; then
        # Many a busybox cannot leave out what has a name, but has regular files written by a command.
        case $(tar --help 2>&1) in
            *--exclude*) set -- --exclude='saved-image-cache/blobs' --exclude='saved-image-cache/*/blobs' ;;
            *) set -- --to-command='mkdir -p "${TAR_FILENAME%/*}" && exec cat >"$TAR_FILENAME"' ;;
        esac
    fi
    { each_file put && : >"$work/joined"; } |@EXPAND@
        { cd "$work" && extract "$@"; } 3<&0 &
    child=$!
    wait "$child"
    ended=$?
    child=
    [ "$ended" -eq 0 ] && [ -e "$work/joined" ]@EXPANDED@ && [ -d "$work/saved-image-cache" ]
}

# It ends only when those before it have left their marks: ksh does not wait for them, and some tars end before their
# input does. What is in the background reads nothing from 0.
extract() {
    program=
    trap '[ -z "$program" ] || kill "$program"; exit 1' TERM
    SHELL=/bin/sh
    export SHELL
    tar -x -o "$@" -f - <&3 3<&- &
    program=$!
    wait "$program" || return 1
    while read -r rest; do :; done <&3
}

gather() {
    unpack
}
"""

FROM_DIRECTORY = r"""
put_file() {
    [ "$ended" -eq 0 ] || return 0
    progress "$doing" "$1"
    if [ "$doing" = linking ]; then
        ln -s "$from/${1#"$archive"/}" "$work/saved-image-cache/${1#"$archive"/}" || ended=1
        return 0
    fi
    cat <"$here$1" >"$work/saved-image-cache/${1#"$archive"/}" &
    child=$!
    wait "$child" || ended=1
    child=
}

# put_all HOW: the links are made anew: they may have been lost on the way.
put_all() {
    ended=0
    make_directories "$work/saved-image-cache" || return 1
    each_file "$1"
    [ "$ended" -eq 0 ] || return 1
    [ -n "$links" ] || return 0
    ln -s share "$work/saved-image-cache/blobs" || return 1
    for layout in "$work/saved-image-cache"/*/oci-layout; do
        [ ! -e "$layout" ] || ln -s ../share "${layout%/*}/blobs" || return 1
    done
}

unpack() {
    put_all copying
}

# Nothing is copied only to be read once more.
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
