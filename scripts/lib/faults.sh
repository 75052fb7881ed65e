# shellcheck shell=bash
# Random faults, one after another, on trainings that cluster/run restarts. Sourced, after training.sh.

# Fills the file system of a folder.
fill() { dd if=/dev/zero of="$1/filler" bs=64k status=none 2>/dev/null || true; }
