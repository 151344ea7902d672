#!/usr/bin/env bash
# This clone's own PostgreSQL and Redis: scripts/services.sh start | stop | status | env | remove
#
# They listen on 127.0.0.1 only, on their own ports (NTL_PG_PORT, NTL_REDIS_PORT), want a password, and belong to an
# unprivileged user. A service whose address the caller gives (DATABASE_URL, REDIS_URL) is left alone.
# docs/decisions/0005-private-services.md says why.
set -euo pipefail
here=$(cd -- "$(dirname -- "$0")" && pwd -P)
. "$here/state.sh"

PG_PORT=${NTL_PG_PORT:-5543}
REDIS_PORT=${NTL_REDIS_PORT:-6390}
PG_DATA=$STATE/postgres/data
PG_LOG=$STATE/postgres/server.log
REDIS_DIR=$STATE/redis
SECRETS=$STATE/secrets
pg_password='' redis_password='' secret_key='' # make_secrets fills them
FREE_MB_TO_CREATE=1024
FREE_MB_TO_START=200

private_postgres() { [ -z "${DATABASE_URL:-}" ]; }
private_redis() { [ -z "${REDIS_URL:-}" ]; }

# --- What is running -------------------------------------------------------------------------------------------------

# Prints the process number in a pid file, only if that process really is the server that works in the given folder:
# after a crash or a reboot the number may belong to somebody else.
verified_pid() { # pid-file folder
    local pid
    pid=$(head -n 1 "$1" 2>/dev/null) && [ -n "$pid" ] || return 1
    [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$(readlink -f "$2")" ] || return 1
    printf '%s' "$pid"
}
postgres_pid() { verified_pid "$PG_DATA/postmaster.pid" "$PG_DATA"; }
redis_pid() { verified_pid "$REDIS_DIR/redis.pid" "$REDIS_DIR"; }

running_port() { # postgres | redis
    case $1 in
    postgres) sed -n 4p "$PG_DATA/postmaster.pid" ;;
    redis) sed -n 's/^port //p' "$REDIS_DIR/redis.conf" ;;
    esac
}

require_free_port() { # port variable
    local owner
    owner=$(python3 "$here/port_owner.py" "$1") ||
        die "port $1 is taken by $owner: choose another with $2=..., for example $2=$(($1 + 1))"
}

# A server that runs on another port than the caller asks for must not be taken for the one that was asked for.
require_same_port() { # running wanted variable
    [ "$1" = "$2" ] || [ -z "${!3:-}" ] || die "already running on port $1, not on $3=$2: scripts/services.sh stop first"
}

# --- Folders, secrets, room ------------------------------------------------------------------------------------------

