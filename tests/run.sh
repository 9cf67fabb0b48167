#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs test groups and counts their cases: tests/run.sh GROUP|GROUP/NAME...   (lint unit packet e2e)
#
# lint is tests/lint/run.sh, unit and packet are cmocka binaries in $O, e2e are scripts in tests/e2e;
# all speak TAP.  A program that crashes, hangs, stops before its plan is done or prints no case
# counts as failed.  Exit 77 skips a script; the reason is its last line.  LIMIT is the time limit
# of one program in seconds.  JOBS is how many run at a time, 1 if not given; each of several has
# network and mount namespaces, a bpffs and a /run of its own.  What fails beside others is run again by
# itself when its group has ended, and that run counts: several at a time is to save time, not to ask for
# faster machines.  Both runs are printed, and the sum names those that failed only in company.
# The last line is always "N passed, N failed, N skipped"; exit 1 when anything failed.
set -u
cd "$(dirname "$0")/.." || exit 1
O=${O:-build}
LIMIT=${LIMIT:-240}
JOBS=${JOBS:-1}
export O CMOCKA_MESSAGE_OUTPUT=TAP LC_ALL=C
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

passed=0 failed=0 skipped=0
outs=$(mktemp -d) || exit 1
declare -A running=() # the program's name by the process id of what runs it
declare -A command=() # what was started, by name; the words of it contain no spaces
again=() unsteady=()  # failed beside others; and passed alone

end() {
  rm -rf "$outs"
  [ ${#unsteady[@]} -eq 0 ] || echo "failed beside others, passed alone: ${unsteady[*]}"
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
  exit
}
interrupted() {
  # timeout has a process group of its own and passes the signal on to all of it.
  for child in "${!running[@]}"; do kill -TERM "$child" && wait "$child"; done
  echo "interrupted"
  failed=$((failed + 1))
  end
}
trap interrupted INT TERM HUP

# count FILE: sets p, f, s and reasons from the TAP in FILE.
count() {
  local line planned=0 seen=0 plans=0
  p=0 f=0 s=0 reasons=()
  while IFS= read -r line; do
    case $line in
    1..0*) plans=$((plans + 1)) s=$((s + 1)) reasons+=("skipped:${line#*SKIP}") ;;
    1..[1-9]*) line=${line#1..} plans=$((plans + 1)) planned=$((planned + ${line%%[!0-9]*})) ;;
    "ok "*"# SKIP"* | "not ok "*"# SKIP"*)
      s=$((s + 1)) seen=$((seen + 1)) reasons+=("skipped:${line##*# SKIP}") ;;
    "ok "*) p=$((p + 1)) seen=$((seen + 1)) ;;
    "not ok "*) f=$((f + 1)) seen=$((seen + 1)) ;;
    esac
  done <"$1"
  if [ "$planned" -ne "$seen" ]; then
    f=$((f + 1)) reasons+=("failed: planned $planned cases, printed $seen")
  elif [ "$plans" -eq 0 ]; then
    f=$((f + 1)) reasons+=("failed: printed no plan and no case")
  fi
}

