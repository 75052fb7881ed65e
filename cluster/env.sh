# What a plain `mpirun -n 4 speakerid-dist` needs, to be sourced: . cluster/env.sh
# What is already set stays as it is.

# Open MPI refuses to start as root unless it is told so twice. No file can say it, only the environment.
if [ "$(id -u)" -eq 0 ]; then
  export OMPI_ALLOW_RUN_AS_ROOT="${OMPI_ALLOW_RUN_AS_ROOT:-1}"
  export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="${OMPI_ALLOW_RUN_AS_ROOT_CONFIRM:-1}"
fi

# More processes than cores are welcome; they then also make room for each other while they wait.
export OMPI_MCA_rmaps_base_oversubscribe="${OMPI_MCA_rmaps_base_oversubscribe:-1}"

# Open MPI binds each of one or two processes to one core, where all its threads would share that core.
export OMPI_MCA_hwloc_base_binding_policy="${OMPI_MCA_hwloc_base_binding_policy:-none}"

# The program, where `swift build -c release` puts it, and an mpirun that lets it save when it is stopped (bin/mpirun says
# how). (A shell that does not say where this file is has to be in the project's folder.)
_speakerid_file="${BASH_SOURCE:-cluster/env.sh}"
_speakerid_root="$(cd "$(dirname "$_speakerid_file")/.." && pwd)"
for _speakerid_bin in "$_speakerid_root/.build/release" "$_speakerid_root/cluster/bin"; do
  case ":$PATH:" in
    *":$_speakerid_bin:"*) ;;
    *) export PATH="$_speakerid_bin:$PATH" ;;
  esac
done
unset _speakerid_file _speakerid_root _speakerid_bin
