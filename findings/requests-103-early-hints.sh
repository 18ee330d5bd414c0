#!/usr/bin/env bash
# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# requests 2.32.5 with urllib3 2.5.0, on the http.client of Python 3.9 to 3.13: a response that is preceded by 103 Early
# Hints (RFC 8297) is lost.
#
# A front of a registry may send 103 before the real response. Expected, as RFC 9110 section 15.2 has it: interim responses
# are read and passed over, and the caller sees the 200. Observed: only 100 is passed over. The caller gets status 103, an
# empty body and the headers of the hint, and no error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-python3}
"$python" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check requests==2.32.5 urllib3==2.5.0

cat >"$work/look.py" <<'END'
import platform
import socket
import threading

import requests
import urllib3

FINAL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def ask(before):
    """Serve one request with an interim response first, and return what the caller sees."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _peer = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(before + FINAL)

    thread = threading.Thread(target=serve)
    thread.start()
    session = requests.Session()
    session.trust_env = False
    answer = session.get(f"http://127.0.0.1:{server.getsockname()[1]}/v2/", timeout=10)
    thread.join()
    server.close()
    return answer.status_code, answer.text


print("Python", platform.python_version(), "requests", requests.__version__, "urllib3", urllib3.__version__)
seen = ask(b""), ask(CONTINUE), ask(HINT)
for name, what in zip(("alone", "after 100", "after 103"), seen):
    print(f"{name}: status {what[0]}, body {what[1]!r}")
assert seen == ((200, "{}"), (200, "{}"), (103, "")), seen
END
"$work/venv/bin/python" "$work/look.py"
