#!/usr/bin/env bash
# Builds the reference of the libraries' public API with DocC, as a static site in .build-documentation/site.
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=.build-documentation
fail() {
  printf 'documentation: %s\n' "$1" >&2
  exit 1
}
# It comes with Swift.
docc=$(command -v docc || true)
[ -n "$docc" ] || docc=$(dirname "$(readlink -f "$(command -v swift)")")/docc
[ -x "$docc" ] || fail "docc: expected it beside swift, found none"

# The libraries need no other package.
export KEYSTEP_WITHOUT_COMMAND=1
# It ends with an error, since it asks for the test bundle's graph too, and that has none; what was made is checked below.
swift package --scratch-path "$scratch" dump-symbol-graph --minimum-access-level public --skip-synthesized-members || :
graphs=$(find "$scratch" -type d -name symbolgraph -print -quit)
[ -n "$graphs" ] || fail "no symbol graphs in $scratch"

libraries=$(swift package describe --type json | python3 -c '
import json, sys
products = json.load(sys.stdin)["products"]
print(*sorted(product["name"] for product in products if "library" in product["type"]))')
archives=()
for library in $libraries; do
  folder=$scratch/graphs/$library
  rm -rf "$folder"
  mkdir -p "$folder"
  [ -e "$graphs/$library.symbols.json" ] || fail "$library: expected a symbol graph in $graphs, found none"
  cp "$graphs/$library.symbols.json" "$folder"
  # Extensions of other modules lie in files of their own.
  find "$graphs" -name "$library@*.symbols.json" -exec cp {} "$folder" \;
  "$docc" convert --additional-symbol-graph-dir "$folder" --fallback-display-name "$library" \
    --fallback-bundle-identifier "keystep.$library" --output-path "$scratch/$library.doccarchive"
  archives+=("$scratch/$library.doccarchive")
done
rm -rf "$scratch/site"
"$docc" merge "${archives[@]}" --synthesized-landing-page-name KeyStep --synthesized-landing-page-kind Package \
  --output-path "$scratch/site"
printf 'documentation: %s libraries in %s/site; python3 -m http.server --directory %s/site shows it\n' \
  "${#archives[@]}" "$scratch" "$scratch"
