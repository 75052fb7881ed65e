# shellcheck shell=bash
# Test hosts: network namespaces with a name, an address and an sshd of their own, joined by a bridge in a namespace
# of its own; nothing of it touches the machine's network. Sourced; W is a scratch folder. Hosts are numbered from 1.

host_network=10.77.0
namespace() { echo "sid$$-h$1"; }
switch="sid$$-switch"

# Says why hosts cannot be made here, and fails.
hosts_possible() {
  local tool
  [[ $(id -u) -eq 0 ]] || { echo "network namespaces need root" && return 1; }
  for tool in ip tc ssh ssh-keygen /usr/sbin/sshd; do
    command -v "$tool" >/dev/null || { echo "there is no $tool (iproute2, openssh-server, openssh-client)" && return 1; }
  done
  ip netns add "$switch" 2>"$W/why" || { echo "no network namespace can be made: $(tail -n 1 "$W/why")" && return 1; }
  ip -n "$switch" link add bridge type bridge 2>"$W/why" ||
    { echo "no bridge can be made: $(tail -n 1 "$W/why")" && return 1; }
}

# Starts hosts 1 to N.  hosts_up N
hosts_up() {
  local host
  hosts=$1
  [[ -d /run/sshd ]] || { mkdir /run/sshd && made_run_sshd=yes; }
  ip -n "$switch" link set lo up
  ip -n "$switch" link set bridge up
  ssh-keygen -q -t ed25519 -N '' -f "$W/host_key"
  ssh-keygen -q -t ed25519 -N '' -f "$W/user_key"
  cp "$W/user_key.pub" "$W/authorized_keys"
  echo "127.0.0.1 localhost" >"$W/hosts"
  for ((host = 1; host <= hosts; host++)); do
    echo "$host_network.$host h$host" >>"$W/hosts"
    echo "h$host,$host_network.$host $(cut -d ' ' -f 1-2 "$W/host_key.pub")" >>"$W/known_hosts"
    echo "h$host slots=1" >>"$W/hostfile"
  done
  # The user's own ssh as it should be: the hosts' keys are known, and checked.
  cat >"$W/ssh_config" <<END
Host *
  IdentityFile $W/user_key
  IdentitiesOnly yes
  UserKnownHostsFile $W/known_hosts
  StrictHostKeyChecking yes
  User root
END
  for ((host = 1; host <= hosts; host++)); do host_up "$host"; done
  for ((host = 1; host <= hosts; host++)); do wait_until 10 answers "$host" || return 1; done
}

host_up() {
  local space
  space=$(namespace "$1")
  ip netns add "$space"
  mkdir -p "/etc/netns/$space"
  cp "$W/hosts" "/etc/netns/$space/hosts"
  ip link add eth0 netns "$space" type veth peer name "port$1" netns "$switch"
  ip -n "$switch" link set "port$1" master bridge up
  ip -n "$space" link set lo up
  ip -n "$space" link set eth0 up
  ip -n "$space" addr add "$host_network.$1/24" dev eth0
  cat >"$W/sshd_$1.conf" <<END
Port 22
ListenAddress $host_network.$1
HostKey $W/host_key
PidFile none
AuthorizedKeysFile $W/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
MaxStartups 100
END
  to_host "$1"
  "${on[@]}" /usr/sbin/sshd -D -e -f "$W/sshd_$1.conf" >"$W/sshd_$1.log" 2>&1 </dev/null &
  # Its end is nothing to report.
  disown $!
}

answers() {
  to_host 1
  "${on[@]}" timeout 2 ssh -F "$W/ssh_config" "h$1" true 2>/dev/null </dev/null
}

# The words that run a command on a host, in `on`, as a simple command, whose process is then that of the command.
# to_host HOST
to_host() {
  # shellcheck disable=SC2016
  on=(ip netns exec "$(namespace "$1")" unshare --uts sh -c 'hostname "h$0"; exec "$@"' "$1")
}

# The processes of a host, but for its sshd.  processes HOST [NAME]
processes() {
  local pid name
  for pid in $(ip netns pids "$(namespace "$1")" 2>/dev/null); do
    name=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
    # A process that has ended, and whose parent has not looked, is not left behind.
    [[ $(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) == Z* ]] && continue
    [[ -n ${2:-} && $name != "$2" ]] || [[ $name == sshd ]] || echo "$pid"
  done
}

# Links: the rate of all of them, in both directions; and whether a host is reached.
shape() {
  local host
  for ((host = 1; host <= hosts; host++)); do
    tc -n "$(namespace "$host")" qdisc replace dev eth0 root tbf rate "$1" burst 128kb latency 50ms
    tc -n "$switch" qdisc replace dev "port$host" root tbf rate "$1" burst 128kb latency 50ms
  done
}

unshape() {
  local host
  for ((host = 1; host <= hosts; host++)); do
    tc -n "$(namespace "$host")" qdisc del dev eth0 root
    tc -n "$switch" qdisc del dev "port$host" root
  done
}

unplug() { ip -n "$switch" link set "port$1" down; }
plug() { ip -n "$switch" link set "port$1" up; }

# Ends what runs on the hosts, and removes them.
hosts_down() {
  local host space pid
  for ((host = 1; host <= ${hosts:-0}; host++)); do
    space=$(namespace "$host")
    for pid in $(ip netns pids "$space" 2>/dev/null); do kill -KILL "$pid" 2>/dev/null; done
    ip netns del "$space" 2>/dev/null
    rm -rf "/etc/netns/$space"
  done
  ip netns del "$switch" 2>/dev/null
  rmdir /etc/netns 2>/dev/null
  [[ -z ${made_run_sshd:-} ]] || rmdir /run/sshd 2>/dev/null
}

# Asks a condition again and again.  wait_until SECONDS COMMAND...
wait_until() {
  local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
  shift
  until "$@"; do
    ((${EPOCHREALTIME/./} < end)) || return 1
    sleep 0.1
  done
}
