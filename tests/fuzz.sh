#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Sets up what is missing and fuzzes the parsers of what comes from outside, guided by coverage.
#
#   tests/fuzz.sh               more than 10 million executions on two processes, about 20 minutes
#   tests/fuzz.sh --short       the same inputs every time, a few seconds; the gate `fuzz` does this
#   tests/fuzz.sh --keep-seeds  a full run, whose smallest corpus replaces tests/fuzz/seeds/*/found-*
#   tests/fuzz.sh --help        single targets, other numbers, and how to try one input again
#
# A full run writes fuzz.json and fuzz.md to docs/reliability. Exits with 1 where an input breaks a
# property, takes 5 seconds or a gigabyte, and prints that input.
set -euo pipefail

# shellcheck source=tests/copied.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/copied.sh" fuzz fuzz
python -m ansible_collections.airgap.images.tests.fuzz \
    --seeds "$here/fuzz/seeds" --output "$here/../docs/reliability" "$@"
