# shellcheck shell=bash
# Small trainings on the test hosts, and what can be asked of them. Sourced, after hosts.sh; W is a scratch folder.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=run-directory.sh
. "$root/scripts/lib/run-directory.sh"

steps=${STEPS:-1200}

# The corpus and the environment of every training.
prepare_trainings() {
  program=$(realpath "${PROGRAM:-$root/.build/release/speakerid-dist}")
  [[ -x $program ]] || { echo "there is no ${PROGRAM:-.build/release/speakerid-dist}: build it first" && return 1; }
  launch=("$program" launch)
  export PROGRAM=$program OMPI_MCA_plm_rsh_agent="ssh -F $W/ssh_config"
  data=${DATA:-$W/data}
  [[ -d $data ]] || "$program" synthesize --output "$data" --speakers 8 --utterances 64 >"$W/synthesize.log" 2>&1 ||
    { echo "no corpus: $(tail -n 1 "$W/synthesize.log")" && return 1; }
  settings=(
    --set model.d_model=16 --set model.encoder.feedforward=32 --set train.batch_size=8 --set train.segment_length=32
    --set train.warmup_steps=50 --set train.valid_steps=400 --set train.save_steps=50 --set "train.total_steps=$steps"
  )
}

# Starts `speakerid-dist launch` on host 1; its process is then `launcher`.  start NAME OPTION... [-- ARGUMENT...]
start() {
  local options=()
  name=$1
  shift
  while [[ $# -gt 0 && $1 != -- ]]; do
    options+=("$1")
    shift
  done
  [[ $# -eq 0 ]] || shift
  run_directory=${RUN_FOLDER:-$W}/$name
  begun_before=$(begun)
  # The last -n and --hostfile count.
  to_host 1
  # A shell's background process ignores Ctrl-C unless it is told not to.
  "${on[@]}" env --default-signal=INT "${launch[@]}" -n 4 --hostfile "$W/hostfile" --interfaces "$host_network.0/24" "${options[@]}" -- \
    train --data "$data" --run "$run_directory" "${settings[@]}" "$@" >"$W/$name.out" 2>"$W/$name.err" </dev/null &
  launcher=$!
  fault_time=$EPOCHREALTIME
}

# Whether the program knows a key of the configuration.
knows_key() { "$program" train --help-config | grep -q "^ *$1:"; }

# Waits for the launcher to end; sets `status` and the `seconds` since the start, or the fault.  finish SECONDS
finish() {
  local limit=$1
  if ! wait_until "$limit" ended; then
    give_up
    seconds=$limit status=hang
    return 1
  fi
  seconds=$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $fault_time }")
  # Without the shell's own line about a launcher that was killed.
  wait "$launcher" 2>/dev/null
  status=$?
}

ended() { ! kill -0 "$launcher" 2>/dev/null; }

# Ends a training that hangs: every process of every host.
give_up() {
  local host pid
  for ((host = 1; host <= hosts; host++)); do
    for pid in $(processes "$host"); do kill -KILL "$pid" 2>/dev/null; done
  done
}

# Whether the training has come to that step, as its checkpoints tell.
at_step() {
  local step
  step=$(last_step)
  ((${step:-0} >= $1))
}

# Waits for the step; fails when the training ends before.  reach STEP
reach() {
  local end=$((SECONDS + 180))
  until at_step "$1"; do
    ended && return 1
    ((SECONDS < end)) || return 1
    sleep 0.05
  done
}

# Runs FAULT and notes the time.
strike() {
  fault_time=$EPOCHREALTIME
  "$@"
}

# The first process of that name on a host, but for the launcher.
first_process() { processes "$1" "$2" | grep -vx "$launcher" | head -n 1; }

# Sends a signal to a process of a host.  send SIGNAL HOST NAME
send() {
  local pid
  pid=$(first_process "$2" "$3")
  [[ -n $pid ]] && kill "-$1" "$pid"
}

# Whether no process is left on any host.
nothing_left() {
  local host
  for ((host = 1; host <= hosts; host++)); do [[ -z $(processes "$host") ]] || return 1; done
}

# What is left, for a message.
left() {
  local host pid
  for ((host = 1; host <= hosts; host++)); do
    for pid in $(processes "$host"); do echo -n " h$host:$(cat "/proc/$pid/comm" 2>/dev/null)($pid)"; done
  done
}

# Whether two runs ended with the same bits: weights, optimizer state, and the figures of every step.
same_run() {
  local file final
  final=checkpoints/step-$(printf %08d "$steps")
  for file in model.safetensors optimizer.safetensors; do
    cmp -s "$1/$final/$file" "$2/$final/$file" || return 1
  done
  cmp -s "$1/best/model.safetensors" "$2/best/model.safetensors" || return 1
  diff -q <(figures "$1") <(figures "$2") >/dev/null
}

figures() { sed 's/, "steps_per_s": [^,}]*//' "$1/metrics.jsonl"; }
