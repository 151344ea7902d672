#!/usr/bin/env bash
# Loads the demo city and serves the site with worker and beat until Ctrl-C. Run by make demo, with services up.
set -euo pipefail
here=$(cd -- "$(dirname -- "$0")" && pwd -P)
. "$here/state.sh"
. "$here/progress.sh"
trap end_progress EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cd "$ROOT"
export NTL_PORT=${NTL_PORT:-8000}

require_free_port() {
    local owner
    owner=$(python "$here/port_owner.py" "$NTL_PORT") ||
        die "port $NTL_PORT is taken by $owner: choose another, for example NTL_PORT=$((NTL_PORT + 1)) make demo"
}

compile_messages() {
    if [ -n "$(find locale -name '*.po' -newer "$STATE/messages.stamp" 2>/dev/null || find locale -name '*.po' 2>/dev/null)" ]; then
        step "Translations" python manage.py compilemessages --ignore .venv --ignore node_modules
        touch "$STATE/messages.stamp"
    fi
}

# Compressing the front-end packages takes seconds, so only when one of them, or a file of ours, has changed.
collect_static() {
    local wanted stamp=$STATE/static.stamp
    wanted=$({
        find static apps -path '*static*' -type f -printf '%p %s %T@\n'
        cat package-lock.json requirements/base.txt ntl_web/settings.py
    } | sha256sum)
    if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return; fi
    step "Static files" python manage.py collectstatic --noinput
    printf '%s\n' "$wanted" >"$stamp"
}

# Below the first lines of the three processes, so that it is the last thing on the screen.
announce() {
    local address=http://localhost:$NTL_PORT
    until python - "$NTL_PORT" <<'END'
import socket, sys
socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=1).close()
END
    do
        sleep 0.3
        kill -0 $$ || return
    done 2>/dev/null
    sleep 2
    cat <<END

  The site is up:   $address
  Log in as         ines   investigates the zone North
                    otto   investigates the zone South
                    sam    supervises everything
                    ana    analyst
  Password          demo
  API description   $address/api/docs/
  Ctrl-C stops everything.

END
}

require_free_port
step "Database schema" python manage.py migrate --noinput
compile_messages
collect_static
python manage.py load_city
announce &
end_progress
trap - EXIT INT TERM HUP
export NTL_BEAT_FILE=$STATE/celerybeat-schedule
exec honcho start --procfile Procfile
