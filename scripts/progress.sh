# shellcheck shell=bash
# Tells a person what takes long and for how long. Sourced; call end_progress from an EXIT trap.

step_log=$(mktemp)
step_ticker=

end_progress() {
    if [ -n "$step_ticker" ]; then kill "$step_ticker" 2>/dev/null || true; fi
    rm -f "$step_log"
}

tick() { # what
    local seconds=0
    while sleep 1 && kill -0 $$ 2>/dev/null; do
        seconds=$((seconds + 1))
        if [ -t 1 ]; then
            printf '\r%s ... %s s ' "$1" "$seconds"
        elif [ $((seconds % 15)) -eq 0 ]; then
            printf '%s ... %s s\n' "$1" "$seconds"
        fi
    done
}

# Runs a command out of sight and says how long it took; when it fails, shows the end of what it said and stops.
step() { # what command...
    local what=$1 started=$SECONDS
    shift
    if [ -t 1 ]; then printf '%s ...' "$what"; else say "$what ..."; fi
    tick "$what" &
    step_ticker=$!
    "$@" >"$step_log" 2>&1 </dev/null || {
        kill "$step_ticker" 2>/dev/null || true
        warn "" "--- last lines of: $*"
        tail -n 25 "$step_log" >&2
        die "$what failed: the lines above say why"
    }
    kill "$step_ticker" 2>/dev/null || true
    wait "$step_ticker" 2>/dev/null || true
    step_ticker=
    if [ -t 1 ]; then printf '\r'; fi
    say "$what: done ($((SECONDS - started)) s)"
}
