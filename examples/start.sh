#!/bin/sh
# From nothing to a trained model: installs what is missing, builds, trains on the digits that ship with mlc, shows the result.
set -eu
cd -- "$(dirname -- "$0")/.."

sh tests/install.sh
[ -f build/build.ninja ] || cmake -G Ninja -S . -B build > /dev/null
cmake --build build --target mlc

run=build/digits8.run
build/mlc train examples/digits/digits8.mlc --out "$run"
build/mlc predict examples/digits/digits8.mlc --weights "$run" --in test --out "$run/predictions.csv" --quiet
echo
awk -v shown=5 -f examples/digits/draw.awk "$run/predictions.csv"
echo
echo "The model is examples/digits/digits8.mlc; the trained weights are in $run."
