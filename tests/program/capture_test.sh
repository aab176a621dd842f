#!/usr/bin/env bash
# `braid run`, `braid pipe` and `braid serve --tail` as programs: what passes through, what is kept, how they end.
exec python3 "$(dirname "$0")/capture_test.py"
