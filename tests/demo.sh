#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Sets up what is missing and shows the main job: images go from a registry into an archive in
# parts, the archive is verified and listed, and a second run changes nothing.
#
#   tests/demo.sh           everything is removed at the end
#   tests/demo.sh --keep    the archive stays, and where it is is said
#
# The registry is a real one, on loopback, with images made on the spot. Exits with 1 when anything
# is not as it should be.
set -euo pipefail

keep=false
case "$#:${1:-}" in
    0:) ;;
    1:--keep) keep=true ;;
    *)
        printf 'usage: tests/demo.sh [--keep]\n' >&2
        exit 2
        ;;
esac

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
bold='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
    bold=$'\e[1m' plain=$'\e[0m'
fi
heading() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
die() {
    printf '\nDEMO FAILED: %s\n' "$*" >&2
    exit 1
}

heading "Setting up (the first time takes a minute or two)"
environment=$("$here/setup.sh" --env newest)
eval "$environment"
export ANSIBLE_NOCOLOR=1 LC_ALL=C.UTF-8
unset ANSIBLE_STDOUT_CALLBACK
version=$(ansible --version)
printf '%s\n' "${version%%$'\n'*}"

folder=$(mktemp -d)
log=$folder/log
# shellcheck disable=SC2317,SC2329 # called by the trap
clean_up() {
    local status=$?
    # The registry ends when its standard input does.
    if [[ -n ${SOURCE_PID:-} ]]; then
        local pid=$SOURCE_PID
        eval "exec ${SOURCE[1]}>&-"
        wait "$pid" || true
    fi
    if [[ $keep == true ]]; then
        rm -rf -- "$folder"/{collections,registry,log,before} "$folder"/*.tar.gz
        printf '\nKept: %s\n' "$folder"
    else
        rm -rf -- "$folder"
    fi
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

heading "Building the collection and installing it, without Galaxy"
ansible-galaxy collection build --output-path "$folder" "$here/.." >"$log" || die "$(cat "$log")"
ansible-galaxy collection install --offline -p "$folder/collections" "$folder"/airgap-images-*.tar.gz >"$log" 2>&1 ||
    die "$(cat "$log")"
grep 'was installed successfully' "$log"
# What serves the demonstration is not part of what users install.
collection=$folder/collections/ansible_collections/airgap/images
mkdir -p -- "$collection/tests"
cp -R -- "$here/support" "$here/demo" "$collection/tests/"

heading "Starting a registry with a few images"
coproc SOURCE {
    PYTHONPATH=$folder/collections exec python -m ansible_collections.airgap.images.tests.demo.source \
        "$folder/registry"
}
read -r source <&"${SOURCE[0]}" || die "the registry did not start"
references=()
while read -r reference <&"${SOURCE[0]}" && [[ -n $reference ]]; do
    references+=("$reference")
    printf '%s/%s\n' "$source" "$reference"
done
((${#references[@]} >= 2)) || die "the registry has no images"

# All but the last are given in the playbook, the last one by a list file, as people write it.
printf '# more images\n\n%s\n' "${references[-1]}" >"$folder/more-images.txt"
unset 'references[-1]'
quoted=$(printf '"%s",' "${references[@]}")
variables="{\"folder\": \"$folder\", \"source\": \"$source\", \"references\": [${quoted%,}]}"
mkdir -p -- "$folder/media"
play() {
    ANSIBLE_COLLECTIONS_PATH=$folder/collections ansible-playbook -i localhost, -c local \
        -e "ansible_python_interpreter=$(command -v python)" -e "$variables" "$here/demo/save.yml" |
        tee "$log"
}
recap() { grep -Eq "^localhost +: ok=2 +changed=$1 .*failed=0 " "$log"; }

heading "Saving ${#references[@]} images of a playbook and one of a list file"
play || die "the playbook failed"
recap 1 || die "the first run should have changed something"

heading "What is on the media"
cd -- "$folder/media"
ls -l
parts=(images.tar.gz.part*)
((${#parts[@]} >= 2)) || die "there should be several parts"

heading "Verifying: sha256sum -c images.tar.gz.sha256"
sha256sum -c images.tar.gz.sha256

heading "Listing: cat images.tar.gz.part* | tar tz"
cat -- images.tar.gz.part* | tar tz >"$log"
members=$(wc -l <"$log")
head -n 8 -- "$log"
printf '   ... %d more ...\n' "$((members - 12))"
tail -n 4 -- "$log"
for member in index.json oci-layout saved-images-list.json; do
    grep -qx "saved-image-cache/$member" "$log" || die "the archive lacks $member"
done

heading "Running the same playbook again"
sha256sum -- * >"$folder/before"
play || die "the playbook failed the second time"
recap 0 || die "the second run should have changed nothing"
sha256sum -- * | cmp -s -- - "$folder/before" || die "the second run wrote other files"

heading "Done: ${#parts[@]} verified parts, and changed=0 when run again"
