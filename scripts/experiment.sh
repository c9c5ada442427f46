#!/usr/bin/env bash
# usage: experiment.sh          build and run experiments/$NAME
#        experiment.sh status   print how far its runs are; NAME=all takes every experiment that was begun
#
# It runs from the repository's root, with the words of $ARGS (quotes group, nothing expands) and, where they are given,
# the pretrained student $MODEL and the dual pairs $PAIRS. ENGINE=slurm submits the runs to Slurm, with $SLURM as options
# of sbatch. NAME=all runs every experiment in turn, each with one line and its output in runs/<name>/log.txt, goes on
# where one fails, and then ends with status 1.
set -euo pipefail
cd "$(dirname "$0")/.."

name=${NAME:-}
if [ "$name" != all ] && { [ -z "$name" ] || [ "${name#*/}" != "$name" ] || [ ! -f "experiments/$name/main.swift" ]; }; then
  printf 'NAME: expected the name of an experiment, or all, found "%s". There are:\n' "$name" >&2
  scripts/list.sh >&2
  exit 2
fi
words=$(xargs -rn1 printf '%s\n' <<<"${ARGS:-}")
arguments=()
[ -z "$words" ] || mapfile -t arguments <<<"$words"
[ -z "${MODEL:-}" ] || arguments+=(--model "$MODEL")
[ -z "${PAIRS:-}" ] || arguments+=(--pairs "$PAIRS")
[ -z "${ENGINE:-}" ] || arguments+=(--engine "$ENGINE")
[ -z "${SLURM:-}" ] || arguments+=("--slurm=$SLURM")
# The command's dependencies are neither fetched nor compiled: a first build takes a third of the time.
export KEYSTEP_WITHOUT_COMMAND=1
products=$(swift build -c release --show-bin-path)

if [ "${1:-}" = status ]; then
  for plan in runs/*/plan.json; do
    found=$(basename "$(dirname "$plan")")
    [ "$name" = "$found" ] || { [ "$name" = all ] && [ -f "experiments/$found/main.swift" ]; } || continue
    # The program that is there will do: nothing of a sweep depends on it.
    [ -x "$products/$found" ] || swift build -c release --product "$found"
    "$products/$found" status
    shown=yes
  done
  [ -n "${shown:-}" ] || printf '%s: no plan in runs; make experiment writes it\n' "$name"
  exit
fi

if [ "$name" != all ]; then
  swift build -c release --product "$name"
  exec "$products/$name" "${arguments[@]}"
fi

# An interrupted experiment ends by itself, after which the shell would go on with the next.
trap 'printf "interrupted; the same call goes on from here\n"; exit 130' INT TERM HUP USR1
failed=()
for main in experiments/*/main.swift; do
  name=$(basename "$(dirname "$main")")
  log=runs/$name/log.txt
  mkdir -p "runs/$name"
  printf '%-22s ' "$name"
  start=$SECONDS status=0
  { swift build -c release --product "$name" && "$products/$name" "${arguments[@]}"; } >"$log" 2>&1 </dev/null || status=$?
  seconds=$((SECONDS - start))
  # The plan's line is "  66 runs (…", the CSV's "CSV: … (66 runs); records: …".
  planned=$(sed -n 's/^  \([0-9]*\) runs (.*/\1/p' "$log")
  finished=$(sed -n 's/^CSV: .*(\([0-9]*\) runs); records: .*/\1/p' "$log")
  grep -q '^Submitted: ' "$log" && printf 'submitted, '
  printf '%s of %s runs, %d min %02d s' "${finished:-0}" "${planned:-?}" $((seconds / 60)) $((seconds % 60))
  if [ "$status" -eq 0 ]; then
    printf '\n'
  else
    failed+=("$name")
    printf ', FAILED; the end of %s:\n' "$log"
    tail -n 5 "$log" | sed 's/^/  /'
  fi
done
if [ ${#failed[@]} -gt 0 ]; then
  printf 'failed: %s\n' "${failed[*]}" >&2
  exit 1
fi
