#!/bin/sh
# Runs gpu_check where it can run: run.sh PROGRAM ARGUMENTS... Exit status 2 with one line where it
# cannot; otherwise the program's own.
if ! [ -x "$1" ]; then
    echo "No GPU check: $1 has not been built (it needs nvcc)."
    exit 2
fi
missing=$(ldd "$1" "${AIRO_CUDA:-$1}" 2>/dev/null | sed -n 's/^[[:space:]]*\(.*\) => not found/\1/p' | sort -u | tr '\n' ' ')
if [ -n "$missing" ]; then
    echo "No GPU check: this machine lacks $missing(LD_LIBRARY_PATH may name where they are)."
    exit 2
fi
exec "$@"
