#!/usr/bin/env bash
# Writes two models of LLaMA-2-7B's shape with random weights into models/ (17.3 GB) and measures a KRSL step on each.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh python
.venv/bin/pip install --quiet --disable-pip-version-check numpy
swift build -c release --product keystep-bench
mkdir -p models
[ -f models/random-7b.q4_0.gguf ] || .venv/bin/python benchmarks/random_llama.py q4_0 models/random-7b.q4_0.gguf
[ -f models/random-7b-bf16/model.safetensors ] || .venv/bin/python benchmarks/random_llama.py bf16 models/random-7b-bf16
exec .venv/bin/python benchmarks/llama7b.py q4_0=models/random-7b.q4_0.gguf bf16=models/random-7b-bf16
