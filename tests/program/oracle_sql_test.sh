#!/usr/bin/env bash
# The 28 example queries of the language on generated incidents, equal to SQL and plain Python over the raw files.
exec python3 "$(dirname "$0")/oracle_sql_test.py"
