#!/bin/sh
# Speed of the kernels on the shapes of a 13B model: run.sh BUILD. Four layers of random weights; all
# figures are ratios taken in one run. AIRO_BENCH_SECONDS is the time for each line (default 3).
set -eu
build=${1:-build}
seconds=${AIRO_BENCH_SECONDS:-3}
echo "--- act-order"
"$build/tests/bench/bench_kernels" --seconds "$seconds"
echo "--- in order"
"$build/tests/bench/bench_kernels" --seconds "$seconds" --plain
for kv in f16 q8 q4; do
    echo "--- 4096 tokens of context, $kv keys and values"
    "$build/tests/bench/bench_kernels" --seconds "$seconds" --context 4096 --kv "$kv"
done
for kernels in avx512 avx2; do
    echo "--- attention alone, $kernels"
    "$build/tests/bench/bench_attend" --kernels "$kernels" || true
done
