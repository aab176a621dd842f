#!/usr/bin/env bash
# Hostile requests: bombs, nesting, slow clients, traversal, smuggling, rebinding, bad text, heavy queries.
exec python3 "$(dirname "$0")/hostile_test.py"