# A program of several at a time has its own of all that another could be in the way of.
alone=()
if [ "$JOBS" -gt 1 ] && [ "$(id -u)" -eq 0 ]; then
  # shellcheck disable=SC2016 # its own arguments
  alone=(unshare --mount --net --propagation private bash -c '
    mount -t tmpfs tmpfs /run && mkdir -p /run/lock /run/netns /run/shunt &&
      mount -t sysfs sysfs /sys && mount -t bpf bpf /sys/fs/bpf && ip link set lo up || exit 1
    mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
    mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
    exec "$@"' alone)
else
  JOBS=1
fi

# start NAME COMMAND: one program, when there is a place for it. What it prints goes to $outs/PID.
start() {
  local name=$1 child
  shift
  while [ ${#running[@]} -ge "$JOBS" ]; do next; done
  (
    out=$outs/$BASHPID begun=${EPOCHREALTIME/[.,]/} child=
    trap 'kill -TERM $child; wait $child' TERM
    timeout -k 20 "$LIMIT" "${alone[@]}" "$@" >"$out" 2>&1 </dev/null 9>&- &
    child=$!
    wait $child
    rc=$?
    echo "$rc $LIMIT $(((${EPOCHREALTIME/[.,]/} - begun) / 1000))" >"$out.end"
  ) &
  running[$!]=$name command[$name]=$*
}

# Waits for the end of a program, reports it.
next() {
  local child
  wait -n -p child "${!running[@]}"
  report "${running[$child]}" "$outs/$child"
  unset "running[$child]"
}

all_ended() {
  local jobs=$JOBS name before
  while [ ${#running[@]} -gt 0 ]; do next; done
  JOBS=1
  for name in "${again[@]}"; do
    before=$failed
    # shellcheck disable=SC2086 # its words
    start "$name" ${command[$name]}
    next
    [ "$failed" -gt "$before" ] || unsteady+=("$name")
  done
  again=() JOBS=$jobs
}

# report NAME OUT: one line, and everything it printed when it failed.
report() {
  local name=$1 out=$2 rc limit ms word=ok
  read -r rc limit ms <"$out.end"
  if [ "$rc" -eq 77 ]; then
    p=0 f=0 s=1 reasons=("skipped: $(tail -n 1 "$out")")
  else
    count "$out"
    if [ "$rc" -eq 124 ] || [ "$rc" -eq 137 ]; then
      f=$((f + 1)) reasons+=("failed: stopped after $limit s")
    elif [ "$rc" -ne 0 ] && [ $f -eq 0 ]; then
      f=$((f + 1)) reasons+=("failed: exit status $rc without a failed case")
    fi
  fi
  [ $f -gt 0 ] && word=FAIL
  [ $word = FAIL ] && [ "$JOBS" -gt 1 ] && [ "$name" != lint ] && word=again
  [ $((p + f)) -eq 0 ] && word=skip
  printf '%-5s %-34s %4d passed %3d failed %3d skipped %4d.%03d s\n' \
    $word "$name" $p $f $s $((ms / 1000)) $((ms % 1000))
  [ $f -gt 0 ] && sed 's/^/      | /' "$out"
  [ ${#reasons[@]} -gt 0 ] && printf '      %s\n' "${reasons[@]}"
  rm -f "$out" "$out.end"
  if [ $word = again ]; then again+=("$name"); return; fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

fail() {
  echo "FAIL  $*"
  failed=$((failed + 1))
}

# Packet and e2e tests own the machine's XDP, pins and CPUs while they run.
lock() {
  exec 9>/run/lock/shunt-tests.lock
  flock -n 9 && return
  echo "waiting for another test run on this machine to end"
  flock 9
}

binaries() {
  local source any=0
  for source in tests/"$1"/test_*.c; do
    [ -e "$source" ] || continue
    source=${source%.c}
    # shellcheck disable=SC2053 # a pattern
    [[ ${source#tests/} == $2 ]] || continue
    any=1
    start "${source#tests/}" "$O/$source"
  done
  [ $any -eq 1 ] || fail "$2: no such test"
}

scripts() {
  local script any=0
  for script in tests/e2e/*.sh; do
    { [ -e "$script" ] && [ "${script##*/}" != lib.sh ]; } || continue
    # shellcheck disable=SC2053 # a pattern
    [[ ${script#tests/} == $1.sh ]] || continue
    any=1
    script=${script%.sh}
    start "${script#tests/}" bash "$script.sh"
  done
  [ $any -eq 1 ] || fail "$1: no such test"
}

[ $# -gt 0 ] || set -- lint unit packet e2e
for group; do
  pattern=$group
  [[ $group == */* ]] || pattern="$group/*"
  group=${group%%/*}
  if [ "$group" = packet ] || [ "$group" = e2e ]; then
    if [ "$(id -u)" -ne 0 ]; then
      fail "$group: needs root (network namespaces and BPF): sudo make check-$group"
      continue
    fi
    lock
  fi
  case $group in
  lint) LIMIT=$((LIMIT * 5)) start lint tests/lint/run.sh ;;
  unit | packet) binaries "$group" "$pattern" ;;
  e2e) scripts "$pattern" ;;
  *) fail "$group: no such group; there are lint, unit, packet and e2e" ;;
  esac
  all_ended
done
end
