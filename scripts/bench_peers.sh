#!/usr/bin/env bash
# Sets up the peer programs and times keystep beside them: benchmarks/compare.py with the words of $ARGS and, where
# they are given, the dual pairs $PAIRS. What it makes for that lies in runs/peers.
set -euo pipefail
cd "$(dirname "$0")/.."
export TQDM_DISABLE=1 # no progress bars of the Python packages

words=$(xargs -rn1 printf '%s\n' <<<"${ARGS:-}")
arguments=()
[ -z "$words" ] || mapfile -t arguments <<<"$words"
[ -z "${PAIRS:-}" ] || arguments+=(--pairs "$PAIRS")

scripts/setup.sh peers
scripts/student.sh
for product in keystep keystep-bench; do
  swift build -c release --product "$product"
done

data=runs/peers
gguf=models/SmolLM2-135M-Instruct.Q4_1.gguf
mkdir -p "$data"

# make_once RESULT COMMAND...: runs the command with a scratch path after it, unless its result is there.
make_once() {
  local result=$1
  shift
  [ -e "$data/$result" ] && return
  rm -rf "$data/unfinished"
  "$@" "$data/unfinished"
  mv "$data/unfinished" "$data/$result"
}

checkpoints=(.peers-venv/bin/python benchmarks/peers/checkpoints.py)
make_once smollm2 "${checkpoints[@]}" huggingface "$gguf"
make_once smollm2-f32.gguf "${checkpoints[@]}" gguf "$gguf"
make_once smollm2-bf16.gguf "${checkpoints[@]}" bf16 "$gguf"
make_once procedural .build/release/keystep edit-data --teacher procedural --seed 0 --output
make_once student "${checkpoints[@]}" student "$data/procedural/tokenizer.json"
exec .peers-venv/bin/python benchmarks/compare.py "${arguments[@]}"
