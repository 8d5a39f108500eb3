#!/bin/sh
# All the steps that make the files of models/vaquita: tokenizer, training, export, GPTQ, evaluation. Needs Python 3.10 or
# later with torch, numpy, sentencepiece and safetensors, and the built airo. Training takes a GPU when there is one (one
# worker), else one worker for each of two cores; a run that was cut off goes on from its checkpoint.
#
#   sh run.sh [SCRATCH] [MILLIONS OF TOKENS]      PYTHON=... and AIRO=... to choose the programs, by absolute path
#
# START=.. goes on from the shipped weights (or those of another model directory, by absolute path) instead of from nothing.
set -e
unset CDPATH
scratch=${1:-/tmp/vaquita}
mkdir -p "$scratch"
scratch=$(cd "$scratch" && pwd)
cd "$(dirname "$0")"
python=${PYTHON:-python3}
airo=${AIRO:-../../../build/airo}
if [ -n "$START" ]; then
    cp "$START/tokenizer.model" "$scratch"
elif [ ! -e "$scratch/tokenizer.model" ]; then
    $python tokenizer.py --seed 1 --out "$scratch/tokenizer.tmp"
    mv "$scratch/tokenizer.tmp" "$scratch/tokenizer.model"
fi
rm -f "$scratch/failed"
{
    $python train.py --seed 1 --tokenizer "$scratch/tokenizer.model" --out "$scratch/checkpoint.pt" ${2:+--tokens "$2"} \
        ${START:+--start "$START"} \
        || : > "$scratch/failed"
} | tee -a "$scratch/train.log"
[ ! -e "$scratch/failed" ]
PYTHON=$python AIRO=$airo sh export.sh "$scratch"
$python eval_cases.py --seed 777 --n 100 --out "$scratch/cases.jsonl"
$python evaluate.py --model "$scratch/checkpoint.pt" --cases "$scratch/cases.jsonl" --show 0
$python evaluate.py --model "$scratch/gptq" --cases "$scratch/cases.jsonl" --talk
echo "the model is in $scratch/gptq; copy its files to models/vaquita"
