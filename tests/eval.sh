#!/bin/sh
# Runs the held-out closed-context cases through the program and fails below the accuracy that the
# default model must have. Usage: tests/eval.sh build/airo [CASES]
set -u
airo=$1
cases=${2:-models/vaquita/eval/closed_context.jsonl}
least=${AIRO_EVAL_LEAST:-85}
result=$("$airo" ask --cases "$cases" --temperature 0) || exit 1
echo "$result"
accuracy=$(echo "$result" | sed -n 's/.*accuracy \([0-9]*\).*/\1/p')
[ "${accuracy:-0}" -ge "$least" ] && exit 0
echo "below $least%" >&2
exit 1
