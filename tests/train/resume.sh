#!/bin/sh
# A run that is killed and resumed ends with the bits of one that was not: resume.sh MLC FILE
# One interruption is a SIGINT (saves, exits 130), one a SIGKILL (falls back to the last checkpoint).
set -eu
mlc=$1 file=$2
here=$(dirname "$0")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
train() { # run folder, options...
    run=$1
    shift
    "$mlc" train "$file" --out "$out/$run" --json --set train.epochs=4 --set train.checkpoint=7 --set train.log=1 "$@" 2>> "$out/errors"
}
# Sends a signal once the run has logged so many steps; prints the exit code.
stop_after() { # signal, steps, run
    : > "$out/events"
    "$mlc" train "$file" --out "$out/$3" --json --set train.epochs=4 --set train.checkpoint=7 --set train.log=1 --resume \
        > "$out/events" 2>> "$out/errors" &
    child=$!
    while kill -0 $child 2> /dev/null && [ "$(grep -c '"event":"step"' "$out/events")" -lt "$2" ]; do :; done
    kill -"$1" $child 2> /dev/null || true
    code=0
    wait $child || code=$?
    echo $code
}

train whole > /dev/null || { cat "$out/errors"; exit 1; }
code=$(stop_after INT 20 parts)
[ "$code" = 130 ] || { echo "SIGINT: exit code $code, expected 130"; cat "$out/errors"; exit 1; }
code=$(stop_after KILL 25 parts)
[ "$code" = 137 ] || { echo "SIGKILL: exit code $code, expected 137"; exit 1; }
train parts --resume > "$out/last" || { cat "$out/errors"; exit 1; }
[ "$(sed -n 's/.*"event":"start".*"step":\([0-9]*\),.*/\1/p' "$out/last")" -gt 0 ] || { echo "did not resume"; exit 1; }

python3 "$here/same_tensors.py" "$out/whole/checkpoint.safetensors" "$out/parts/checkpoint.safetensors"
python3 "$here/same_tensors.py" "$out/whole/best.safetensors" "$out/parts/best.safetensors"
# The log of the interrupted run repeats and omits no step.
steps() { grep '"event":"step"' "$1/metrics.jsonl" | sed 's/,"samples_per_second.*//'; }
steps "$out/whole" > "$out/a"
steps "$out/parts" > "$out/b"
cmp "$out/a" "$out/b"
echo "resumed bit-identically: $(wc -l < "$out/a") steps"
