#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Checks that the version and the changelog are ready for a release, and builds what is handed in to Galaxy.
#
#   tests/release.sh v0.1.0                   to ./airgap-images-0.1.0.tar.gz
#   tests/release.sh --output DIR v0.1.0      to a directory
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
output=.
if [[ ${1:-} == --output ]]; then
    output=${2:?--output wants a directory}
    shift 2
fi
tag=${1:?name the tag, such as v0.1.0}
environment=$("$here/setup.sh" --env newest)
eval "$environment"
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here python -m gates.release "$tag"
ansible-galaxy collection build --output-path "$output" "$here/.."
