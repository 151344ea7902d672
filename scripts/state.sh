# shellcheck shell=bash
# Where this clone keeps what running it makes (database, Redis, uploads, models, secrets), and whose that is.
# Sourced by the other scripts; sets ROOT, STATE, ENV_FILE and OWNER.

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly ROOT

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# PostgreSQL refuses to run as root, so root lends the servers to a user that their packages made.
choose_owner() {
    if [ "$(id -u)" -ne 0 ]; then
        id -un
    elif id postgres >/dev/null 2>&1; then
        say postgres
    elif id redis >/dev/null 2>&1; then
        say redis
    else
        say root
    fi
}
OWNER=$(choose_owner)
readonly OWNER

as_owner() {
    if [ "$(id -un)" = "$OWNER" ]; then
        "$@"
    else
        runuser -u "$OWNER" -- "$@"
    fi
}

# Inside the clone where that works; elsewhere when the servers' user cannot enter the clone (/root is closed to all
# others), when the clone cannot be written to, and when its path is so long that paths below it meet limits.
choose_state() {
    local name
    name=$(basename "$ROOT")-$(printf '%s' "$ROOT" | sha256sum | cut -c1-8)
    if [ -n "${NTL_STATE_DIR:-}" ]; then
        printf '%s' "$NTL_STATE_DIR"
    elif [ "${#ROOT}" -le 150 ] && [ -w "$ROOT" ] && as_owner test -x "$ROOT"; then
        printf '%s' "$ROOT/.state"
    elif [ "$(id -u)" -eq 0 ]; then
        printf '%s' "/var/lib/ntl-web/$name"
    else
        printf '%s' "${XDG_STATE_HOME:-$HOME/.local/state}/ntl-web/$name"
    fi
}

STATE=$(choose_state)
ENV_FILE=$STATE/env
readonly STATE ENV_FILE

# Exports what the env file says, one KEY=value a line; what the caller has set already wins.
load_env() {
    local key value
    [ -e "$ENV_FILE" ] || return 0
    [ -r "$ENV_FILE" ] || die "$ENV_FILE belongs to $(stat -c %U "$ENV_FILE"): run this as that user"
    while IFS='=' read -r key value; do
        [ -n "${!key+set}" ] || export "$key=$value"
    done <"$ENV_FILE"
}
