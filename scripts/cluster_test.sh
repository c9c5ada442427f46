#!/usr/bin/env bash
# Submits a small sweep to a real Slurm and compares its CSV, times apart, with that of a local run.
#
# usage: cluster_test.sh         disturbed: a task is killed, one is preempted, one is warned, the node is drained, the
#                                controller restarted, a time limit reached; about ten minutes
#        cluster_test.sh short   undisturbed; about a minute. Skipped where there is no Slurm and none can be installed
#        cluster_test.sh measure time submissions and sweeps, which leaves results/scale.csv; about ten minutes
#
# The cluster is one node on this machine with two single-core tasks: slurmctld and slurmd without accounting, in a
# scratch folder that goes at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

# The short part belongs to the whole check, which must not ask for a password, nor for a Slurm.
if [ "${1:-}" = short ] && ! command -v slurmctld >/dev/null &&
  ! { [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; }; then
  printf 'skipped: Slurm is not installed, and only root could install it (slurmctld, slurmd, slurm-client)\n'
  exit 0
fi
if [ "${1:-}" = short ]; then
  scripts/setup.sh slurm || {
    printf 'skipped: Slurm could not be installed\n'
    exit 0
  }
else
  scripts/setup.sh slurm
fi

name=key-step-ratio
# PROGRAM names one that is built.
if [ -z "${PROGRAM:-}" ]; then
  export KEYSTEP_WITHOUT_COMMAND=1
  swift build -c release --product "$name"
  PROGRAM=$(swift build -c release --show-bin-path)/$name
fi
program=$(realpath "$PROGRAM")

scratch=$(mktemp -d "${TMPDIR:-/tmp}/keystep-slurm-XXXXXX")
node=$(hostname -s)
daemons=()

finish() {
  local status=$? daemon
  trap - EXIT
  # Ends the jobs' processes, which outlive the daemons.
  if [ ${#daemons[@]} -gt 0 ]; then
    timeout 10 scancel --quiet --user="$(id -un)" 2>/dev/null || true
    timeout 20 bash -c 'while [ -n "$(squeue --noheader 2>/dev/null)" ]; do sleep 0.5; done' || true
  fi
  for daemon in "${daemons[@]}"; do kill "$daemon" 2>/dev/null || true; done
  for daemon in "${daemons[@]}"; do wait "$daemon" 2>/dev/null || true; done
  if [ "$status" -ne 0 ]; then
    if [ "${may_start:-true}" = true ]; then
      printf 'FAILED; the end of the logs:\n'
    else
      printf 'skipped: a Slurm of one node does not start here; the end of the logs:\n'
    fi
    tail -n 5 "$scratch"/*.log "$scratch"/sweep*/runs/*/slurm/*/log/* 2>/dev/null | cut -c 1-300 || true
  fi
  rm -rf "$scratch"
  [ "${may_start:-true}" = true ] || exit 0
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

fail() {
  printf '%s\n' "$1" >&2
  exit 1
}

start=$SECONDS
say() { printf '%4d s  %s\n' $((SECONDS - start)) "$1"; }

# until_true SECONDS WHAT COMMAND...: waits until the command succeeds.
until_true() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || fail "expected within the time: $what"
    sleep 0.5
  done
}

# A port of this machine that nobody listens on.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 10000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  printf '%s' "$port"
}

export SLURM_CONF=$scratch/slurm.conf
mkdir "$scratch/state" "$scratch/spool"
cat >"$SLURM_CONF" <<END
ClusterName=keystep
SlurmctldHost=$node(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
StateSaveLocation=$scratch/state
SlurmdSpoolDir=$scratch/spool
SlurmctldPidFile=$scratch/slurmctld.pid
SlurmdPidFile=$scratch/slurmd.pid
SlurmctldLogFile=$scratch/slurmctld.log
SlurmdLogFile=$scratch/slurmd.log
SlurmdParameters=config_overrides
ReturnToService=2
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=1,sched_min_interval=0
KillWait=10
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=$node NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=normal Nodes=$node Default=YES PriorityTier=1 State=UP
PartitionName=urgent Nodes=$node PriorityTier=10 PreemptMode=OFF State=UP
END

start_controller() {
  slurmctld -D -f "$SLURM_CONF" </dev/null >>"$scratch/slurmctld.out.log" 2>&1 &
  controller=$!
  daemons+=("$controller")
  until_true 30 'a controller that answers' controller_answers
}
controller_answers() { scontrol ping 2>/dev/null | grep -q 'is UP'; }
node_is_idle() { sinfo --noheader --format=%t 2>/dev/null | grep -q '^idle$'; }
queue_is_empty() { [ -z "$(squeue --noheader)" ]; }

# A container may not let the daemons run. That says nothing about a submission, so the short part is then skipped.
may_start=true
[ "${1:-}" != short ] || may_start=false

start_controller
slurmd -D -N "$node" -f "$SLURM_CONF" </dev/null >>"$scratch/slurmd.out.log" 2>&1 &
daemons+=("$!")
until_true 30 'a node that is idle' node_is_idle
may_start=true
say "$(slurmctld -V): one node, two cores"

# compare SWEEP LOCAL: the rows of two CSVs, but for times and speeds.
rows() {
  awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "run_seconds") time = i }
    !/tokens\/s/ { $time = ""; print }' "$1"
}
compare() {
  diff <(rows "$1/out.csv") <(rows "$2/out.csv") >"$scratch/difference" || {
    head -n 20 "$scratch/difference"
    fail "$1/out.csv: expected the rows of the local run, found the differences above"
  }
  say "the same CSV as locally: $(($(wc -l <"$1/out.csv") - 1)) rows"
}

if [ "${1:-}" = measure ]; then
  csv=$root/results/scale.csv
  about="$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1),$(nproc),$(slurmctld -V),$(git rev-parse HEAD)"
  printf 'measure,engine,jobs,workers,runs,seconds,processor,cores,slurm,commit\n' >"$csv"
  # row MEASURE ENGINE JOBS WORKERS RUNS SECONDS
  row() {
    local IFS=,
    printf '%s,%s\n' "$*" "$about" | tee -a "$csv"
  }
  now() { date +%s.%N; }
  since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.3f", b - a }'; }
  cd "$scratch"

  # Of a submission: what the plan takes, and all of it. The jobs are held and then cancelled.
  for seeds in 5 50 500; do
    flags=(--smoke --arms 'KRSL,random positions' --seeds "$seeds" --output out.csv --engine slurm)
    mkdir "plan-$seeds"
    cd "plan-$seeds"
    from=$(now)
    "$program" "${flags[@]}" --dry-run >/dev/null
    row plan slurm '' 1 $((2 * seeds)) "$(since "$from")"
    from=$(now)
    "$program" "${flags[@]}" --slurm=--hold >/dev/null
    row submit slurm '' 1 $((2 * seeds)) "$(since "$from")"
    from=$(now)
    "$program" status >/dev/null
    row status slurm '' 1 $((2 * seeds)) "$(since "$from")"
    scancel --quiet --user="$(id -un)"
    cd ..
    until_true 60 'an empty queue' queue_is_empty
  done

  # Tasks that do nothing: what the scheduler and the node take for each.
  for jobs in 1 2; do
    from=$(now)
    sbatch --parsable --array="0-39%$jobs" --output=/dev/null --wrap true >/dev/null
    until_true 300 'an empty queue' queue_is_empty
    row nothing slurm "$jobs" 1 40 "$(since "$from")"
  done

  # The same sweep by threads of one process and by tasks, one and two at once.
  for engine in local slurm local slurm; do
    for jobs in 1 2; do
      mkdir "sweep-$engine-$jobs"
      cd "sweep-$engine-$jobs"
      from=$(now)
      "$program" --smoke --arms 'KRSL,random positions' --seeds 5 --stage1-steps 60 --stage2-steps 60 --output out.csv \
        --engine "$engine" --jobs "$jobs" >log.txt 2>&1
      until_true 900 'an empty queue' queue_is_empty
      row sweep "$engine" "$jobs" 1 10 "$(since "$from")"
      cd ..
      rm -r "sweep-$engine-$jobs"
    done
  done

  # One run with one worker and with two.
  for workers in 1 2 1 2; do
    mkdir "workers-$workers"
    cd "workers-$workers"
    "$program" --smoke --arms KRSL --seeds 1 --stage1-steps 60 --stage2-steps 60 --output out.csv --workers "$workers" >log.txt 2>&1
    row run local 1 "$workers" 1 "$(cat runs/$name/records/* | awk -F: '/"seconds"/ { print $2 + 0 }')"
    cd ..
    rm -r "workers-$workers"
  done
  exit
fi

# Ten runs with five shared stages. Paths with spaces must work.
sweep="$scratch/sweep with spaces" local="$scratch/local"
mkdir "$sweep" "$local"
flags=(--smoke --arms 'KRSL,random positions' --seeds 5 --stage2-steps "${STEPS:-$([ "${1:-}" = short ] && echo 4 || echo 250)}"
  --save-interval 1 --output out.csv)
submit() { (cd "$sweep" && "$program" "${flags[@]}" --engine slurm --slurm="--time=60 --mem=0" "$@"); }
status() { (cd "$sweep" && "$program" status); }

(cd "$local" && "$program" "${flags[@]}" --jobs 2 >log.txt 2>&1) || fail "$(tail "$local/log.txt")"
say "the local run: $(ls "$local/runs/$name/records" | wc -l) runs"

submit
before=$SECONDS
if [ "${1:-}" = short ]; then
  until_true 300 'an empty queue' queue_is_empty
  say "the cluster's run: $((SECONDS - before)) s from the submission to the report"
  compare "$sweep" "$local"
  [ -s "$sweep/out.report.md" ] || fail "$sweep: expected out.report.md of the collecting job, found none"
  status
  exit
fi

# tasks STATE: the tasks of the array of runs in this state, as ARRAY_INDEX.
tasks() { squeue --noheader --array --states="$1" --format='%F_%K %j' | awk '/runs-1$/ { print $1 }'; }
running() { [ "$(tasks R | wc -l)" -ge "$1" ]; }
has_claims() { ls "$sweep/runs/$name/claims" 2>/dev/null | grep -q 'claim-[0-9]*$'; }
idle_of_runs() { ! running 1; }

until_true 300 'two tasks that run' running 2
[ "$(submit | grep -c 'nothing to submit')" -eq 1 ] || fail 'expected that nothing is submitted twice'
say 'submitted again: nothing was'

until_true 60 'a claim' has_claims
victim=$(sed -n 's/.*"process":\([0-9]*\).*/\1/p' "$sweep/runs/$name/claims/"*claim-[0-9]* | head -n 1)
kill -KILL "$victim"
say "killed a task's program, process $victim"

# It needs both cores: whatever runs must go.
until_true 120 'a task that runs' running 1
preempting=$(sbatch --parsable --partition=urgent --cpus-per-task=2 --output=/dev/null --wrap 'sleep 3')
say "submitted job $preempting with a higher priority"
requeued() { squeue --noheader --array --format='%r' | grep -q BeginTime; }
until_true 90 'a task that is requeued' requeued
say "preempted: $(squeue --noheader --array --format='%F_%K %r' | awk '/BeginTime/ { printf "%s ", $1 }')"

until_true 120 'a task that runs' running 1
sleep 2
warned=$(tasks R | head -n 1)
# It asks again and again where the task has gone back to the queue before it has its answer.
timeout 5 scancel --batch --signal=USR1 "$warned" 2>/dev/null || true
say "sent the warning before a time limit to task $warned"

until_true 120 'a task that runs' running 1
scontrol update "nodename=$node" state=drain reason=test
until_true 300 'no task on the drained node' idle_of_runs
sleep 5
running 1 && fail 'expected no task on a drained node'
say "drained the node: $(tasks PD | wc -l) tasks wait"
scontrol update "nodename=$node" state=resume

until_true 120 'a task that runs' running 1
kill "$controller"
wait "$controller" || true
sleep 3
start_controller
say 'restarted the controller'
status | sed 's/^/        /'

until_true 900 'an empty queue' queue_is_empty
status | sed 's/^/        /'
restarted=$(grep -l 'restarted [1-9]' "$sweep/runs/$name"/slurm/*/log/runs-* | wc -l)
[ "$restarted" -ge 2 ] || fail "expected two tasks that were restarted, found $restarted"
say "$restarted tasks were requeued and went on"

# What was killed is missing; the same call submits that alone.
missing=$((10 - $(ls "$sweep/runs/$name/records/" | wc -l)))
[ "$missing" -ge 1 ] || fail 'expected that the killed run is missing'
submit | tee "$scratch/again"
grep -q ": $missing runs\$" "$scratch/again" || fail "expected that $missing runs are submitted"
until_true 300 'an empty queue' queue_is_empty
compare "$sweep" "$local"

# One run that takes longer than its time limit, less the two minutes of the warning.
sweep="$scratch/sweep of a long run" local="$scratch/long"
mkdir "$sweep" "$local"
flags=(--smoke --arms 'KRSL' --seeds 1 --stage2-steps "${LONG_STEPS:-2500}" --output out.csv)
(cd "$sweep" && "$program" "${flags[@]}" --engine slurm --slurm='--time=3')
(cd "$local" && "$program" "${flags[@]}" >log.txt 2>&1) || fail "$(tail "$local/log.txt")"
seconds() { sed -n 's/.*"seconds": \([0-9]*\).*/\1/p' "$1/runs/$name/records/"*; }
say "the long run takes $(seconds "$local") s locally"
until_true 900 'an empty queue' queue_is_empty
grep -h -e '^--' -e interrupted "$sweep/runs/$name"/slurm/*/log/runs-* | sed 's/^/        /'
grep -q 'restarted [1-9]' "$sweep/runs/$name"/slurm/*/log/runs-* || fail 'expected a task that was restarted at its limit'
compare "$sweep" "$local"
[ "$(seconds "$sweep")" -lt "$(seconds "$local")" ] || fail 'expected that the last part of the run is shorter than the run'
say "its last part took $(seconds "$sweep") s: it went on where it stopped"
