# One mpirun: its parameters, its start, its signals, its end. Sourced.

stopping=      # the signal that asked for an end
was_started=   # whether an mpirun has run
job=           # its process id while it runs

# Gives mpirun the parameters of mca-params.conf that the user has not set.
export_parameters() {
  local key equals value own="$HOME/.openmpi/mca-params.conf"
  parameters=()
  while read -r key equals value; do
    [[ $equals == = ]] || continue
    set_parameter "$key" "$value" "$own"
  done <"$here/mca-params.conf"
  [[ -n $interfaces ]] || return 0
  export OMPI_MCA_btl_tcp_if_include=$interfaces OMPI_MCA_oob_tcp_if_include=$interfaces
  parameters+=("btl_tcp_if_include=$interfaces" "oob_tcp_if_include=$interfaces")
}

# set_parameter KEY VALUE FILE
set_parameter() {
  local variable=OMPI_MCA_$1
  [[ -n ${!variable:-} ]] && return
  grep -qsE "^[[:space:]]*$1[[:space:]]*=" "$3" && return
  export "$variable=$2"
  parameters+=("$1=$2")
}

# The command of mpirun: its words in `command`.  compose RANKS HOSTFILE
compose() {
  local name
  command=("$mpirun" -n "$1")
  [[ -n $2 ]] && command+=(--hostfile "$2")
  # Over ssh nothing of the environment is passed on; what chooses OpenBLAS's kernels has to be the same everywhere.
  for name in $(compgen -e OPENBLAS_); do command+=(-x "$name"); done
  command+=("$program" "${arguments[@]}")
  # Beside --weights, if they were given: the program takes them when the run has no checkpoint yet.
  goes_on && command+=(--resume)
}

# Whether --resume is to be added: there is a run, begun here or meant by --continue. One that was there before is the
# program's to refuse.
goes_on() { [[ -z $resumes && (-n $continues || -n $was_started && -z $found_run) ]] && has_run; }

show_command() {
  compose "$ranks" "$hostfile"
  ((${#parameters[@]} == 0)) || printf 'OMPI_MCA_%q ' "${parameters[@]}"
  printf '%q ' "${command[@]}"
  echo
}

make_scratch() {
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/speakerid-dist.XXXXXX") || fail 74 "no temporary folder can be made"
  errors_file=$scratch/errors.txt
  trap 'rm -rf "$scratch"' EXIT
  mkfifo "$scratch/errors" "$scratch/never"
  # Never written to: reading it is a pause that a signal ends.
  exec {never}<>"$scratch/never"
}

# Runs mpirun to its end; its status is then in job_status.  run_job RANKS
run_job() {
  local relay
  compose "$1" "${hostfile:+$scratch/hostfile}"
  [[ -n $was_started ]] && say "starting $1 processes$(on_hosts)"
  relay_errors <"$scratch/errors" &
  relay=$!
  # In a session of its own, so that the terminal's Ctrl-C comes here and not to mpirun, which would not let the ranks
  # save; and asked to save and end should this script be killed.
  setpriv --pdeathsig USR1 setsid "${command[@]}" </dev/null 2>"$scratch/errors" &
  job=$!
  was_started=yes
  [[ -n $stopping ]] && kill -USR1 "$job" 2>/dev/null
  while kill -0 "$job" 2>/dev/null; do
    pause_once 0.25
    [[ -n $stopping ]] && hasten
  done
  job_status=0
  wait "$job" || job_status=$?
  job=
  finish_relay "$relay"
}

on_hosts() { [[ -n $hostfile ]] && echo " on ${chosen_lines[*]%%[[:space:]]*}"; }

# Copies standard input to standard error, and keeps its last lines in errors_file. What mpirun puts between lines of
# dashes becomes one line, and is left out where it only says that there was an error: the program has said which.
relay_errors() {
  trap '' INT TERM USR1 HUP
  local line block= is_block=
  kept=()
  : >"$errors_file"
  while IFS= read -r line || [[ -n $line ]]; do
    if [[ $line =~ ^-{40,}$ ]]; then
      [[ -n $is_block ]] && relay_block "$block"
      [[ -n $is_block ]] && is_block= || is_block=yes
      block=
    elif [[ -n $is_block ]]; then
      read -r line <<<"$line"
      block+=${block:+${line:+ }}$line
    else
      relay_line "$line"
    fi
  done
  [[ -z $block ]] || relay_block "$block"
}

relay_block() {
  case $1 in
    *'Per user-direction, the job has been aborted'* | *'processes exited with non-zero status'*) ;;
    *'peer process has unexpectedly disconnected'*)
      relay_line "mpirun: $(field 'Local host' "$1") has lost the process on $(field 'Peer host' "$1")"
      ;;
    *'ORTE has lost communication with a remote daemon'*)
      relay_line "mpirun: the host $(field 'Remote daemon: [^ ]* on node' "$1") is lost: it, its daemon, or the network to it is down"
      ;;
    *)
      # Its advice fills a screen; what is wrong stands first.
      local text=${1#mpirun }
      ((${#text} > 400)) && text="${text:0:400} ..."
      relay_line "mpirun: $text"
      ;;
  esac
}

# The word after NAME in TEXT.  field NAME TEXT
field() { sed -n "s/.*$1:\{0,1\} *\([^ ]*\).*/\1/p" <<<"$2"; }

relay_line() {
  # What mpirun says when an ssh has become a process group of its own before it could be made one.
  [[ $1 == *'plm:rsh: Warning: setpgid'* ]] && return
  printf '%s\n' "$1" >&2
  kept+=("$1")
  ((${#kept[@]} > 40)) && kept=("${kept[@]:1}")
  printf '%s\n' "${kept[@]}" >"$errors_file"
}

# The relay ends when the last process that writes to it has: a second, unless an ssh was left behind.
finish_relay() {
  local i
  for ((i = 0; i < 20; i++)); do
    kill -0 "$1" 2>/dev/null || break
    pause_once 0.1
  done
  kill -KILL "$1" 2>/dev/null
  wait "$1" 2>/dev/null
}

# A signal has come: the ranks are asked to save and end; a second one ends them.  stop NAME
stop() {
  if [[ -z $stopping ]]; then
    stopping=SIG$1
    stop_time=$SECONDS
    say "$stopping: asking the training to save and end (at most $grace s)"
    [[ -n $job ]] && kill -USR1 "$job" 2>/dev/null
  else
    grace=0
  fi
}

# Ends ranks that were asked to stop and have not in time. mpirun gives them a second.
hasten() {
  local waited=$((SECONDS - stop_time))
  if ((waited >= grace + 10)); then
    kill -KILL "$job" 2>/dev/null
  elif ((waited >= grace)); then
    kill -TERM "$job" 2>/dev/null
  fi
}

# Waits that many seconds, or until a signal has come.
pause() {
  local end=$((SECONDS + $1))
  while ((SECONDS < end)) && [[ -z $stopping ]]; do pause_once 0.25; done
}

pause_once() { read -rt "$1" -u "$never" _; }

# Waits for a process of ours, also when a signal comes in between.
wait_for() {
  local status=0
  wait "$1" || status=$?
  while ((status > 128)) && kill -0 "$1" 2>/dev/null; do
    status=0
    wait "$1" || status=$?
  done
  return "$status"
}
