#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Sets up what is missing, builds the documentation site, checks every link, and says where its first page is.
#
#   tests/docs.sh                 to docs/_build/html, which git ignores
#   tests/docs.sh --output DIR    elsewhere; what is in DIR is replaced
#
# Warnings are errors. No network is needed once the environment is there, neither to build nor to read.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
environment=$("$here/setup.sh" --env docs)
eval "$environment"
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here exec python -m docsite "$@"
