#!/bin/sh
# One and two threads, with and without the cache, give the same bits: same_bits.sh MLC FILE [train options...]
set -eu
mlc=$1 file=$2
shift 2
here=$(dirname "$0")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
XDG_CACHE_HOME=$out/cache
export XDG_CACHE_HOME
train() { # run folder, options...
    run=$1
    shift
    "$mlc" train "$file" --out "$out/$run" --quiet "$@" > /dev/null 2> "$out/errors" || { cat "$out/errors"; exit 1; }
}
train one --threads 1 "$@"
train two --threads 2 "$@"
train three --threads 3 "$@"
train anew --threads 2 --no-cache "$@"
for run in two three anew; do
    python3 "$here/same_tensors.py" "$out/one/checkpoint.safetensors" "$out/$run/checkpoint.safetensors"
done
echo "1, 2 and 3 threads, cached and not: the same bits"
