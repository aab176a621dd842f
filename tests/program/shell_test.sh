#!/usr/bin/env bash
# The query shell as a person meets it, through a pseudo-terminal.
exec python3 "$(dirname "$0")/shell_test.py"
