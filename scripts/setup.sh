#!/usr/bin/env bash
# Makes sure that everything the build needs is there, and installs what is missing (Debian, Ubuntu).
# When nothing is missing it changes nothing and asks nothing of the network.
set -euo pipefail

fail() {
  echo "setup: $*" >&2
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# What is missing, as Debian calls it. Asked for by what it does, so that other installations count too.
missing=()
has pkg-config || missing+=(pkg-config)
library() { has pkg-config && pkg-config --exists "$1"; }
library ompi-c || missing+=(libopenmpi-dev)
library openblas || missing+=(libopenblas-dev)
library zlib || missing+=(zlib1g-dev)
library sndfile || missing+=(libsndfile1-dev)
library libmpg123 || missing+=(libmpg123-dev)
has mpirun || missing+=(openmpi-bin)
has ssh || missing+=(openssh-client)  # mpirun looks for it, also on one machine

if [ "${#missing[@]}" -gt 0 ]; then
  has apt-get || fail "missing ${missing[*]}, and no apt-get to install them with: install them by hand"
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    has sudo || fail "missing ${missing[*]}, and no sudo to install them with: have root install them"
    as_root=(sudo)
  fi
  echo "setup: installing ${missing[*]}"
  install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}")
  # The package lists may be old or not there; ask for new ones only then.
  "${as_root[@]}" "${install[@]}" >/dev/null 2>&1 \
    || { "${as_root[@]}" apt-get update -q && "${as_root[@]}" "${install[@]}"; } \
    || fail "apt-get could not install ${missing[*]}: is there a network?"
fi

# 6.3, because exit tests capture values.
has swift || fail "no swift in the PATH: install a Swift toolchain, 6.3 or newer, from swift.org/install"
version="$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)"
[ -n "$version" ] || fail "swift is there, but 'swift --version' fails: see what it says"
[ "$(printf '%s\n6.3\n' "$version" | sort -V | head -n 1)" = 6.3 ] \
  || fail "swift $version is too old: install 6.3 or newer from swift.org/install"
