# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of a restore script that reads its arguments.

Nothing runs before the last line is read, so a script that is cut off does nothing.
"""

from __future__ import annotations

MAIN = r"""
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
            [ -z "$lost" ] || fail "the files are not whole. Call this script with TARGET_DIR, which makes them again \
on the way, or with --rebuild, which makes them again beside it"
            check_parity
            tell_lacking
            exit 0
            ;;
        --rebuild)
            [ $# -eq 1 ] || misuse "--rebuild takes no directory"
            has_parity || misuse "there are no parity files, from which a lost file could be made again"
            rebuild_here
            exit 0
            ;;
@OPTIONS@
        --) shift ;;
        -*) misuse "$1 is not an option. To unpack to a directory of that name, write ./$1" ;;
    esac
    if [ $# -ne 1 ] || [ -z "$1" ]; then
        misuse "name one directory to unpack to"
    fi
    need_all
    find_here
    aim_at_directory "$1"
    check
@REQUIRED@    restore
    show_next
    tell_lacking
    exit 0
}

main "$@"
"""
