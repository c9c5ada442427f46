#!/usr/bin/env bash
# Runs the tests under sanitizers, each built in a folder of its own: first that of addresses with that of undefined
# behaviour in the C kernels (Swift traps on its own), then that of threads.
#
# usage: sanitize.sh [address | thread] [arguments of swift test]
set -euo pipefail
cd "$(dirname "$0")/.."

kinds=(address thread)
case "${1:-}" in
address | thread)
  kinds=("$1")
  shift
  ;;
"" | -*) ;;
*)
  printf 'usage: sanitize.sh [address | thread] [arguments of swift test]\n' >&2
  exit 2
  ;;
esac

export ASAN_OPTIONS=detect_leaks=0
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=halt_on_error=1:suppressions=$PWD/scripts/sanitize.thread.txt
for kind in "${kinds[@]}"; do
  flags=(-c release --disable-testable-imports --sanitize "$kind" --scratch-path ".build-$kind")
  [ "$kind" = thread ] || flags+=(-Xcc -fsanitize=undefined,float-cast-overflow -Xcc -fno-sanitize-recover=all)
  printf '== %s\n' "$kind"
  swift test "${flags[@]}" "$@"
done
