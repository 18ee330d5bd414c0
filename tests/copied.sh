# shellcheck shell=bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# For scripts in this folder, to be sourced: sets up ENVIRONMENT, and makes a copy of the plugins, the roles and the folders
# FOLDER of tests that Python can import; `here` is this folder. So the checkout may stand anywhere, and be worked on meanwhile.
#
#   . "$(dirname -- "${BASH_SOURCE[0]}")/copied.sh" ENVIRONMENT FOLDER...

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
environment=$("$here/setup.sh" --env "$1")
eval "$environment"
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
collection=$folder/ansible_collections/airgap/images
mkdir -p -- "$collection/tests"
cp -R -- "$here/../galaxy.yml" "$here/../meta" "$here/../plugins" "$here/../roles" "$collection/"
for part in "${@:2}"; do
    cp -R -- "$here/$part" "$collection/tests/"
done
export PYTHONPATH=$folder
