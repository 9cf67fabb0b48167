#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs tests under other kernels: tests/kernels/run.sh KERNEL... [-- TEST...]
#
# A KERNEL is a Debian suite with an optional package (bookworm, bookworm-backports, sid:linux-image-rt-amd64)
# or a directory that fetch.sh filled; what was fetched stays in $O/kernels until "make clean".  A TEST is
# what tests/run.sh takes.  Each kernel boots once, in qemu, and runs all of them; without KVM they are ten
# to thirty times slower, hence SLOW, by which the stories' patience is multiplied.
# LIMIT is that of one test and TIME that of one kernel in seconds.
# The last line is always "N passed, N failed, N skipped"; exit 1 when anything failed.
set -u
cd "$(dirname "$0")/../.." || exit 1
O=${O:-build}
LIMIT=${LIMIT:-600} TIME=${TIME:-3600} SLOW=${SLOW:-5}
MANY=${MANY:-300} # connections of the story of NAT
export O LIMIT TIME SLOW MANY
passed=0 failed=0 skipped=0

missing() {
  local tool
  for tool in qemu-system-x86_64 busybox cpio modprobe depmod; do
    PATH=$PATH:/usr/sbin command -v $tool >/dev/null || echo $tool
  done | xargs
}

end() {
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
  exit
}

fail() {
  echo "FAIL  $*"
  failed=$((failed + 1))
}

# unpacked KERNEL: the directory where it is.
unpacked() {
  local dir=$O/kernels/${1//[:\/]/-}
  [ -e "$1/version" ] && echo "$1" && return
  if [ ! -e "$dir/version" ]; then
    rm -rf "$dir"
    tests/kernels/fetch.sh "$dir" "$1" >"$out" 2>&1 || { cat "$out" >&2 && return 1; }
  fi
  echo "$dir"
}

under() {
  local dir counts p f s
  dir=$(unpacked "$1") || { fail "$1: no such kernel to be had" && return; }
  echo "==== Linux $(cat "$dir/version") ($1)"
  PATH=$PATH:/usr/sbin tests/kernels/boot.sh "$dir" tests/run.sh "${tests[@]}" >"$out" 2>&1 &
  child=$!
  wait $child
  child=
  sed '$d' "$out"
  counts=$(tail -n 1 "$out" | sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p')
  [ -n "$counts" ] || { tail -n 1 "$out" && fail "$1: did not come to an end" && return; }
  read -r p f s <<<"$counts"
  echo "      $p passed, $f failed, $s skipped under Linux $(cat "$dir/version")"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

kernels=() tests=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do kernels+=("$1") && shift; done
[ $# -eq 0 ] || shift
tests=("$@")
[ ${#kernels[@]} -gt 0 ] || kernels=(bookworm)
[ ${#tests[@]} -gt 0 ] || tests=(packet e2e)
out=$(mktemp) || exit 1
child=
trap 'rm -f "$out"; [ -z "$child" ] || kill "$child"' EXIT
trap 'exit 130' INT TERM HUP
lacking=$(missing)
if [ -n "$lacking" ]; then
  fail "missing: $lacking (apt-get install qemu-system-x86 busybox-static cpio kmod)"
  end
fi
for kernel in "${kernels[@]}"; do under "$kernel"; done
end
