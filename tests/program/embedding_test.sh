#!/usr/bin/env bash
# The program of docs/embedding.md, built as an outside project against an installed tree, answers what the page says.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$root/build" --prefix "$work/braid" >/dev/null
mkdir "$work/shop"
awk '/^```cmake/{on=1;next} /^```/{on=0} on' "$root/docs/embedding.md" >"$work/shop/CMakeLists.txt"
awk '/^```cpp/{on=1;next} /^```/{on=0} on' "$root/docs/embedding.md" >"$work/shop/shop.cc"
cmake -G Ninja -S "$work/shop" -B "$work/shop/build" -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_PREFIX_PATH="$work/braid" >/dev/null
ninja -C "$work/shop/build" >/dev/null
answer=$("$work/shop/build/shop" "$work/data")
expected=$(sed -n 's/^It prints `\(.*\)`\.$/\1/p' "$root/docs/embedding.md")
if [ -n "$expected" ] && [ "$answer" = "$expected" ]; then
  echo "[  PASSED  ] 1 test."
else
  printf 'error: expected "%s", got "%s"\n' "$expected" "$answer"
  exit 1
fi
