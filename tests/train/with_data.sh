#!/bin/sh
# Runs a test that needs data which may not be there: with_data.sh PATH COMMAND... Exits 77, which ctest counts as skipped, without it.
[ -e "$1" ] || { echo "skipped: $1 is not there"; exit 77; }
shift
exec "$@"
