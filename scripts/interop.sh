#!/usr/bin/env bash
# Holds keystep against the programs it works with: llama.cpp's OpenAI-compatible server as a teacher, datasets and TRL on
# exported pairs, Transformers on chat templates and conversations, PEFT on an exported adapter. Too heavy for each check;
# for people, and before a release. What it makes lies in runs/interop.
set -euo pipefail
cd "$(dirname "$0")/.."
export TQDM_DISABLE=1 # no progress bars of the Python packages

scripts/setup.sh interop
scripts/student.sh
swift build -c release --product keystep

keystep=.build/release/keystep
python=.interop-venv/bin/python
gguf=models/SmolLM2-135M-Instruct.Q4_1.gguf
data=runs/interop
rm -rf "$data"
mkdir -p "$data"

printf '== teacher: annotate, rectify, corrupt; killed and resumed\n'
"$python" benchmarks/interop/endpoint.py "$keystep" "$gguf" "$data"

printf '== pairs in datasets and TRL\n'
"$python" benchmarks/peers/checkpoints.py huggingface "$gguf" "$data/smollm2"
"$keystep" edit-data --teacher procedural --questions-count 16 --validation 0 --test 0 --output "$data/procedural"
pairs=$data/procedural/train.pairs.jsonl
"$python" benchmarks/interop/preferences.py "$pairs" "$data/smollm2" "$data"

printf '== chat templates in Transformers and Jinja2\n'
"$python" benchmarks/interop/chat_templates.py "$keystep" "$gguf" "$data/smollm2" "$data/chat"

printf '== adapter in PEFT\n'
"$keystep" train --model "$gguf" --pairs "$pairs" --objective krsl --tuning lora --batch-size 4 --steps 1 \
  --learning-rate 1e-3 --output "$data/adapter"
head -n 4 "$pairs" >"$data/some.pairs.jsonl"
"$keystep" align --model "$gguf" --adapter "$data/adapter" --pairs "$data/some.pairs.jsonl" --json >"$data/tokens.jsonl"
"$python" benchmarks/interop/adapter.py "$data/smollm2" "$data/adapter" "$data/tokens.jsonl"
printf '== all passed\n'
