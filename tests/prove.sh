#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The long forms of what shows that no connection is broken, one after the other; a table at the end.  Each
# prints what it finds, and lines "= WHAT | FOUND | WANTED | PASS or MISS".  ONLY="model sim" runs some.
set -u
cd "$(dirname "$0")/.." || exit 1
O=${O:-build}
export O LC_ALL=C
ONLY=${ONLY:-model sim oracle unbroken stories frames bench}
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
exec 9>/run/lock/shunt-tests.lock
flock 9

# figure WHAT FOUND WANTED STATUS
figure() { printf '= %s | %s | %s | %s\n' "$1" "$2" "$3" "$([ "$4" -eq 0 ] && echo PASS || echo MISS)"; }

model() {
  local rc
  "$O/tests/model/model" long | tee "$log.part"
  rc=${PIPESTATUS[0]}
  figure "model: states in which every promise holds" \
    "$(grep -oE '[0-9]+ states' "$log.part" | awk '{ n += $1 } END { print n }')" all "$rc"
  "$O/tests/model/model" mutants | tee "$log.part"
  rc=${PIPESTATUS[0]}
  figure "model: rules without each of which a connection breaks" "$(grep -c '^ok' "$log.part") of $(wc -l <"$log.part")" all "$rc"
  rm -f "$log.part"
}
sim() { "$O/tests/sim/sim" 9>&-; }
oracle() {
  "$O/tests/oracle/fuzz_oracle" 10000000 1 0 9>&-
  figure "packets that the path and its oracle differ about, of 10 M" "exit status $?" 0 $?
}

# story NAME WHAT VARIABLE...: an end-to-end story in its long form, and its notes.
story() {
  local name=$1 what=$2 rc
  shift 2
  [ -e "tests/e2e/$name.sh" ] || return 0
  env "$@" bash "tests/e2e/$name.sh" >"$log.part" 2>&1 9>&-
  rc=$?
  grep -E '^# [a-z]+:|^not ok|^=' "$log.part"
  figure "$what" "$(grep -c '^ok' "$log.part") of $(grep -cE '^(not )?ok' "$log.part") checks" all "$rc"
  rm -f "$log.part"
}
unbroken() {
  story unbroken "5,000 real connections: changes, kills, floods" \
    CONNECTIONS=5000 PAUSE=4 REST=4 RATE=5000 TIMEOUT=10s
}
stories() {
  story upgrade "upgrade of the program under load" LONG=1
  story peers "balancers that tell each other" LONG=1
  story drain "drains" LONG=1
  story transition "transitions of TCP and UDP" LONG=1
}

frames() {
  local rc
  LIVE_FRAMES=10000000 "$O/tests/packet/test_dp_commit" >"$log.part" 2>&1 9>&-
  rc=$?
  grep '^# ' "$log.part"
  figure "frames lost by restarts and growth of tables, of 10 M" "exit status $rc" 0 $rc
  rm -f "$log.part"
}

# What slots in transition cost, by the settled case of the same run.
bench() {
  FILTER=ipip-v4-tcp "$O/tests/bench/bench_shunt" 9>&- | tee "$log.part"
  sed -nE 's/^(PASS|MISS) +(.*changed.*[^ ]) +([0-9.]+) +\((.*)\)$/= bench: \2 | \3 | \4 | \1/p' "$log.part"
  rm -f "$log.part"
}

for part in $ONLY; do
  printf '\n==== %s (%d s)\n' "$part" $SECONDS
  "$part" | tee -a "$log"
done
printf '\n==== what was found (%d s)\n' $SECONDS
grep '^= ' "$log" | awk -F ' [|] ' '{ sub(/^= /, "", $1); printf "%-70s %18s  %-14s %s\n", $1, $2, $3, $4 }'
! grep -q '| MISS$' "$log"
