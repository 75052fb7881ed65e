# shellcheck shell=bash
# The checks of scripts/test-cluster: each says in a line what it found, and fails when that is not what was promised.
# Sourced, after training.sh.

# Seconds in which a training has to end after a process or a host is lost.
patience=10

# complain MESSAGE: the check has failed, with what the launcher said last.
complain() {
  echo "$1; the last lines: $(tail -n 3 "$W/$name.err" | tr '\n' '|')"
  exit 1
}

# The training that nothing disturbs, made by the first check that compares with it.
reference() {
  [[ -f $W/reference.done ]] && return
  start reference
  finish 120
  [[ $status == 0 ]] || complain "the undisturbed training ended with $status"
  touch "$W/reference.done"
}

# Starts a training that is not restarted, and waits until it is well under way.  under_way NAME OPTION...
under_way() {
  reference
  start "$1" --max-restarts 0 "${@:2}"
  reach 200 || complain "it did not come to step 200"
}

# What the end after a fault has to look like: in time, nothing left on any host, a line that names what was lost.
# ends_well PATTERN [SECONDS]
ends_well() {
  local limit=${2:-$patience}
  finish 60
  [[ $status != hang ]] || complain "no end within 60 s"
  [[ $status != 0 ]] || complain "the status is 0"
  awk "BEGIN { exit !($seconds <= $limit) }" || complain "ended only after $seconds s"
  wait_until "$patience" nothing_left || complain "left behind:$(left)"
  grep -qE "$1" "$W/$name.err" || complain "no line says '$1'"
  echo "ended after $seconds s with status $status: $(grep -hE "$1" "$W/$name.err" | tail -n 1)"
}

# Finishes a training that was ended, and compares.  goes_on OPTION...
goes_on() {
  mv "$W/$name.err" "$W/$name.fault"
  start "$name" "$@" -- --resume
  finish 120
  equals_reference
}

equals_reference() {
  [[ $status == 0 ]] || complain "it ended with $status"
  same_run "$W/reference" "$run_directory" || complain "it is not the undisturbed training, bit for bit"
  wait_until "$patience" nothing_left || complain "left behind:$(left)"
}

# --- The same bits -------------------------------------------------------------------------------------------------

# By way of cluster/run, which is the same.
check_one_process() {
  local launch=("$root/cluster/run")
  reference
  start one-process -n 1
  finish 120
  equals_reference
}

check_slow_links() {
  reference
  shape 20mbit
  start slow-links
  finish 180
  unshape
  equals_reference
  echo "$steps steps over links of 20 Mbit/s in $seconds s"
}

# --- A process, a link or a host is lost; the training is not restarted ----------------------------------------------

check_kill_rank() {
  under_way kill-rank
  strike send KILL 3 speakerid-dist
  ends_well 'rank 2 .*on node h3 exited on signal 9'
  goes_on
}

check_kill_rank_0() {
  under_way kill-rank-0
  strike send KILL 1 speakerid-dist
  ends_well 'rank 0 .*on node h1 exited on signal 9'
  goes_on -n 3
}

check_kill_daemon() {
  under_way kill-daemon
  strike send KILL 2 orted
  ends_well 'on node h2'
  goes_on
}

check_kill_mpirun() {
  under_way kill-mpirun
  strike send KILL 1 mpirun
  ends_well 'ended by SIGKILL'
  goes_on -n 2
}

check_link_down() {
  under_way link-down
  strike unplug 4
  ends_well 'on node h4'
  plug 4
  goes_on
}

check_link_down_shortly() {
  reference
  start link-down-shortly --max-restarts 0
  reach 200 || complain "it did not come to step 200"
  unplug 3
  sleep 2
  plug 3
  finish 120
  equals_reference
}

# The same for the host of rank 0, when another host has started the training.
check_link_of_rank_0_down() {
  reference
  grep -v '^h1 ' "$W/hostfile" >"$W/hostfile-2"
  start link-of-rank-0-down --max-restarts 0 -n 3 --hostfile "$W/hostfile-2"
  reach 200 || complain "it did not come to step 200"
  strike unplug 2
  ends_well 'on node h2'
  plug 2
  goes_on
}

# A process that is stopped is not lost to Open MPI; only the program can tell that it waits in vain.
check_stopped_rank() {
  local key=train.stall_timeout
  knows_key "${key#*.}" || { echo "this build has no $key" && exit 77; }
  reference
  start stopped-rank --max-restarts 0 -- --set "$key=5"
  reach 200 || complain "it did not come to step 200"
  strike send STOP 3 speakerid-dist
  ends_well 'rank 2.*h3|h3.*rank 2' 10
  [[ $status == 76 ]] || complain "the status is $status"
  goes_on
}

