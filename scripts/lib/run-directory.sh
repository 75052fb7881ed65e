# shellcheck shell=bash
# What a run directory tells about a training. Sourced; run_directory is the folder.

# The step of the last checkpoint; empty when there is none.
last_step() {
  local folder step last=
  for folder in "$run_directory"/checkpoints/step-*; do
    [[ -f $folder/state.json ]] || continue
    step=${folder##*/step-}
    [[ $step =~ ^[0-9]+$ ]] && last=$((10#$step))
  done
  echo "$last"
}

# Trainings that have come as far as their first step, so far.
begun() {
  local count
  count=$(grep -c 'Finish creating model!' "$run_directory/log.txt" 2>/dev/null)
  echo "${count:-0}"
}

# Whether the training has come as far as its first step since mark_begin.
mark_begin() { begun_before=$(begun); }
has_begun() { [[ $(begun) != "$begun_before" ]]; }
