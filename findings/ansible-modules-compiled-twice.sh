#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# ansible-core 2.19.3 with zipimport of CPython 3.11 to 3.13: a host compiles each file of a module twice, at every task.
#
# Expected: the module arrives as a zip archive, and each file that it imports is compiled once, as with files on disk.
# Observed: importlib asks the loader for a spec; zipimport's get_filename compiles the whole source to find out the name
# alone, drops the code, and compiles the source again when the module is executed. No bytecode is kept, so a module pays
# this in every task: for a collection with 23,000 lines it is 0.2 CPU seconds.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv >/dev/null
venv/bin/pip --quiet install 'ansible-core==2.19.3' 2>/dev/null
python=$work/venv/bin/python

# Ansible keeps the payload of one module, which is run again with every compile counted.
export ANSIBLE_HOME=$work/home ANSIBLE_KEEP_REMOTE_FILES=1 ANSIBLE_REMOTE_TEMP=$work/remote ANSIBLE_NOCOLOR=1
venv/bin/ansible localhost --inventory localhost, --connection local --module-name ansible.builtin.ping \
  --extra-vars "ansible_python_interpreter=$python" >ping
grep -q pong ping
payload=$(find remote -name 'AnsiballZ_ping.py')

mkdir hook
cat >hook/sitecustomize.py <<'END'
import atexit, collections, os, sys
counts = collections.Counter()
def hook(event, args):
    if event == "compile" and isinstance(args[1], str) and ".zip/" in args[1]:
        counts[args[1].partition(".zip/")[2]] += 1
sys.addaudithook(hook)
def say():
    with open(os.environ["FINDING_OUT"], "a", encoding="utf-8") as file:
        file.writelines(f"{count} {name}\n" for name, count in sorted(counts.items()))
atexit.register(say)
END
FINDING_OUT=$work/compiled PYTHONPATH=$work/hook "$python" "$payload" >answer
grep -q pong answer

total=$(wc -l <compiled)
twice=$(grep -c '^2 ansible/module_utils/' compiled || true)
once=$(grep -c '^1 ansible/module_utils/' compiled || true)
venv/bin/ansible --version >version
echo "$("$python" --version), $(head -1 version): $total files of ping's payload were compiled," \
  "$twice of module_utils twice and $once once"
[ "$twice" -ge 10 ] && [ "$once" -le 2 ]
