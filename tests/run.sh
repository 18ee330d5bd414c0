#!/usr/bin/env bash
# Sets up what is missing and runs the gates: all of them, or those that are named.
#
#   tests/run.sh                    everything
#   tests/run.sh --list             what there is, and on which ansible-core and Python
#   tests/run.sh lint unit          groups or single gates
#   tests/run.sh unit -- -k parse   one gate, with arguments for its last command
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
environment=$("$here/setup.sh" --env)
eval "$environment"
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here exec python -m gates run "$@"
