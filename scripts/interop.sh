#!/usr/bin/env bash
# Holds keystep against the programs it works with: llama.cpp's OpenAI-compatible server as a teacher, datasets and TRL on
# exported pairs and on Parquet, Transformers on chat templates and conversations, PEFT on an exported adapter and on its
# merge, llama.cpp on merged models and on a converted adapter, TensorBoard and W&B on a learning curve,
# lm-evaluation-harness and OpenAI's client on `keystep serve`. Too heavy for each check; for people, and before a release.
# What it makes lies in runs/interop.
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

# llama.cpp's converters, which the Python package has in its source alone.
llama_cpp=.interop-venv/llama.cpp
if [ ! -e "$llama_cpp/convert_lora_to_gguf.py" ]; then
  version=$(sed -n 's/^llama-cpp-python.*==//p' benchmarks/interop/requirements.txt)
  .interop-venv/bin/pip download --quiet --disable-pip-version-check --no-deps --no-binary llama-cpp-python \
    --dest "$data" "llama-cpp-python==$version"
  mkdir -p "$llama_cpp"
  tar -xzf "$data/llama_cpp_python-$version.tar.gz" --strip-components=3 -C "$llama_cpp" --wildcards \
    '*/vendor/llama.cpp/convert_*.py' '*/vendor/llama.cpp/conversion/*' '*/vendor/llama.cpp/gguf-py/*'
  rm "$data/llama_cpp_python-$version.tar.gz"
fi

printf '== teacher: annotate, rectify, corrupt; killed and resumed\n'
# In fp32: llama.cpp's repacked Q4_1 products end with an illegal instruction on some processors with AMX.
"$keystep" merge --model "$gguf" --output "$data/base-fp32.gguf"
"$python" benchmarks/interop/endpoint.py "$keystep" "$data/base-fp32.gguf" "$data"

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

printf '== merged models in Transformers and llama.cpp\n'
"$keystep" merge --model "$gguf" --adapter "$data/adapter" --output "$data/merged"
for dtype in fp32 fp16 bf16 q8_0; do
  "$keystep" merge --model "$gguf" --adapter "$data/adapter" --output "$data/merged-$dtype.gguf" --dtype "$dtype" \
    --prompts benchmarks/interop/prompts.jsonl
done
"$python" benchmarks/interop/merged.py "$data/smollm2" "$data/adapter" "$data" benchmarks/interop/prompts.jsonl \
  "$llama_cpp/convert_lora_to_gguf.py"

printf '== Parquet by the lines of docs/data.md\n'
"$python" benchmarks/interop/parquet.py "$data/some.pairs.jsonl" "$data/parquet"
for file in pairs.jsonl pairs.jsonl.gz; do
  "$keystep" align --model "$gguf" --pairs "$data/parquet/$file" --json >"$data/parquet/$file.tokens"
done
cmp "$data/parquet/pairs.jsonl.tokens" "$data/parquet/pairs.jsonl.gz.tokens"

printf '== learning curve in TensorBoard and W&B\n'
"$keystep" edit-data --teacher procedural --questions-count 16 --validation 8 --test 0 --seed 1 --output "$data/curves"
"$keystep" train --model "$gguf" --pairs "$data/curves/train.pairs.jsonl" --objective krsl --batch-size 4 --epochs 2 \
  --learning-rate 1e-4 --validation-pairs "$data/curves/validation.pairs.jsonl" --validation-interval 2 --keep-best \
  --output "$data/curves/run"
"$python" benchmarks/interop/curves.py "$data/curves/run" "$data/curves/recipes"

printf '== from messages to lm-evaluation-harness: train, merge, serve; the openai client\n'
"$python" -c '
import json, sys
for line in sys.stdin:
    pair = json.loads(line)
    turns = [("user", pair["prompt"]), ("assistant", pair["chosen"].strip())]
    print(json.dumps({"messages": [{"role": role, "content": content} for role, content in turns]}))
' <"$pairs" >"$data/messages.jsonl"
"$keystep" train --model "$gguf" --chains "$data/messages.jsonl" --objective sft --batch-size 4 --steps 4 \
  --learning-rate 1e-3 --output "$data/chat-adapter"
"$keystep" merge --model "$gguf" --adapter "$data/chat-adapter" --output "$data/chat-merged"
"$python" benchmarks/interop/lm_eval_server.py "$keystep" "$data/chat-merged" "$data/chat-merged" "$pairs" "$data/lm_eval"
printf '== all passed\n'
