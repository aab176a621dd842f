#!/usr/bin/env bash
# Readers in processes of their own, deletes, backup and restore beside a running server under load.
exec python3 "$(dirname "$0")/lifecycle_test.py"
