#!/bin/sh
# Trains a model file and requires its test accuracy: accuracy.sh MLC LEAST FILE [train options...]
# Prints the accuracy reached, and exits 1 below LEAST.
set -eu
mlc=$1 least=$2 file=$3
shift 3
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$mlc" train "$file" --out "$out/run" --json "$@" > "$out/events" 2> "$out/errors" || { cat "$out/errors" >&2; exit 1; }
accuracy=$(sed -n 's/.*"event":"end","test":{[^}]*"accuracy":\([0-9.e+-]*\).*/\1/p' "$out/events")
seconds=$(sed -n 's/.*"event":"end".*"seconds":\([0-9.e+-]*\).*/\1/p' "$out/events")
echo "test accuracy $accuracy (required: $least) in $seconds s"
awk -v a="${accuracy:-0}" -v l="$least" 'BEGIN { exit !(a >= l) }'
