#!/usr/bin/env bash
# Names the experiments, each with its question: the first line of text under the title of its README.
set -euo pipefail
cd "$(dirname "$0")/../experiments"

for readme in */README.md; do
  printf '%-22s %s\n' "${readme%/README.md}" "$(awk '!/^#/ && NF { print; exit }' "$readme")"
done