# --- The disk --------------------------------------------------------------------------------------------------------

check_full_disk() {
  reference
  mountpoint -q "$W/full" || { echo "no small file system could be mounted" && exit 77; }
  RUN_FOLDER=$W/full
  under_way full-disk
  strike fill "$W/full"
  ends_well 'error: .*(No space left|full)'
  [[ $status == 74 ]] || complain "the status is $status"
  [[ -z $(find "$run_directory" -name '.*.tmp-*') ]] || complain "a half-written file is left"
  rm "$W/full/filler"
  goes_on
}

# --- Signals -----------------------------------------------------------------------------------------------------------

check_stop_and_go_on() {
  local signal
  for signal in TERM USR1 INT; do
    under_way "stop-$signal"
    strike kill "-$signal" "$launcher"
    ends_well 'it is saved, go on with --resume'
    [[ $status == 75 ]] || complain "the status is $status"
    goes_on
  done
}

# Asked to stop past the launcher, which then knows it from the status alone: not started again.
check_stop_of_mpirun() {
  reference
  start stop-of-mpirun
  reach 200 || complain "it did not come to step 200"
  strike send USR1 1 mpirun
  ends_well 'it is saved, go on with --resume'
  [[ $status == 75 ]] || complain "the status is $status"
  if said 'restart [0-9]'; then complain "it was started again"; fi
  goes_on
}

# A launcher that is killed cannot say anything: the ranks save and end.
check_kill_launcher() {
  under_way kill-launcher
  strike kill -KILL "$launcher"
  finish 5
  wait_until "$patience" nothing_left || complain "left behind:$(left)"
  goes_on
}

# --- Restarts ----------------------------------------------------------------------------------------------------------

# A host is gone for good: the training is finished on the others.
check_restart_without_a_host() {
  reference
  start restart-without-a-host
  reach 200 || complain "it did not come to step 200"
  strike unplug 4
  finish 120
  plug 4
  equals_reference
  grep -q 'h4 is left out' "$W/$name.err" || complain "nothing says that h4 is left out"
  grep -q 'starting 3 processes on h1 h2 h3' "$W/$name.err" || complain "nothing says that 3 processes are started"
}

check_restart_after_kills() {
  local step
  reference
  start restart-after-kills
  for step in 200 500 800; do
    reach "$step" || complain "it did not come to step $step"
    strike send KILL $((step / 200)) speakerid-dist
    wait_until 30 said "restart $((step / 300 + 1)) of 3" || complain "no restart"
    wait_until 30 began $((step / 300 + 2)) || complain "it did not begin again"
  done
  finish 120
  equals_reference
}

# A rank that stands still ends the training with a status of its own, and it is started again.
check_restart_after_a_stall() {
  local key=train.stall_timeout
  knows_key "${key#*.}" || { echo "this build has no $key" && exit 77; }
  reference
  start restart-after-a-stall -- --set "$key=5"
  reach 200 || complain "it did not come to step 200"
  strike send STOP 3 speakerid-dist
  wait_until 30 said 'restart 1 of 3' || complain "no restart"
  said 'the training failed (a rank was missing or differed)' || complain "nothing says why"
  wait_until 30 began 2 || complain "it did not begin again"
  finish 120
  equals_reference
  echo "finished $seconds s after the stop: $(grep -h 'rank 2 on h3' "$W/$name.err" | tail -n 1)"
}

said() { grep -q "$1" "$W/$name.err"; }
began() { (($(begun) >= $1)); }

# What starting again cannot help is not started again.
check_no_restart() {
  reference
  start no-data -- --data "$W/nowhere"
  finish 30
  [[ $status == 66 ]] || complain "missing data: the status is $status"
  start no-key -- --set train.nothing=1
  finish 30
  [[ $status == 64 ]] || complain "an unknown key: the status is $status"
  if grep -l 'restart [0-9]' "$W"/no-*.err; then complain "it was started again"; fi
  # A program that fails at its start in the same way each time is given two chances.
  PROGRAM=/bin/false start no-program
  finish 60
  [[ $status == 1 ]] || complain "a program that fails: the status is $status"
  [[ $(grep -c 'restart [0-9]* of' "$W/$name.err") == 1 ]] || complain "not started again once"
  said 'twice at the start with status 1' || complain "nothing says why it was given up"
}

# A host that does not answer at the first start is a wrong hostfile, and said to be one.
check_host_that_does_not_answer() {
  unplug 2
  start unanswered
  finish 30
  plug 2
  [[ $status == 69 ]] || complain "the status is $status"
  said 'h2 is left out' || complain "nothing names h2"
  echo "$(grep -c . "$W/$name.err") lines: $(head -n 1 "$W/$name.err")"
}
