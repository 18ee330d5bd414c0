#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Sets up what is missing and measures how fast and how small the module works, each figure beside a
# reference that is measured in the same run: a registry, images and all of it on this machine.
#
#   tests/bench.sh              ten minutes on two cores, and 5 GB of disk
#   tests/bench.sh --only hosts the role on 5 and 50 hosts, beside an earlier commit: a quarter of an hour
#   tests/bench.sh --only play  the role on one host with nothing new, beside an earlier commit: two minutes
#   tests/bench.sh --only haul  40 GB over a link of 40 MB/s: twenty minutes, and 45 GB of disk
#   tests/bench.sh --only growth10k  lists of 10,000 references, from a registry in memory: twenty minutes
#   tests/bench.sh --help       sizes, single groups of figures, and where the results go
#
# Prints a table and writes results.json, results.md and plot.svg to docs/performance. Exits with 1
# where a ratio misses what it must reach.
set -euo pipefail

# shellcheck source=tests/copied.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/copied.sh" newest bench support
python -m ansible_collections.airgap.images.tests.bench \
    --output "$here/../docs/performance" --checkout "$here/.." --work "${TMPDIR:-/var/tmp}" "$@"
