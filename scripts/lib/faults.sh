# shellcheck shell=bash
# Random faults, one after another, on trainings that speakerid-dist launch restarts. Sourced, after training.sh.

# Kinds of faults, each as often as it is named.
fault_kinds=(
  kill-rank kill-rank kill-rank kill-two-ranks kill-daemon kill-daemon kill-mpirun
  cut-shortly cut-until-restart cut-until-restart freeze-rank fill-disk
  stop-launcher kill-launcher
)

# K random faults on trainings of $steps steps; each training that comes to its end has to have the bits of the
# undisturbed one. The random numbers, though not the moments, follow from SEED. Ends early after MINUTES.
# random_faults K SEED MINUTES
random_faults() {
  local count=$1 fault=0 trainings=0 wrong=0 hangs=0 begin=$SECONDS
  RANDOM=$2
  reference
  RUN_FOLDER=$W/full
  launcher=
  printf '%d faults, seed %d, %s\n' "$count" "$2" "$(nproc) cores, load $(cut -d ' ' -f 1-3 /proc/loadavg)"
  while ((fault < count && SECONDS - begin < $3 * 60)); do
    attend
    await_moment && strike_at_random
  done
  # The last training is seen to its end.
  while [[ -n $launcher ]]; do
    wait_until 300 ended || { echo "hang: the last training" && hangs=$((hangs + 1)) && give_up; }
    attend last
  done
  printf '%d faults in %d s: %d trainings finished, %d of them with other bits than the undisturbed one, %d hangs\n' \
    "$fault" $((SECONDS - begin)) "$trainings" "$wrong" "$hangs"
  ((wrong + hangs == 0))
}

# Sees to it that a training runs: the one that was stopped, or the next one when it is finished.  attend [last]
attend() {
  if [[ -n $launcher ]]; then
    ended || return
    finish 1
    if [[ $status != 0 ]]; then
      printf '      the launcher ended with status %s; started again by hand\n' "$status"
      begin_training --resume
      return
    fi
    trainings=$((trainings + 1))
    if same_run "$W/reference" "$run_directory"; then
      echo "      training $trainings is finished, with the undisturbed bits"
    else
      echo "WRONG training $trainings is finished, with other bits; kept in $W/wrong-$trainings"
      cp -r "$run_directory" "$W/wrong-$trainings"
      wrong=$((wrong + 1))
    fi
    rm -rf "$run_directory"
    launcher=
  fi
  [[ -n ${1:-} ]] || begin_training
}

# Each training has another host first in the hostfile, which rank 0 then is on; the launcher stays on h1.
begin_training() {
  local first=$((trainings % hosts + 1))
  { tail -n "+$first" "$W/hostfile" && head -n $((first - 1)) "$W/hostfile"; } >"$W/hostfile-$first"
  start "training-$((trainings + 1))" --hostfile "$W/hostfile-$first" --max-restarts 1000 -- "$@"
}

# Waits for the moment of the next fault: mostly 0 to 3 s after the first step, and sometimes before it.
await_moment() {
  if ((RANDOM % 6)); then
    wait_until 120 has_begun_or_ended
    sleep "$(random_seconds 3000)"
  else
    sleep "$(random_seconds 1500)"
  fi
  ! ended
}

has_begun_or_ended() { has_begun || ended; }

# Up to MILLISECONDS, as seconds.  random_seconds MILLISECONDS
random_seconds() { printf '%d.%03d' $((RANDOM % $1 / 1000)) $((RANDOM % 1000)); }

strike_at_random() {
  local kind=${fault_kinds[RANDOM % ${#fault_kinds[@]}]} host=$((RANDOM % 4 + 1)) step outcome
  step=$(last_step)
  mark_begin
  # A process that is not there yet, or no longer, cannot be struck.
  strike "fault_${kind//-/_}" "$host" || return 0
  fault=$((fault + 1))
  if ! wait_until 120 is_answered "$kind" "${step:-0}"; then
    outcome="HANG, left:$(left)"
    hangs=$((hangs + 1))
    kill -KILL "$launcher"
    give_up
  elif has_begun; then
    outcome="begun again"
  elif ended; then
    outcome="the launcher ended"
  else
    outcome="gone on"
  fi
  printf '%4d  training %d, step %4d  %-18s h%d  %s after %.1f s\n' "$fault" $((trainings + 1)) "${step:-0}" "$kind" \
    "$host" "$outcome" "$(awk "BEGIN { print $EPOCHREALTIME - $fault_time }")"
}

# The launcher has ended or the training has begun again; or, as not every fault ends it, it has gone on for two
# checkpoints.  is_answered KIND STEP
is_answered() {
  ended || has_begun || { [[ $1 != kill-* && $1 != stop-* ]] && at_step $(($2 + 100)); }
}

fault_kill_rank() { send KILL "$1" speakerid-dist; }
fault_kill_two_ranks() {
  send KILL "$1" speakerid-dist
  send KILL $(($1 % hosts + 1)) speakerid-dist
}
fault_kill_daemon() { send KILL $(($1 % 3 + 2)) orted; }
fault_kill_mpirun() { send KILL 1 mpirun; }
fault_stop_launcher() { kill -TERM "$launcher"; }
fault_kill_launcher() { kill -KILL "$launcher"; }

# The network is away for up to 12 s, which is sometimes too short to be noticed.
fault_cut_shortly() {
  unplug $(($1 % 3 + 2))
  sleep "$(random_seconds 12000)"
  plug $(($1 % 3 + 2))
}

# The network is away until the training has begun again without the host.
fault_cut_until_restart() {
  unplug $(($1 % 3 + 2))
  wait_until 60 has_begun_or_ended
  plug $(($1 % 3 + 2))
}

# A rank stands still for up to 4 s; nothing should come of it.
fault_freeze_rank() {
  local pid
  pid=$(first_process "$1" speakerid-dist)
  [[ -n $pid ]] && kill -STOP "$pid"
  sleep "$(random_seconds 4000)"
  [[ -n $pid ]] && kill -CONT "$pid" 2>/dev/null
}

# The disk of the run is full for up to 4 s.
fault_fill_disk() {
  fill "$W/full"
  sleep "$(random_seconds 4000)"
  rm -f "$W/full/filler"
}

# Fills the file system of a folder.
fill() { dd if=/dev/zero of="$1/filler" bs=64k status=none 2>/dev/null || true; }
