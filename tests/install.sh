#!/bin/sh
# Installs the Debian packages that mlc is built with; `test`, and those of all tests; `bench`, and its peers. Does nothing when they are all
# there.
set -eu
packages="python3 cmake ninja-build gcc pkg-config check llvm-19-dev zlib1g-dev libpng-dev libjpeg62-turbo-dev dataset-fashion-mnist"
[ "${1:-}" = test ] && packages="$packages gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"
[ "${1:-}" = bench ] && packages="$packages python3-torch libopenblas0-openmp libopenblas-dev libdnnl-dev libxsmm-dev"

missing=
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

echo "installing:$missing"
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
