#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# ansible-core 2.17.14 and 2.21.5: how a role's argument_specs.yml treats a variable that is null.
#
# Expected: null means "not given", as for modules, where an optional option of any type may be null. Observed in both
# versions:
#   - an option of type int WITHOUT a default accepts null;
#   - the same option WITH a default refuses null: "<class 'NoneType'> cannot be converted to an int".
# They differ for text: with a default, 2.17 refuses null for type str, 2.21 accepts it.
# A default therefore makes a specification stricter, and a caller who writes `variable: null` to get the default fails.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/roles/r/meta" "$work/roles/r/tasks"
cat >"$work/roles/r/meta/argument_specs.yml" <<'END'
argument_specs:
  main:
    options:
      bare: {type: int}
      number: {type: int, default: 4}
      text: {type: str, default: four}
END
echo '- ansible.builtin.debug: {msg: reached}' >"$work/roles/r/tasks/main.yml"

run() { # VERSION VARIABLE: prints "taken" or "refused"
  printf -- '- hosts: localhost\n  gather_facts: false\n  roles: [{role: r, %s: null}]\n' "$2" >"$work/play.yml"
  if (cd "$work" && ANSIBLE_NOCOLOR=1 ANSIBLE_LOCALHOST_WARNING=false "$work/$1/bin/ansible-playbook" play.yml) \
    >"$work/said" 2>&1; then
    echo taken
  elif grep -q NoneType "$work/said"; then
    echo refused
  else
    cat "$work/said" >&2
    echo other
  fi
}

python=${PYTHON:-python3}
wrong=0
expect() { # VERSION VARIABLE WANTED
  seen=$(run "$1" "$2")
  echo "ansible-core $1, $2: null is $seen"
  [ "$seen" = "$3" ] || { echo "  expected: $3" >&2; wrong=1; }
}
for version in 2.17.14 2.21.5; do
  interpreter=$python
  if [ "$version" = 2.21.5 ]; then interpreter=${PYTHON_NEW:-python3.13}; fi
  command -v "$interpreter" >/dev/null || { echo "needs $interpreter (set PYTHON or PYTHON_NEW)" >&2; exit 2; }
  "$interpreter" -m venv "$work/$version"
  "$work/$version/bin/pip" install --quiet --disable-pip-version-check "ansible-core==$version"
done
expect 2.17.14 bare taken
expect 2.17.14 number refused
expect 2.17.14 text refused
expect 2.21.5 bare taken
expect 2.21.5 number refused
expect 2.21.5 text taken
exit $wrong
