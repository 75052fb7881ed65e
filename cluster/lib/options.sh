# The command line of cluster/run, and of the program it runs. Sourced.

parse_options() {
  ranks= hostfile= max_restarts=3 continues= interfaces= grace=25 dry_run=
  while [[ $# -gt 0 ]]; do
    case $1 in
      -n | -np) need "$@" && ranks=$(number "$1" "$2" 1) && shift 2 ;;
      --hostfile) need "$@" && hostfile=$2 && shift 2 ;;
      --max-restarts) need "$@" && max_restarts=$(number "$1" "$2" 0) && shift 2 ;;
      --continue) continues=yes && shift ;;
      --interfaces) need "$@" && interfaces=$2 && shift 2 ;;
      --grace) need "$@" && grace=$(number "$1" "$2" 1) && shift 2 ;;
      --dry-run) dry_run=yes && shift ;;
      -h | --help) show_help && exit 0 ;;
      --) shift && break ;;
      *) fail 64 "unknown option '$1': the arguments of speakerid-dist come after --; see cluster/run --help" ;;
    esac || exit 64
  done
  [[ -n $ranks ]] || fail 64 "expected -n N, the number of processes; see cluster/run --help"
  arguments=("$@")
}

show_help() { sed -n '2,/^$/s/^# \{0,1\}//p' "$here/run"; }

need() { [[ $# -ge 2 ]] || fail 64 "$1: expected a value after it"; }

# The value of an option that is a whole number of at least MINIMUM.  number OPTION VALUE MINIMUM
number() {
  [[ $2 =~ ^[0-9]{1,6}$ && $((10#$2)) -ge $3 ]] || fail 64 "$1: expected a whole number of at least $3, found '$2'"
  echo $((10#$2))
}

# The program by its full path, as the other hosts are asked for the same. env.sh has put the build on PATH.
find_program() {
  mpirun=${MPIRUN:-mpirun}
  command -v "$mpirun" >/dev/null || fail 69 "there is no '$mpirun' on PATH: install Open MPI (openmpi-bin)"
  program=$(command -v "${PROGRAM:-speakerid-dist}") ||
    fail 69 "there is no '${PROGRAM:-speakerid-dist}' on PATH or in .build/release: 'swift build -c release' makes it"
  program=$(realpath "$program")
}

# Looks at what is to be run: whether it is a training, into which folder, and whether a run is there already.
read_arguments() {
  local word count=${#arguments[@]} i
  is_training=yes run_directory= resumes=
  for ((i = 0; i < count; i++)); do
    word=${arguments[i]}
    case $word in
      --run) run_directory=${arguments[i + 1]:-} && i=$((i + 1)) ;;
      --run=*) run_directory=${word#--run=} ;;
      --resume) resumes=yes ;;
      # What only tells something is run once.
      --dry-run | --help | -h | --help-config | --version) is_training= ;;
      --config | --set | --data | --weights | --threads) i=$((i + 1)) ;;
      -*) ;;
      train) ;;
      *) ((i == 0)) && is_training= ;;
    esac
  done
  # Only a training has something to go on from.
  if [[ -z $is_training ]]; then
    max_restarts=0
  elif [[ -z $run_directory ]]; then
    run_directory=runs/$(date +%Y%m%d-%H%M%S)
    [[ ${arguments[0]:-} == train ]] || arguments=(train "${arguments[@]}")
    arguments+=(--run "$run_directory")
    say "the run directory is $run_directory"
  fi
  found_run=
  has_run && found_run=yes
}
