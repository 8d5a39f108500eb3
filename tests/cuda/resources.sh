#!/bin/sh
# What each kernel takes of a multiprocessor, as ptxas says it: resources.sh NVCC ARCH FILE.cu...
# Fails when a kernel spills registers to local memory.
set -eu
nvcc=$1 arch=$2
shift 2
for file in "$@"; do
    $nvcc -O3 -std=c++17 -I. -gencode "arch=compute_$arch,code=sm_$arch" -Xptxas -v -cubin \
        -o /dev/null "$file" 2>&1 | sed "s|^|$(basename "$file") |"
done | c++filt -p 2>/dev/null | awk -v arch="$arch" '
    BEGIN { printf "%-20s %-44s %9s %8s %6s %6s\n", "sm_" arch, "kernel", "registers", "static", "stack", "spills" }
    /error/ { print; failed = 1 }
    /Compiling entry function/ {
        name = $0
        sub(/.*entry function ./, "", name); sub(/. for .sm_.*/, "", name)
        gsub(/\([a-z ]*\)/, "", name)
    }
    /spill stores/ {
        match($0, /[0-9]+ bytes stack/); stack = substr($0, RSTART) + 0
        match($0, /[0-9]+ bytes spill stores/); spills = substr($0, RSTART) + 0
    }
    /Used [0-9]+ registers/ {
        match($0, /Used [0-9]+/); registers = substr($0, RSTART + 5) + 0
        shared = match($0, /[0-9]+ bytes smem/) ? substr($0, RSTART) + 0 : 0
        printf "%-20s %-44s %9d %8d %6d %6d%s\n", $1, name, registers, shared, stack, spills,
               spills ? "  <- spills" : ""
        kernels++
        if (spills) failed = 1
    }
    END {
        if (!kernels) { print "no kernel was compiled"; failed = 1 }
        exit failed
    }'
