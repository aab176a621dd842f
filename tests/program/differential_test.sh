#!/usr/bin/env bash
# Some hundreds of random queries: over events and rows against a plain evaluator, and, if a Prometheus 3 can be had from
# Debian, PromQL against that one.
exec python3 "$(dirname "$0")/differential_test.py"
