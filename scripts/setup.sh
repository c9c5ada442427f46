#!/usr/bin/env bash
# Makes sure that what a build needs is there, and does nothing where it is.
#
# usage: setup.sh           Swift, OpenBLAS, LAPACKE, SQLite, zlib, pkg-config; oneDNN where the processor has bf16
#        setup.sh python    Python, with a virtual environment in .venv
#        setup.sh peers     the same in .peers-venv, with the pinned packages of benchmarks/peers
#        setup.sh interop   the same in .interop-venv, with those of benchmarks/interop
#        setup.sh slurm     Slurm's daemons and commands, for a cluster of one node on this machine
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  printf 'setup: %s\n' "$1" >&2
  exit 1
}

# install WHAT PACKAGE...: through apt; elsewhere an error that says what is missing.
install() {
  local what=$1 as_root=()
  shift
  command -v apt-get >/dev/null || fail "$what is missing, and this machine has no apt to install it with.
Fedora: openblas-devel lapack-devel sqlite-devel zlib-devel pkgconf-pkg-config python3. Arch: openblas lapacke sqlite
zlib pkgconf python. macOS: brew install openblas pkgconf python (SQLite and zlib are there), and PKG_CONFIG_PATH=\$(brew --prefix openblas)/lib/pkgconfig."
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "$what is missing; as root: apt-get install $*"
    as_root=(sudo)
  fi
  printf 'setup: %s is missing; installing %s\n' "$what" "$*"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"
}

need_swift() {
  local found major minor
  command -v swift >/dev/null || fail "swift: expected 6.2 or later, found none; see https://www.swift.org/install"
  found=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p')
  IFS=. read -r major minor <<<"$found"
  [ "${major:-0}" -gt 6 ] || { [ "${major:-0}" -eq 6 ] && [ "${minor:-0}" -ge 2 ]; } ||
    fail "swift: expected 6.2 or later, found ${found:-an unknown version}; see https://www.swift.org/install"
}

# The very headers and libraries that the target COpenBLAS names, through the compiler that comes with Swift.
has_blas() {
  local flags
  flags=$(pkg-config --cflags --libs openblas 2>/dev/null) || return 1
  # shellcheck disable=SC2086  # the flags are words
  printf '#include <cblas.h>\n#include <lapacke.h>\nint main(void) { return LAPACKE_get_nancheck() < 0; }\n' |
    clang -x c - $flags -llapacke -o /dev/null 2>/dev/null
}

# The header and library that the package GRDB names.
has_sqlite() {
  printf '#include <sqlite3.h>\nint main(void) { return sqlite3_libversion_number() < SQLITE_VERSION_NUMBER; }\n' |
    clang -x c - -lsqlite3 -o /dev/null 2>/dev/null
}

# The header and library that the target CZlib names.
has_zlib() {
  printf '#include <zlib.h>\nint main(void) { return inflateEnd(0) == Z_OK; }\n' | clang -x c - -lz -o /dev/null 2>/dev/null
}

# Whether the processor multiplies bfloat16, as Linux lists it.
has_bf16() {
  grep -m1 -E '^(flags|Features)' /proc/cpuinfo 2>/dev/null | grep -qwE 'avx512_bf16|amx_bf16|bf16'
}

# The header and library that the target COneDNN loads.
has_onednn() {
  printf '#include <dnnl.h>\nint main(void) { return !dnnl_version(); }\n' | clang -x c - -ldnnl -o /dev/null 2>/dev/null
}

# oneDNN makes --precision bf16 fast. Nothing else needs it, so its absence is no error.
try_onednn() {
  if has_onednn; then return; fi
  if ! (command -v apt-get >/dev/null && install "oneDNN" libdnnl-dev); then
    printf 'setup: oneDNN is missing (Fedora: onednn-devel, Arch: onednn); --precision bf16 will be slow\n' >&2
    return
  fi
  # The build system does not notice a header that was not there.
  touch Sources/COneDNN/onednn.c
}

has_slurm() {
  local program
  for program in slurmctld slurmd sbatch squeue scontrol; do
    command -v "$program" >/dev/null || return 1
  done
}

has_venv() {
  python3 -c 'import ensurepip, venv' 2>/dev/null
}

# make_venv FOLDER: a Python virtual environment there.
make_venv() {
  [ -x "$1/bin/pip" ] && return
  has_venv || install "Python's venv" python3-venv
  python3 -m venv "$1"
}

case "${1:-}" in
"")
  need_swift
  has_blas || install "OpenBLAS with LAPACKE" libopenblas-dev liblapacke-dev pkg-config
  has_blas || fail "OpenBLAS with LAPACKE: still not found by 'pkg-config openblas' and clang"
  ! has_bf16 || try_onednn
  has_sqlite || install "SQLite" libsqlite3-dev
  has_sqlite || fail "SQLite: still not found by clang as sqlite3.h and -lsqlite3"
  has_zlib || install "zlib" zlib1g-dev
  has_zlib || fail "zlib: still not found by clang as zlib.h and -lz"
  ;;
python)
  make_venv .venv
  ;;
slurm)
  has_slurm || install "Slurm" slurmctld slurmd slurm-client
  has_slurm || fail "Slurm: still no slurmctld, slurmd, sbatch, squeue and scontrol on the path"
  ;;
peers | interop)
  venv=.$1-venv
  make_venv "$venv"
  for path in "benchmarks/$1"/requirements*.txt; do
    list=$(basename "$path")
    cmp -s "$path" "$venv/$list" && continue
    printf 'setup: installing %s\n' "$path"
    if "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$path"; then
      cp "$path" "$venv/"
    elif [ "$list" = requirements-llama.txt ]; then
      printf 'setup: llama.cpp did not build here; its comparison is left out\n' >&2
    else
      fail "the packages of $path could not be installed"
    fi
  done
  ;;
*)
  printf 'usage: setup.sh [python | peers | interop | slurm]\n' >&2
  exit 2
  ;;
esac
