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

# Once the site answers, and below the first lines of the three processes: the last thing on the screen.
announce() {
    local address=http://localhost:$NTL_PORT
    until python -c "import urllib.request; urllib.request.urlopen('$address')" 2>/dev/null; do
        sleep 0.5
        kill -0 $$ 2>/dev/null || return
    done
    sleep 1
    cat <<END

  The site is up:   $address
  Log in as         ines   investigates North and Westgate
                    otto   investigates South and Millbank
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
export NTL_LOG_LEVEL=${NTL_LOG_LEVEL:-WARNING}
# By way of a file: honcho must be able to end its processes when the terminal is gone, and trips over one that is.
log=$STATE/demo.log
: >"$log"
tail -f --pid=$$ "$log" &
exec honcho start --procfile Procfile >"$log" 2>&1
