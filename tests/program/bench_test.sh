#!/usr/bin/env bash
# The benchmarks run and check their answers: tiny sizes, no word about speed.
exec python3 "$(dirname "$0")/bench_test.py"
