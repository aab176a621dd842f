#!/usr/bin/env bash
# `braid torture`: a short run finds nothing, cleans up, and says no to what is no directory.
set -u
cd "$(dirname "$0")/../.." || exit 1
braid=${BRAID_PROGRAM:-build/braid}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "FAILED: $1"; echo "[  FAILED  ] 1 test, listed below: $1"; exit 1; }
answer=$("$braid" torture "$dir" --seconds "${BRAID_TEST_SECONDS:-6}" --quiet) || fail "it found something: $answer"
echo "$answer"
[[ $answer =~ ([0-9]+)\ kills.*\ ([0-9]+)\ acknowledged\ batches.*none\ lost ]] || fail "unclear report: $answer"
[ "${BASH_REMATCH[1]}" -gt 0 ] && [ "${BASH_REMATCH[2]}" -gt 0 ] || fail "too little was done: $answer"
[ -z "$(ls -A "$dir")" ] || fail "something is left in the directory"
"$braid" torture "$dir/none" --seconds 1 --quiet 2>/dev/null
[ $? -eq 1 ] || fail "a missing directory is no failure"
echo "[  PASSED  ] 1 test."
