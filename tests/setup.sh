#!/usr/bin/env bash
# Installs everything that the tests and the demonstration need, on Debian or Ubuntu.
#
#   tests/setup.sh                  everything (a second run takes a second)
#   tests/setup.sh newest tools     only these: newest, oldest, target, tools, importer, docs,
#                                   fuzz
#   tests/setup.sh --env newest     and print shell code that puts the environment `newest` on PATH
#   tests/setup.sh --for demo       only what the demonstration needs; the same shell code
#
# What is not from the distribution goes to ${XDG_CACHE_HOME:-~/.cache}/airgap-images; nothing is
# written to the checkout; the output of apt-get goes to setup.log there. Only `--env` and `--for`
# write to standard output. To use it:
#
#   environment=$(tests/setup.sh --env newest) && eval "$environment"
set -euo pipefail

# The one list of Debian packages.
packages=(
    btrfs-progs         # a filesystem with quotas
    buildah             # takes images out of what the restore script leaves
    busybox             # tools that are not GNU's, to unpack archives with
    ca-certificates
    chromium            # opens the report
    containerd          # imports them
    dash
    docker-registry     # the registry that tests pull from
    exfat-fuse          # the filesystem of USB sticks, which kernels of small machines lack
    exfatprogs
    git
    gnupg               # signs images
    ksh93u+m            # shells that people log in with
    libarchive-tools    # bsdtar, which unpacks archives as well
    locales             # of which one is made that is not UTF-8
    mksh
    openssh-server      # a host to fetch from
    openssl             # certificates for the registry
    pigz
    podman              # loads images, as buildah and containerd do
    python3
    python3-apt         # with what Ansible looks for packages of the distribution
    python3-requests    # what the module needs on a host that is managed with the system's Python
    python3-venv
    python3-zstandard   # the same
    skopeo
    strace              # strikes a run at single system calls
    sudo
    tcsh
    umoci               # collects garbage, of which the pages tell
    zsh
    zstd
)
# Those of them that the demonstration needs.
for_demo=(
    ca-certificates
    docker-registry
    openssh-server
    python3
    python3-requests
    python3-venv
    skopeo
    sudo
)
# Packages in that list which start a service when they are installed, and their units.
declare -A units=(
    [containerd]="containerd.service"
    [docker-registry]="docker-registry.service"
    [openssh-server]="ssh.service ssh.socket"
    [podman]="podman.service podman.socket podman-restart.service podman-auto-update.service podman-auto-update.timer"
)

say() { printf 'setup: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}

arguments=("$@")
if [[ ${1:-} == --for ]]; then
    [[ $# == 2 && $2 == demo ]] || die "usage: tests/setup.sh --for demo"
    packages=("${for_demo[@]}")
    arguments=(--env demo)
fi

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
[[ -n ${HOME:-} ]] || die "HOME is not set: say where ~/.cache may be made"
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
cache=${XDG_CACHE_HOME:-$HOME/.cache}/airgap-images
log=$cache/setup.log
mkdir -p -- "$cache"

as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n -- env "DEBIAN_FRONTEND=$DEBIAN_FRONTEND" "$@"
    else
        die "root is needed, or sudo without a password, for: $*"
    fi
}

installed() {
    # busybox-static is as good, and apt would remove it to install the other.
    [[ $1 != busybox ]] || ! installed busybox-static || return 0
    # Any of that family will do. Ubuntu has none but as a snap.
    [[ $1 != chromium ]] || ! command -v google-chrome chromium-browser >/dev/null || return 0
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Keeps what a command says in the log, and shows the end of it when the command fails.
quietly() {
    local status=0
    "$@" >>"$log" 2>&1 </dev/null || status=$?
    if ((status)); then
        tail -n 20 -- "$log" >&2
        die "failed (status $status), see $log: $*"
    fi
}

# Prints what a package is called in this distribution.
name_here() {
    if [[ $1 == chromium ]] && grep -qx 'ID=ubuntu' /etc/os-release 2>/dev/null; then
        printf 'chromium-browser\n'
    else
        printf '%s\n' "$1"
    fi
}

install_packages() {
    local package missing=()
    command -v apt-get >/dev/null ||
        die "no apt-get here: this script knows Debian and Ubuntu. It would install: ${packages[*]}"
    for package in "${packages[@]}"; do
        installed "$package" || missing+=("$(name_here "$package")")
    done
    ((${#missing[@]})) || return 0
    say "Debian packages to install: ${missing[*]}"

    # The tests start servers of their own. So the new packages' services are neither started now
    # nor at the next boot; what was installed before stays as it is.
    local policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
        trap 'as_root rm -f -- /usr/sbin/policy-rc.d' EXIT
        as_root sh -c "cat >$policy && chmod 0755 $policy" <<'END'
#!/bin/sh
# Made by the set-up of a test, which removes it when it is done.
case "$1" in containerd* | docker-registry | podman* | ssh | ssh.* | sshd) exit 101 ;; esac
exit 0
END
    fi
    : >"$log"
    SECONDS=0
    say "updating the package lists (log: $log)"
    quietly as_root apt-get -qq -o DPkg::Lock::Timeout=300 update
    say "installing ${#missing[@]} Debian packages and what they need"
    quietly as_root apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        install --no-install-recommends "${missing[@]}"
    say "the Debian packages are there, after $SECONDS s"

    if command -v systemctl >/dev/null; then
        local unit
        for package in "${missing[@]}"; do
            for unit in ${units[$package]:-}; do
                as_root systemctl --quiet disable "$unit" >&2 2>/dev/null || true
            done
        done
    fi
}

# Prints the best Python, at least 3.11, that can make virtual environments. pyenv's shims are no
# interpreters, so its versions are looked for by themselves.
find_python() {
    local minor python roots=("${PYENV_ROOT:-$HOME/.pyenv}")
    for minor in 13 12 11 14; do
        for python in "${roots[0]}/versions/3.$minor".*/bin/python3 "/usr/local/bin/python3.$minor" \
            "/usr/bin/python3.$minor"; do
            if [[ -x $python ]] && "$python" -c 'import ensurepip, tomllib, venv' 2>/dev/null; then
                printf '%s\n' "$python"
                return
            fi
        done
    done
    die "no Python 3.11 or newer that can make virtual environments (modules venv and ensurepip)"
}

# In a shell of its own, so that what its trap removes is gone before anything else begins.
(install_packages)
python=$(find_python)
# Two runs at the same time must not build the same environment.
exec 9>"$cache/setup.lock"
flock --timeout 1200 9 || die "another setup has held $cache/setup.lock for 20 minutes"
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here "$python" -m gates setup "${arguments[@]}" 9>&-
