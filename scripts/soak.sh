#!/usr/bin/env bash
# Runs the experiment $NAME with the words of $ARGS and notes, once a minute, the memory and the descriptors of its
# process and how many of its runs are finished, in results/soak.csv. A sweep that was stopped goes on; its minutes are
# added, with another process number.
set -euo pipefail
cd "$(dirname "$0")/.."

# It builds the program and then becomes it.
scripts/experiment.sh &
process=$!
# Not INT, which a background process ignores.
trap 'kill -TERM "$process" 2>/dev/null; wait "$process"' INT TERM HUP
name=${NAME:-}
while [ "$(basename "$(readlink "/proc/$process/exe")")" != "$name" ]; do
  [ -d "/proc/$process" ] || { wait "$process"; exit; }
  sleep 1
done

output=results/soak.csv
header=experiment,process,seconds,resident_mib,descriptors,finished_runs,commit,processor
[ -e "$output" ] || printf '%s\n' "$header" >"$output"
commit=$(git rev-parse HEAD)
processor=$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)

start=$SECONDS
while [ -d "/proc/$process" ]; do
  resident=$(awk '/^VmRSS/ { print $2 / 1024 }' "/proc/$process/status" 2>/dev/null || true)
  if [ -n "$resident" ]; then
    # A descriptor that is closed, or a file that is renamed, while `find` reads makes it fail.
    descriptors=$({ find "/proc/$process/fd" -mindepth 1 2>/dev/null || true; } | wc -l)
    finished=$({ find "runs/$name/records" -name '*.json' 2>/dev/null || true; } | wc -l)
    printf '%s,%s,%s,%.1f,%s,%s,%s,"%s"\n' "$name" "$process" $((SECONDS - start)) "$resident" "$descriptors" \
      "$finished" "$commit" "$processor" >>"$output"
  fi
  # Wakes up when the process ends.
  timeout 60 tail --pid="$process" -f /dev/null || true
done
wait "$process"
