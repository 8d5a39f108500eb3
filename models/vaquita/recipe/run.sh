#!/bin/sh
# All the steps that make the files of models/vaquita: tokenizer, training, GPTQ, evaluation. Needs Python 3.10 or later with
# torch, numpy, sentencepiece and safetensors; about 70 minutes on two CPU cores.
#
#   sh run.sh [SCRATCH] [MINUTES]      PYTHON=... to choose the interpreter
set -e
cd "$(dirname "$0")"
scratch=${1:-/tmp/vaquita}
minutes=${2:-67}
python=${PYTHON:-python3}
mkdir -p "$scratch"
$python tokenizer.py --seed 1 --out "$scratch/tokenizer.model"
$python train.py --seed 1 --tokenizer "$scratch/tokenizer.model" --out "$scratch/checkpoint.pt" --minutes "$minutes" | tee "$scratch/train.log"
$python quantize.py --checkpoint "$scratch/checkpoint.pt" --out "$scratch/gptq"
$python eval_cases.py --seed 777 --n 100 --out "$scratch/closed_context.jsonl"
$python evaluate.py --model "$scratch/checkpoint.pt" --cases "$scratch/closed_context.jsonl" --show 0
$python evaluate.py --model "$scratch/gptq" --cases "$scratch/closed_context.jsonl" --talk
echo "the model is in $scratch/gptq; copy its files to models/vaquita"
