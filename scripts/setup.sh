#!/usr/bin/env bash
# Installs what this clone needs and does not have yet: scripts/setup.sh [--browser]
#
# System packages from apt (nothing is started or left enabled), Python packages into .venv, front-end packages into
# node_modules. Asks nothing, may be run again, does only what is missing. --browser adds what the page tests drive.
set -euo pipefail
here=$(cd -- "$(dirname -- "$0")" && pwd -P)
. "$here/state.sh"
. "$here/progress.sh"

browser=
case ${1:-} in
--browser) browser=1 ;;
'') ;;
*) die "usage: scripts/setup.sh [--browser]" ;;
esac
cd "$ROOT"
policy=/usr/sbin/policy-rc.d
policy_mark="# made by ntl-web while it installs packages"
no_cluster=/etc/postgresql-common/createcluster.d/ntl-web.conf
held_back=

clean_up() {
    end_progress
    allow_services
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- System packages -------------------------------------------------------------------------------------------------

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    die "Python 3.11 or newer is needed; python3 here is $(python3 --version 2>&1 || true)." \
        "Debian 12 and 13 and Ubuntu 24.04 carry one; or name yours: PYTHON=/path/to/python3.12 make setup"
}

has_program() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ]; }
has_library() { /sbin/ldconfig -p | grep -q "$1\.so"; }
has_browser() {
    has_program chromium || has_program google-chrome ||
        compgen -G "${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}/chromium-*" >/dev/null
}
has_postgis() {
    local control version
    for control in /usr/share/postgresql/*/extension/postgis.control; do
        version=$(basename "$(dirname "$(dirname "$control")")")
        [ -x "/usr/lib/postgresql/$version/bin/initdb" ] && return 0
    done
    return 1
}

# By what is really there, not by what dpkg lists: a server built by hand is as good.
is_missing() { # package
    case $1 in
    python3-venv) ! "$python" -c 'import ensurepip, venv' 2>/dev/null ;;
    postgresql-postgis) [ -z "${DATABASE_URL:-}" ] && ! has_postgis ;;
    redis-server) [ -z "${REDIS_URL:-}" ] && ! { has_program redis-server && has_program redis-cli; } ;;
    gdal-bin) ! { has_program gdalinfo && has_library libgdal && has_library libgeos_c && has_library libproj; } ;;
    gettext) ! has_program msgfmt ;;
    chromium) [ -n "$browser" ] && ! has_browser ;;
    *) die "scripts/apt-packages.txt names $1, and scripts/setup.sh does not know how to look for it" ;;
    esac
}

missing_packages() {
    local package _
    while read -r package _; do
        case $package in '' | '#'*) continue ;; esac
        if is_missing "$package"; then say "$package"; fi
    done <scripts/apt-packages.txt
}

become_root() { # sets the array sudo
    sudo=()
    [ "$(id -u)" -ne 0 ] || return 0
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo=(sudo -n)
    elif command -v sudo >/dev/null && [ -t 0 ] && sudo -v; then
        sudo=(sudo)
    else
        return 1
    fi
}

# apt starts a server as it installs it, and has it start at boot. Ours are private: what was not there before must not
# run or start afterwards either. A policy-rc.d that the machine already has is the machine's own business.
forbid_services() {
    held_back=1
    if [ ! -e $policy ] || grep -qs "$policy_mark" $policy; then
        printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" | "${sudo[@]}" tee $policy >/dev/null
        "${sudo[@]}" chmod 755 $policy
    fi
    "${sudo[@]}" mkdir -p "$(dirname $no_cluster)"
    echo "create_main_cluster = false" | "${sudo[@]}" tee $no_cluster >/dev/null
}

allow_services() {
    [ -n "$held_back" ] || return 0
    held_back=
    if grep -qs "$policy_mark" $policy; then "${sudo[@]}" rm -f $policy; fi
    "${sudo[@]}" rm -f $no_cluster
    "${sudo[@]}" rmdir --ignore-fail-on-non-empty "$(dirname $no_cluster)"
}

# Only a server that this run has installed is switched off.
disable_installed() { # package...
    local package service
    for package in "$@"; do
        case $package in
        postgresql-postgis) service=postgresql ;;
        redis-server) service=redis-server ;;
        *) continue ;;
        esac
        "${sudo[@]}" update-rc.d "$service" disable >/dev/null 2>&1 || true
        if command -v systemctl >/dev/null; then "${sudo[@]}" systemctl disable "$service" >/dev/null 2>&1 || true; fi
    done
}

apt_get() {
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 APT_LISTCHANGES_FRONTEND=none apt-get \
        -qy -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Options::=--force-confold "$@"
}
refresh_apt() {
    # Finishes an install that was interrupted; without one it does nothing.
    "${sudo[@]}" dpkg --configure -a
    # A third party's source that is down is no reason to stop: what is missing shows when it is installed.
    apt_get update || true
}
apt_offers() { apt-cache policy "$1" | grep -q 'Candidate: [^(]'; }

install_system_packages() {
    local -a missing
    mapfile -t missing < <(missing_packages)
    if [ ${#missing[@]} -eq 0 ]; then
        say "System packages: all there"
        return
    fi
    command -v apt-get >/dev/null ||
        die "missing: ${missing[*]} (Debian's names). Only apt is known here: install their equivalents, then run again"
    become_root || die "missing system packages: ${missing[*]}." \
        "You are not root and cannot use sudo. Ask an administrator to run:" \
        "apt-get install -y ${missing[*]} - and then run this again"
    forbid_services
    step "Package lists" refresh_apt
    # Ubuntu has Chromium as a snap only; install_browser finds another way there.
    if [ "${missing[-1]}" = chromium ] && ! apt_offers chromium; then unset 'missing[-1]'; fi
    if [ ${#missing[@]} -gt 0 ]; then
        step "System packages (${missing[*]})" apt_get install --no-install-recommends "${missing[@]}"
        disable_installed "${missing[@]}"
    fi
    allow_services
}

# --- Python and front-end packages -----------------------------------------------------------------------------------

hash_of() { cat -- "$@" | sha256sum | cut -d' ' -f1; }

install_python_packages() {
    local stamp=.venv/.installed wanted
    wanted="$("$python" -c 'import sys; print(sys.version)') $(hash_of requirements/base.txt requirements/ml.txt requirements/dev.txt)"
    # A clone that was moved, or whose Python is gone, has a .venv that no longer works.
    if ! .venv/bin/python -c '' 2>/dev/null || ! grep -qsF "$ROOT/.venv/bin" .venv/bin/pip; then
        step "Virtual environment (.venv, $("$python" --version))" "$python" -m venv --clear .venv
    fi
    if [ "$(cat $stamp 2>/dev/null)" = "$wanted" ]; then
        say "Python packages: up to date"
        return
    fi
    step "Python packages" .venv/bin/python -m pip install --disable-pip-version-check --no-input --progress-bar off \
        -r requirements/dev.txt
    printf '%s\n' "$wanted" >$stamp
}

find_npm() {
    if command -v npm >/dev/null && command -v node >/dev/null; then
        npm=npm
    else
        [ -x .venv/bin/npm ] || step "Node.js (into .venv)" .venv/bin/python -m pip install \
            --disable-pip-version-check --no-input --progress-bar off -r requirements/node.txt
        npm=$ROOT/.venv/bin/npm
        PATH=$ROOT/.venv/bin:$PATH
    fi
}

install_frontend_packages() {
    local stamp=node_modules/.installed wanted
    wanted=$(hash_of package.json package-lock.json)
    if [ "$(cat $stamp 2>/dev/null)" = "$wanted" ]; then
        say "Front-end packages: up to date"
        return
    fi
    find_npm
    step "Front-end packages" "$npm" ci --ignore-scripts --no-audit --no-fund --no-update-notifier
    printf '%s\n' "$wanted" >$stamp
}

# Where apt had none: the build that Playwright's makers distribute.
install_browser() {
    [ -n "$browser" ] && ! has_browser || return 0
    step "Browser (Playwright's own)" .venv/bin/python -m playwright install --with-deps chromium
}

python=$(find_python)
install_system_packages
install_python_packages
install_frontend_packages
install_browser
say "Set-up: complete ($SECONDS s)"
