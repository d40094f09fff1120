#!/bin/sh
# Builds everything and runs all tests. With `sanitize`, the suite once more under the address and undefined-behaviour sanitizers.
set -eu
cd -- "$(dirname -- "$0")/.."

sh tests/install.sh test
suite() { # folder, options...
    folder=$1
    shift
    [ -f "$folder/build.ninja" ] || cmake -G Ninja -S . -B "$folder" "$@" > /dev/null
    cmake --build "$folder"
    ctest --test-dir "$folder" --output-on-failure --no-tests=error -j "$(nproc)"
}

suite build
if [ "${1:-}" = sanitize ]; then suite build-sanitize -DMLC_SANITIZE=ON; fi
