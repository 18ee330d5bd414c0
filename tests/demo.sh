#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Sets up what is missing and shows the whole way: three hosts share out a list, save its images and hand over verified
# archives, in parts; a host behind the air gap loads them into the registry there, where every digest is compared with
# its source; both playbooks again change nothing.
#
#   tests/demo.sh            what was brought to the controller stays, for a look at it, and where it is is said
#   tests/demo.sh --clean    everything is removed at the end
#
# The registries are real docker-registries, the hosts are a real sshd, all on loopback. Who logs in
# is no root, but may use sudo: as root, a user is made for that and removed at the end. Exits with
# 1 when anything is not as it should be.
set -euo pipefail

keep=true
case "$#:${1:-}" in
    0:) ;;
    1:--clean) keep=false ;;
    *)
        printf 'usage: tests/demo.sh [--clean]\n' >&2
        exit 2
        ;;
esac

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
bold='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
    bold=$'\e[1m' plain=$'\e[0m'
fi
heading() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
typed() { printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"; }
die() {
    printf '\nDEMO FAILED: %s\n' "$*" >&2
    exit 1
}

heading "Setting up (the first time takes some minutes)"
environment=$("$here/setup.sh" --for demo)
eval "$environment"
# Neither the user's settings of Ansible nor those of a shell that runs it.
for name in "${!ANSIBLE_@}"; do
    unset "$name"
done
folder=$(mktemp -d)
log=$folder/log
# shellcheck disable=SC2317,SC2329 # called by the trap
clean_up() {
    local status=$?
    trap '' INT TERM HUP
    # The registry and the hosts end when their standard input does.
    if [[ -n ${SOURCE_PID:-} ]]; then
        local pid=$SOURCE_PID
        eval "exec ${SOURCE[1]}>&-"
        wait "$pid" || true
    fi
    if [[ $keep == true && $status == 0 ]]; then
        rm -rf -- "$folder"/{ansible,ansible.cfg,collections,registry,registry-inside,log,log.shown,before,site,stick}
        rm -f -- "$folder"/*.tar.gz
    else
        rm -rf -- "$folder"
    fi
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
export ANSIBLE_CONFIG=$folder/ansible.cfg
printf '[defaults]\nhome = ansible\n' >"$ANSIBLE_CONFIG"
version=$(ansible --version)
printf '%s\n' "${version%%$'\n'*}"

heading "Building the collection and installing it, without Galaxy"
ansible-galaxy collection build --output-path "$folder" "$here/.." >"$log" || die "$(cat "$log")"
ansible-galaxy collection install --offline -p "$folder/collections" "$folder"/airgap-images-*.tar.gz >"$log" 2>&1 ||
    die "$(cat "$log")"
grep 'was installed successfully' "$log"
# What serves the demonstration is not part of what users install.
collection=$folder/collections/ansible_collections/airgap/images
mkdir -p -- "$collection/tests"
cp -R -- "$here/support" "$here/demo" "$collection/tests/"

heading "Starting a registry with a few images, an empty one for the site, and an sshd with the hosts"
coproc SOURCE {
    PYTHONPATH=$folder/collections exec python -m ansible_collections.airgap.images.tests.demo.source "$folder"
}
{ read -r ready <&"${SOURCE[0]}" && [[ $ready == ready ]]; } || die "the registry or the sshd did not start"
cd -- "$folder"
for name in save load; do
    sed '1,/^$/d' "$here/demo/$name.yml" >"$name.yml"
done
printf 'The images:\n'
typed "cat images.txt" && cat images.txt
printf '\nThe hosts:\n'
typed "cat inventory.ini" && cat inventory.ini
printf '\nThe playbook:\n'
typed "cat save.yml" && cat save.yml

hosts=(north east west)
play() {
    typed "ansible-playbook -i inventory.ini $1"
    SECONDS=0
    # What is shown while it runs comes on standard error, which stays the terminal that it may be.
    ansible-playbook -i inventory.ini "$1" 2> >(tee "$log.shown" >&2) | tee "$log" ||
        die "the playbook failed: what is wrong stands above"
    seconds=$SECONDS
}
# Whether all hosts end well with as many changes as the pattern says.
recap() {
    local host
    for host in "${hosts[@]}"; do
        grep -Eq "^$host +: ok=[0-9]+ +changed=$1 +unreachable=0 +failed=0 .*rescued=0 +ignored=0" "$log" || return
    done
}

heading "Saving: tasks that change something are shown, and the recap"
play save.yml
grep -Eq '^north: [0-9]+ of [0-9]+ images?, ' "$log.shown" || die "nothing was shown while images were saved"
recap '[1-9][0-9]*' || die "the first run should have changed something on each host"
! grep -q '^TASK.*Install' "$log" || die "there should have been nothing to install"

heading "What has arrived here, on the controller"
cd -- media
typed "ls -l *" && ls -l -- *
for host in "${hosts[@]}"; do
    parts=("$host/images-$host".tar.gz.part*)
    ((${#parts[@]} >= 2)) || die "$host should have brought several parts"
done

heading "Verifying it"
for host in "${hosts[@]}"; do
    typed "(cd $host && sha256sum -c images-$host.tar.gz.sha256)"
    (cd -- "$host" && sha256sum -c "images-$host.tar.gz.sha256") || die "what came from $host is damaged"
done

heading "Which host has which image, as media/images.lock.json says"
python "$here/demo/summary.py" ../images.txt . || die "the set is not what the list asks for"

heading "Looking into one of the archives"
typed "cat north/images-north.tar.gz.part* | tar tz"
cat -- north/images-north.tar.gz.part* | tar tz >"$log"
members=$(wc -l <"$log")
head -n 8 -- "$log"
printf '   ... %d more ...\n' "$((members - 12))"
tail -n 4 -- "$log"
for member in index.json oci-layout saved-images-list.json; do
    grep -qx "saved-image-cache/$member" "$log" || die "the archive lacks $member"
done

heading "Restoring it as somebody who has neither Ansible nor this collection"
typed "sh images.restore.sh $folder/site"
sh images.restore.sh "$folder/site" || die "the script failed"
for image in $(sh images.restore.sh --images); do
    skopeo inspect --raw "oci:$folder/site/saved-image-cache:$image" >"$log" || die "$image cannot be read"
done

heading "The same playbook again: nothing is downloaded, fetched or changed"
state() { find . -type f -printf '%p %i %T@ ' -exec sha256sum {} \; | sort; }
state >../before
cd -- ..
play save.yml
recap 0 || die "the second run should have changed nothing"
(cd -- media && state) | cmp -s -- - before || die "the second run has written files"

heading "Carrying it across: the site gets a stick, and nothing else"
typed "cp -r media stick" && cp -r -- media stick
printf '\nThe playbook on the other side:\n'
typed "cat load.yml" && cat load.yml

heading "Loading it into the registry of the site"
hosts=(site)
play load.yml
grep -Eq '^site: [0-9]+ of [0-9]+ images?' "$log.shown" || die "nothing was shown while images were loaded"
recap '[1-9][0-9]*' || die "the first load should have changed something"

heading "Comparing every digest with its source"
registry_of() { sed -n "s/^$1=//p" inventory.ini; }
source_registry=$(registry_of registry) site_registry=$(registry_of site_registry)
python "$here/demo/compare.py" images.txt "$source_registry" "$site_registry" || die "a digest is another one"

heading "Loading it again: nothing is copied, pushed or changed"
play load.yml
recap 0 || die "the second load should have changed nothing"

heading "Done: from one registry to another over an air gap, and changed=0 when run again, in $seconds seconds"
if [[ $keep == true ]]; then
    printf '\nWhat is in here, and which host has it? A page for a browser says it:\n'
    printf '  %s\n' "$folder"/media/images.report.html
    printf 'To check the parts and unpack them, where there is neither Ansible nor this collection:\n'
    printf '  sh %s TARGET_DIR\n' "$folder"/media/images.restore.sh
    printf 'To remove all of it:\n  rm -r %s\n' "$folder"
fi
