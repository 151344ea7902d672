#!/bin/sh
# web, worker or beat, run as Procfile has it; anything else is a command of manage.py.
set -eu
command=$(sed -n "s/^$1: //p" Procfile)
if [ -n "$command" ]; then
    exec sh -c "$command"
fi
exec python manage.py "$@"
