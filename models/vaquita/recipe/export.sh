#!/bin/sh
# checkpoint.pt of a scratch directory -> fp16 and 4-bit model directories there, while training goes on if need be.
#
#   sh export.sh [SCRATCH]      PYTHON=... and AIRO=... to choose the programs, by absolute path
set -e
unset CDPATH
scratch=$(cd "${1:-/tmp/vaquita}" && pwd)
cd "$(dirname "$0")"
python=${PYTHON:-python3}
airo=${AIRO:-../../../build/airo}
$python export.py --checkpoint "$scratch/checkpoint.pt" --out "$scratch/fp16" --calibration "$scratch/calibration.jsonl"
rm -rf "$scratch/gptq"
"$airo" quantize "$scratch/fp16" "$scratch/gptq" --calibration "$scratch/calibration.jsonl" --samples 128 --length 1024 --verbose
