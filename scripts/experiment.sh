#!/usr/bin/env bash
# Builds and runs experiments/$NAME from the repository's root, with the words of $ARGS (quotes group, nothing expands)
# and, where they are given, the student $STUDENT and the dual pairs $PAIRS.
set -euo pipefail
cd "$(dirname "$0")/.."

name=${NAME:-}
if [ -z "$name" ] || [ "${name#*/}" != "$name" ] || [ ! -f "experiments/$name/main.swift" ]; then
  printf 'NAME: expected the name of an experiment, found "%s". There are:\n' "$name" >&2
  scripts/list.sh >&2
  exit 2
fi
words=$(xargs -rn1 printf '%s\n' <<<"${ARGS:-}")
arguments=()
[ -z "$words" ] || mapfile -t arguments <<<"$words"
[ -z "${STUDENT:-}" ] || arguments+=(--student "$STUDENT")
[ -z "${PAIRS:-}" ] || arguments+=(--pairs "$PAIRS")

swift build -c release --product "$name"
exec "$(swift build -c release --show-bin-path)/$name" "${arguments[@]}"