require_room() { # megabytes
    local free
    free=$(df -Pm "$STATE" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$1" ] ||
        die "the disk is full: $free MB free where $STATE is, $1 MB needed. Free some, or set NTL_STATE_DIR to another disk"
}

explain_failure() { # what log
    warn "--- last lines of $2"
    tail -n 15 "$2" >&2 || true
    warn "---"
    if grep -q "No space left on device" <(tail -n 50 "$2"); then
        die "$1 failed: the disk is full where $STATE is. Free some room, or set NTL_STATE_DIR to another disk"
    fi
    die "$1 failed: the lines above say why"
}

make_folders() {
    mkdir -p "$STATE" || die "cannot write to $STATE: set NTL_STATE_DIR to a folder that you own"
    [ -O "$STATE" ] || die "$STATE belongs to $(stat -c %U "$STATE"): run this as that user, or set NTL_STATE_DIR"
    # Others may pass through to the servers' own folders, which are closed, but not look around.
    chmod 711 "$STATE"
    mkdir -p "$STATE/media"
    chmod 700 "$STATE/media"
    if private_postgres || private_redis; then
        mkdir -p "$STATE/postgres" "$REDIS_DIR"
        chmod 700 "$STATE/postgres" "$REDIS_DIR"
        chown "$OWNER" "$STATE/postgres" "$REDIS_DIR"
        as_owner test -w "$REDIS_DIR" ||
            die "user $OWNER, who runs the servers, cannot enter $STATE: set NTL_STATE_DIR to a folder that it can enter"
    fi
}

random_word() { od -An -v -N32 -tx1 /dev/urandom | tr -d ' \n'; }

make_secrets() {
    [ -s "$SECRETS" ] ||
        (umask 077 && printf '%s\n' "pg_password=$(random_word)" "redis_password=$(random_word)" \
            "secret_key=$(random_word)" >"$SECRETS")
    # shellcheck source=/dev/null
    . "$SECRETS"
}

write_env() {
    local new=$ENV_FILE.new
    (
        umask 077
        {
            say "SECRET_KEY=$secret_key"
            say "MEDIA_ROOT=$STATE/media"
            if [ -s "$PG_DATA/PG_VERSION" ]; then
                say "DATABASE_URL=postgis://ntl:$pg_password@127.0.0.1:$PG_PORT/ntl"
            fi
            if [ -s "$REDIS_DIR/redis.conf" ]; then
                say "REDIS_URL=redis://:$redis_password@127.0.0.1:$REDIS_PORT/0"
            fi
        } >"$new"
    )
    mv "$new" "$ENV_FILE"
}

write_as_owner() { (umask 077 && as_owner tee "$1" >/dev/null); } # file; its text comes on standard input

# --- PostgreSQL ------------------------------------------------------------------------------------------------------

# Prints the folder of the newest PostgreSQL that has PostGIS; for data that exists, of the version that made it.
find_postgres() {
    local version
    if [ -s "$PG_DATA/PG_VERSION" ]; then
        version=$(cat "$PG_DATA/PG_VERSION")
        [ -x "/usr/lib/postgresql/$version/bin/postgres" ] ||
            die "$PG_DATA was made by PostgreSQL $version, which is not installed any more: install" \
                "postgresql-$version-postgis-3, or dump it elsewhere and run make clean"
        printf '%s' "/usr/lib/postgresql/$version/bin"
        return
    fi
    for version in $(find /usr/lib/postgresql -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null | sort -rn); do
        if [ -x "/usr/lib/postgresql/$version/bin/initdb" ] &&
            [ -e "/usr/share/postgresql/$version/extension/postgis.control" ]; then
            printf '%s' "/usr/lib/postgresql/$version/bin"
            return
        fi
    done
    die "PostgreSQL with PostGIS is not installed: run make setup, or set DATABASE_URL to a server that has it"
}

create_cluster() { # bin
    require_room "$FREE_MB_TO_CREATE"
    local log=$STATE/initdb.log
    say "PostgreSQL: creating the database in $PG_DATA"
    # A half-made cluster of an interrupted try is in the way; one without PG_VERSION holds nothing.
    rm -rf "$PG_DATA" "$PG_DATA.new"
    printf '%s\n' "$pg_password" | write_as_owner "$STATE/postgres/password"
    as_owner env LC_ALL=C.UTF-8 "$1/initdb" --pgdata "$PG_DATA.new" --username ntl --pwfile "$STATE/postgres/password" \
        --auth scram-sha-256 --encoding UTF8 --locale C.UTF-8 --data-checksums >"$log" 2>&1 </dev/null ||
        explain_failure "initdb" "$log"
    as_owner rm "$STATE/postgres/password"
    echo "include_if_exists = 'ntl.conf'" | as_owner tee -a "$PG_DATA.new/postgresql.conf" >/dev/null
    as_owner mv "$PG_DATA.new" "$PG_DATA"
}

# Two cores that web, worker and database share. Durable: fsync and synchronous_commit stay as they are, on.
write_postgres_settings() {
    write_as_owner "$PG_DATA/ntl.conf" <<END
listen_addresses = '127.0.0.1'
port = $PG_PORT
# No socket file: its path may have 107 bytes at most, and a clone may lie deep.
unix_socket_directories = ''
max_connections = 100
shared_buffers = 512MB
effective_cache_size = 2GB
work_mem = 16MB
maintenance_work_mem = 256MB
random_page_cost = 1.1
# Compiling a query costs more than it saves on queries of milliseconds.
jit = off
# Imports write much at once: few, even checkpoints.
max_wal_size = 4GB
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9
# The lock of a killed worker falls at once, so that another takes its work.
client_connection_check_interval = 1s
tcp_keepalives_idle = 10
tcp_keepalives_interval = 5
tcp_keepalives_count = 3
timezone = 'UTC'
log_timezone = 'UTC'
log_lock_waits = on
END
}

# PostgreSQL refuses to start while the number in its pid file is in use, by whomever; a container's or a rebooted
# machine's low numbers are soon used again.
remove_stale_pid_file() {
    local pid
    pid=$(head -n 1 "$PG_DATA/postmaster.pid" 2>/dev/null) || return 0
    if [ -d "/proc/$pid" ] && ! postgres_pid >/dev/null; then
        rm -f "$PG_DATA/postmaster.pid"
    fi
}

psql_private() { # bin argument...
    local bin=$1
    shift
    PGPASSWORD=$pg_password PGCONNECT_TIMEOUT=10 "$bin/psql" -XAtq -h 127.0.0.1 -p "$PG_PORT" -U ntl "$@" </dev/null
}

start_postgres() {
    local bin started=$SECONDS
    if postgres_pid >/dev/null; then
        require_same_port "$(running_port postgres)" "$PG_PORT" NTL_PG_PORT
        PG_PORT=$(running_port postgres)
        say "PostgreSQL: already running on 127.0.0.1:$PG_PORT"
        return
    fi
    bin=$(find_postgres)
    [ -s "$PG_DATA/PG_VERSION" ] || create_cluster "$bin"
    [ "$(stat -c %U "$PG_DATA")" = "$OWNER" ] ||
        die "$PG_DATA belongs to $(stat -c %U "$PG_DATA"), not to $OWNER: start it as the user who made it"
    require_room "$FREE_MB_TO_START"
    write_postgres_settings
    remove_stale_pid_file
    # After a power cut it replays its log before it answers, hence the long wait.
    as_owner "$bin/pg_ctl" start -s -w -t 300 -D "$PG_DATA" -l "$PG_LOG" </dev/null >/dev/null 2>&1 9>&- ||
        explain_failure "starting PostgreSQL" "$PG_LOG"
    if [ "$(psql_private "$bin" -d postgres -c "SELECT count(*) FROM pg_database WHERE datname = 'ntl'")" = 0 ]; then
        psql_private "$bin" -d postgres -c "CREATE DATABASE ntl"
    fi
    say "PostgreSQL: running on 127.0.0.1:$PG_PORT ($((SECONDS - started)) s)"
}

stop_postgres() {
    postgres_pid >/dev/null || return 0
    as_owner "$(find_postgres)/pg_ctl" stop -s -w -t 120 -m fast -D "$PG_DATA" </dev/null ||
        die "PostgreSQL (process $(postgres_pid)) does not stop; its log is $PG_LOG"
    say "PostgreSQL: stopped"
}

# --- Redis -----------------------------------------------------------------------------------------------------------

# Nothing is kept on disk: Redis only rings bells, the database knows what is pending.
write_redis_settings() {
    write_as_owner "$REDIS_DIR/redis.conf" <<END
bind 127.0.0.1
port $REDIS_PORT
unixsocket ""
requirepass $redis_password
daemonize yes
dir "$REDIS_DIR"
pidfile "$REDIS_DIR/redis.pid"
logfile "$REDIS_DIR/server.log"
save ""
appendonly no
END
}

ping_redis() {
    REDISCLI_AUTH=$redis_password redis-cli -h 127.0.0.1 -p "$REDIS_PORT" ping 2>/dev/null </dev/null | grep -q PONG
}

start_redis() {
    local tries=50
    if redis_pid >/dev/null; then
        require_same_port "$(running_port redis)" "$REDIS_PORT" NTL_REDIS_PORT
        REDIS_PORT=$(running_port redis)
        say "Redis: already running on 127.0.0.1:$REDIS_PORT"
        return
    fi
    command -v redis-server >/dev/null ||
        die "redis-server is not installed: run make setup, or set REDIS_URL to a server"
    write_redis_settings
    as_owner redis-server "$REDIS_DIR/redis.conf" </dev/null >"$STATE/redis-start.log" 2>&1 9>&- ||
        explain_failure "starting Redis" "$STATE/redis-start.log"
    until ping_redis; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || explain_failure "starting Redis" "$REDIS_DIR/server.log"
        sleep 0.1
    done
    say "Redis: running on 127.0.0.1:$REDIS_PORT"
}

stop_redis() {
    local pid tries=100
    pid=$(redis_pid) || return 0
    kill -TERM "$pid"
    while redis_pid >/dev/null; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || die "Redis (process $pid) does not stop; its log is $REDIS_DIR/server.log"
        sleep 0.1
    done
    say "Redis: stopped"
}

# --- Commands --------------------------------------------------------------------------------------------------------

lock() {
    exec 9>"$STATE/start.lock"
    flock -w 330 9 || die "another start or stop of these services takes too long"
}

# Started by hand, they stay until they are stopped by hand; with_services.py starts them "while used".
start() { # [--while-used]
    # Ports first: the commonest trouble is told before anything is made.
    if private_postgres && ! postgres_pid >/dev/null; then require_free_port "$PG_PORT" NTL_PG_PORT; fi
    if private_redis && ! redis_pid >/dev/null; then require_free_port "$REDIS_PORT" NTL_REDIS_PORT; fi
    if private_postgres; then find_postgres >/dev/null; fi
    make_folders
    lock
    make_secrets
    if private_postgres; then start_postgres; else say "PostgreSQL: as DATABASE_URL says"; fi
    if private_redis; then start_redis; else say "Redis: as REDIS_URL says"; fi
    write_env
    [ "${1:-}" = --while-used ] || touch "$STATE/started-by-hand"
}

stop() {
    [ -d "$STATE" ] || return 0
    lock
    rm -f "$STATE/started-by-hand"
    stop_redis
    stop_postgres
}

# The database and the uploads with it.
remove() {
    stop
    if [ -e "$SECRETS" ]; then
        rm -rf "$STATE"
        say "removed $STATE"
    fi
}

status() {
    local code=0
    if ! private_postgres; then
        say "PostgreSQL: as DATABASE_URL says"
    elif postgres_pid >/dev/null; then
        say "PostgreSQL: running on 127.0.0.1:$(running_port postgres), process $(postgres_pid), data in $PG_DATA"
    else
        say "PostgreSQL: not running" && code=3
    fi
    if ! private_redis; then
        say "Redis: as REDIS_URL says"
    elif redis_pid >/dev/null; then
        say "Redis: running on 127.0.0.1:$(running_port redis), process $(redis_pid)"
    else
        say "Redis: not running" && code=3
    fi
    return $code
}

# The servers' user may not be allowed to be where the caller is.
cd /
case ${1:-} in
start) start "${2:-}" ;;
stop) stop ;;
status) status ;;
env) say "$ENV_FILE" ;;
remove) remove ;;
*) die "usage: scripts/services.sh start | stop | status | env | remove" ;;
esac
