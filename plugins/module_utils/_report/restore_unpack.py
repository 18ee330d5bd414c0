# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of a restore script that unpacks, or writes one tar, and gives the result its name."""

from __future__ import annotations

UNPACK = r"""
restore() {
    open_work
    [ -n "$links" ] || say "the filesystem of $target has no symbolic links, so the links called blobs are left out"
    rebuild_lost
    unpack || give_up "cannot unpack to $target; see the messages above. $unpacked are needed there, in files of up to \
$largest; a file on FAT32 has less than 4 GiB. Nothing is left of it"
    publish "$work/saved-image-cache"
}

# USB sticks have no symbolic links: what is unpacked there has none.
find_links() {
    links=yes
    if ln -s host "$work/link" 2>/dev/null; then
        rm "$work/link"
    else
        links=
    fi
}

# After a power cut, either all of it is there or nothing.
bring_to_disk() {
    if command -v sync >/dev/null 2>&1; then
        { sync -f "$work" 2>/dev/null || sync; } &
        child=$!
        wait "$child"
        child=
    fi
}
"""

EXPAND_GZIP = r"""
# expand_gzip: by the quickest that is there. Most of an archive is stored blocks, which gzip copies at a fifth of the
# speed of the others. SIGPIPE ends Python as it ends other programs.
expand_gzip() {
    if command -v pigz >/dev/null 2>&1; then
        pigz -dc
    elif python3 -c 'import zlib' </dev/null >/dev/null 2>&1; then
        python3 -c '
import signal, sys, zlib
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
stream = zlib.decompressobj(31)
read, write = sys.stdin.buffer.read, sys.stdout.buffer.write
try:
    for data in iter(lambda: read(1 << 18), b""):
        while data:
            write(stream.decompress(data, 1 << 20))
            data = stream.unconsumed_tail
        if stream.unused_data:
            sys.exit("data behind the end of the archive")
except (OSError, zlib.error) as error:
    sys.exit(f"cannot expand the archive: {error}")
if not stream.eof:
    sys.exit("the archive ends early")
'
    else
        gzip -dc
    fi
}
"""

PUBLISH = r"""
# publish PATH: the new file or directory gets its name.
publish() {
    say "writing to disk"
    bring_to_disk
    trap '' HUP INT PIPE QUIT TERM
    if [ -e "$final" ] || [ -h "$final" ]; then
        rm -rf "$work"
        fail "$final has appeared in the meantime and is left as it is"
    fi
    mv "$1" "$final" || give_up "cannot rename $1 to $final"
    rm -rf "$work"
    trap - HUP INT PIPE QUIT TERM
}
"""

PUT_TO_TAR = r"""
put_file() {
    kill -0 "$$" 2>/dev/null || exit 1
    progress unpacking "$1"
    at "$1"
    cat <"$file" || exit 1
}
"""

# Many versions of busybox cannot exclude names, but pass regular files to a command.
SET_TAR_OPTIONS = r"""
    set --
    if [ -z "$links" ]; then
        case $(tar --help 2>&1) in
            *--exclude*) set -- --exclude='saved-image-cache/blobs' --exclude='saved-image-cache/*/blobs' ;;
            *) set -- --to-command='mkdir -p "${TAR_FILENAME%/*}" && exec cat >"$TAR_FILENAME"' ;;
        esac
    fi
"""

# A pipeline returns the status of its last program only, so the others leave a mark. GNU tar gives a backslash in the
# argument of -C a meaning.
PIPELINE = r"""
    { @EACH_FILE@ && : >"$work/joined"; } |@EXPAND@
        { cd "$work" && extract "$@"; } 3<&0 &
    child=$!
    wait "$child"
    ended=$?
    child=
    [ "$ended" -eq 0 ] && [ -e "$work/joined" ]@EXPANDED@ && [ -d "$work/saved-image-cache" ]
"""

# It ends only after those before it have left their marks: ksh does not wait for them, and some tars end before their
# input does. A program in the background reads nothing from 0.
EXTRACT = r"""
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
"""

FROM_DIRECTORY = r"""
put_file() {
    [ "$ended" -eq 0 ] || return 0
    progress "$doing" "$1"
    if [ "$doing" = linking ]; then
        ln -s "$from/${1#"$archive"/}" "$work/saved-image-cache/${1#"$archive"/}" || ended=1
        return 0
    fi
    at "$1"
    cat <"$file" >"$work/saved-image-cache/${1#"$archive"/}" &
    child=$!
    wait "$child" || ended=1
    child=
}

# put_all HOW: the links are made again, as they may have been lost on the way.
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
"""
