#!/usr/bin/env bash
# Queries that would need more than they may have end with an error in bounded memory; one whose client has gone ends.
exec python3 "$(dirname "$0")/limits_test.py" "$@"
