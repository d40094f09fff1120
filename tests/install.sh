#!/bin/sh
# Installs the Debian packages that mlc is built with; `test`, and those of all tests; `bench`, and its peers (ONNX Runtime, which Debian 12
# has not, by npm into build/peers). Does nothing when they are all there.
set -eu
here=$(dirname "$0")
packages="python3 cmake ninja-build gcc pkg-config check llvm-19-dev zlib1g-dev libpng-dev libjpeg62-turbo-dev dataset-fashion-mnist"
[ "${1:-}" = test ] && packages="$packages gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"
[ "${1:-}" = bench ] && packages="$packages python3-torch python3-onnx libopenblas0-openmp libopenblas-dev libdnnl-dev libxsmm-dev"
[ "${1:-}" = bench ] && ! command -v npm >/dev/null && packages="$packages npm"

missing=
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
    echo "installing:$missing"
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
fi

# Without its scripts, which would fetch libraries for GPUs.
if [ "${1:-}" = bench ] && [ ! -d "$here/../build/peers/node_modules/onnxruntime-node" ]; then
    npm install --prefix "$here/../build/peers" --ignore-scripts --no-audit --no-fund --loglevel=error onnxruntime-node
fi
