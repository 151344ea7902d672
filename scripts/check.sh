#!/usr/bin/env bash
# Everything that can be checked without running the tests. Run by make check, with services up.
set -euo pipefail
here=$(cd -- "$(dirname -- "$0")" && pwd -P)
. "$here/state.sh"
cd "$ROOT"
passed=0
failed=()

try() { # what command...
    local what=$1 started=$SECONDS output
    shift
    if output=$("$@" 2>&1 </dev/null); then
        say "ok      $what ($((SECONDS - started)) s)"
        passed=$((passed + 1))
    else
        say "FAILED  $what: $*" "$output"
        failed+=("$what")
    fi
}

# As in production: nothing of the caller's debugging, cookies and redirects for HTTPS, a key of full length.
check_deploy() {
    DEBUG=0 HTTPS=1 SECRET_KEY=$(od -An -v -N32 -tx1 /dev/urandom | tr -d ' \n') \
        python manage.py check --deploy --fail-level WARNING
}

try "format" ruff format --check .
try "lint" ruff check .
try "imports point one way" lint-imports
try "no missing migrations" python manage.py makemigrations --check --dry-run
try "safe to deploy" check_deploy
if command -v shellcheck >/dev/null; then
    try "shell scripts" shellcheck -x -P scripts scripts/*.sh scripts/run .ci/run docker/*.sh
else
    say "skipped shell scripts (shellcheck is not installed)"
fi

say "$passed passed, ${#failed[@]} failed"
if [ ${#failed[@]} -gt 0 ]; then die "make check: failed: ${failed[*]}"; fi
say "make check: OK"
