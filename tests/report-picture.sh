#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Sets up what is missing and takes the pictures of the reports anew: docs/images/report-*.png and set-*.png.
set -euo pipefail

# shellcheck source=tests/copied.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/copied.sh" newest browser data support
mkdir -p -- "$here/../docs/images"
python -m ansible_collections.airgap.images.tests.browser.picture "$here/../docs/images"
