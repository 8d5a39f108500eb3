#!/bin/sh
# All the steps that make the files of models/vaquita: tokenizer, training, GPTQ, evaluation. Needs Python 3.10 or later with
# torch, numpy, sentencepiece and safetensors, and the built airo; about 70 minutes on two CPU cores.
#
#   sh run.sh [SCRATCH] [MINUTES]      PYTHON=... and AIRO=... to choose the programs
set -e
cd "$(dirname "$0")"
scratch=${1:-/tmp/vaquita}
minutes=${2:-67}
python=${PYTHON:-python3}
airo=${AIRO:-../../../build/airo}
mkdir -p "$scratch"
$python tokenizer.py --seed 1 --out "$scratch/tokenizer.model"
$python train.py --seed 1 --tokenizer "$scratch/tokenizer.model" --out "$scratch/checkpoint.pt" --minutes "$minutes" | tee "$scratch/train.log"
$python export.py --checkpoint "$scratch/checkpoint.pt" --out "$scratch/fp16" --calibration "$scratch/calibration.jsonl"
rm -rf "$scratch/gptq"
"$airo" quantize "$scratch/fp16" "$scratch/gptq" --calibration "$scratch/calibration.jsonl" --samples 64 --length 512 --verbose
$python eval_cases.py --seed 777 --n 100 --out "$scratch/closed_context.jsonl"
$python evaluate.py --model "$scratch/checkpoint.pt" --cases "$scratch/closed_context.jsonl" --show 0
$python evaluate.py --model "$scratch/gptq" --cases "$scratch/closed_context.jsonl" --talk
echo "the model is in $scratch/gptq; copy its files to models/vaquita"
