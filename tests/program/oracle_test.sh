#!/usr/bin/env bash
# Answers on generated incidents, equal to an independent computation over the raw files.
exec python3 "$(dirname "$0")/oracle_test.py"
