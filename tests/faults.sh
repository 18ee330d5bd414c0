#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Sets up what is missing and does harm to runs of the module, by network, kill, signals, disk and damage: each is
# followed by a check of what is there, and by a run to the end. Walks over its options, too, and runs the tests in full
# that tests/run.sh has in a short form (group `tests`). Registry, network and all of it are on this machine.
#
#   tests/faults.sh              everything
#   tests/faults.sh --help       single groups or trials, how often, with which seed
#
# Prints a table; of a run of everything, writes it to docs/reliability.md and docs/reliability/faults.json. Exits with 1
# where something did not hold.
set -euo pipefail

# shellcheck source=tests/copied.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/copied.sh" newest bench data faults functional support unit
# What the tests that run in full read, beside the plugins
cp -R -- "$here/../"{CHANGELOG.rst,README.md,docs,playbooks,pyproject.toml,requirements.txt,roles} "$collection/"
python -m ansible_collections.airgap.images.tests.faults --output "$here/../docs/reliability" "$@"
