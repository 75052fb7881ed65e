# The hosts of a hostfile, and which of them answer. Sourced.

# Reads the hostfile: names, slots (0 where it does not say), and the lines as they are.
read_hostfile() {
  host_names=() host_slots=() host_lines=()
  [[ -n $hostfile ]] || return 0
  [[ -r $hostfile ]] || fail 66 "$hostfile: there is no such hostfile"
  local line name slots
  while IFS= read -r line || [[ -n $line ]]; do
    line=$(sed 's/#.*//; s/[[:space:]]*=[[:space:]]*/=/g; s/^[[:space:]]*//; s/[[:space:]]*$//' <<<"$line")
    [[ -n $line ]] || continue
    name=${line%%[[:space:]]*}
    slots=0
    if [[ $line =~ [[:space:]]slots=([^[:space:]]*) ]]; then
      slots=${BASH_REMATCH[1]}
      [[ $slots =~ ^[1-9][0-9]{0,5}$ ]] || fail 64 "$hostfile: $name: slots: expected a whole number, found '$slots'"
    fi
    host_names+=("$name") host_slots+=("$slots") host_lines+=("$line")
  done <"$hostfile"
  [[ ${#host_names[@]} -gt 0 ]] || fail 65 "$hostfile: there is no host in it"
  chosen_lines=("${host_lines[@]}")
  slots_all=$(sum_slots "${host_slots[@]}")
  slots_now=$slots_all
}

# The sum; 0, for unknown, when one of them is.
sum_slots() {
  local sum=0 slots
  for slots in "$@"; do
    [[ $slots -eq 0 ]] && echo 0 && return
    sum=$((sum + slots))
  done
  echo "$sum"
}

# How many ranks the chosen hosts get: as many as were asked for while they have the slots, else fewer. Who asked for
# more ranks than slots from the start keeps that ratio. Never more than were asked for, so never more than
# train.shards either, which the program has checked.
ranks_now() {
  if [[ -z $hostfile || $slots_all -eq 0 || $slots_now -eq $slots_all ]]; then
    echo "$ranks"
  elif ((ranks <= slots_all)); then
    echo $((ranks < slots_now ? ranks : slots_now))
  else
    echo $(((ranks * slots_now + slots_all - 1) / slots_all))
  fi
}

# Asks all hosts at once whether they answer and have the program, and writes the hostfile of those that do.
# Fails when none does, or, at the first start, when the others are too few.
choose_hosts() {
  [[ -n $hostfile ]] || return 0
  local i count=${#host_names[@]} slots=() left_out=0 asking=()
  for ((i = 0; i < count; i++)); do
    ask_host "${host_names[i]}" >"$scratch/host-$i" 2>&1 </dev/null &
    asking+=($!)
  done
  chosen_lines=()
  for ((i = 0; i < count; i++)); do
    if wait_for "${asking[i]}"; then
      chosen_lines+=("${host_lines[i]}")
      slots+=("${host_slots[i]}")
    else
      left_out=$((left_out + 1))
      say "${host_names[i]} is left out: $(why_left_out "$scratch/host-$i")"
    fi
  done
  ((${#chosen_lines[@]} > 0)) || return 1
  slots_now=$(sum_slots "${slots[@]}")
  printf '%s\n' "${chosen_lines[@]}" >"$scratch/hostfile"
  [[ $left_out -eq 0 || -n $was_started || $(ranks_now) -eq $ranks ]]
}

why_left_out() {
  local reason
  reason=$(grep -v '^[[:space:]]*$' "$1" | tail -n 1)
  echo "${reason:-it does not answer in $ask_seconds s}"
}

ask_seconds=10

# Whether the host answers, and has the program. Says why not.  ask_host NAME
ask_host() {
  local name=$1 agent test
  if is_this_host "${name#*@}"; then
    [[ -x $program ]] && return
    echo "there is no $program"
    return 1
  fi
  # As mpirun would reach it: the user's own ssh, with the user's own configuration and checks. Nobody is there to
  # answer a question, so a host that would ask one (a password, an unknown key) is one that does not answer.
  read -ra agent <<<"$(ssh_agent_command)"
  [[ ${agent[0]##*/} == ssh ]] && agent+=(-o BatchMode=yes -o ConnectTimeout=5)
  test=$(printf 'test -x %q || { echo there is no %q; exit 1; }' "$program" "$program")
  timeout -k 1 "$ask_seconds" "${agent[@]}" "$name" "$test"
}

ssh_agent_command() {
  local agent=${OMPI_MCA_plm_rsh_agent:-ssh}
  echo "${agent%%:*} ${OMPI_MCA_plm_rsh_args:-}"
}

# Whether a name is one of this host, as mpirun would find it.
is_this_host() {
  local name=$1 address own
  case $name in
    localhost | 127.* | ::1 | "$(hostname)") return 0 ;;
  esac
  own=" $(hostname -I 2>/dev/null) "
  for address in $(getent ahosts "$name" | cut -d ' ' -f 1 | sort -u); do
    [[ $own == *" $address "* || $address == 127.* ]] && return 0
  done
  return 1
}
