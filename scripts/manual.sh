#!/usr/bin/env bash
# Leaves the command's man pages (one for each subcommand) and its completions for bash, zsh and fish in .build/share, laid
# out as under /usr/share. With PREFIX they and the command are installed there.
set -euo pipefail
cd "$(dirname "$0")/.."

swift build -c release --product keystep
keystep=$(swift build -c release --show-bin-path)/keystep
share=.build/share
rm -rf "$share"
mkdir -p "$share"/{man/man1,bash-completion/completions,zsh/site-functions,fish/vendor_completions.d}
"$keystep" --generate-completion-script bash >"$share/bash-completion/completions/keystep"
"$keystep" --generate-completion-script zsh >"$share/zsh/site-functions/_keystep"
"$keystep" --generate-completion-script fish >"$share/fish/vendor_completions.d/keystep.fish"
swift package generate-manual --multi-page
cp .build/plugins/GenerateManual/outputs/keystep/*.1 "$share/man/man1"
printf 'manual: %s pages and completions for bash, zsh and fish in %s\n' "$(find "$share/man/man1" -name '*.1' | wc -l)" "$share"
if [ -n "${PREFIX:-}" ]; then
  install -D "$keystep" "$PREFIX/bin/keystep"
  mkdir -p "$PREFIX/share"
  cp -R "$share/." "$PREFIX/share"
  printf 'manual: installed in %s\n' "$PREFIX"
fi
