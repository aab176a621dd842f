#!/usr/bin/env bash
# kill -9 of the server under load of all three signals: nothing acknowledged is lost.
exec python3 "$(dirname "$0")/kill_load.py" --loops "${BRAID_KILL_LOOPS:-25}"
