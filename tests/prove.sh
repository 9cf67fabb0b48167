#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The long forms of what shows that no connection is broken, one after the other; a table at the end.  Each
# prints what it finds, and lines "= WHAT | FOUND | WANTED | PASS or MISS".  ONLY="model sim" runs some of
# model sim oracle tables services unbroken stories frames bench.
set -u
cd "$(dirname "$0")/.." || exit 1
O=${O:-build}
export O LC_ALL=C
ONLY=${ONLY:-tables frames services bench model sim oracle unbroken stories}
log=$(mktemp) || exit 1
trap 'rm -f "$log" "$log.part" "$log.story"' EXIT
exec 9>/run/lock/shunt-tests.lock
flock 9

# figure WHAT FOUND WANTED STATUS, which is 0 when it is reached
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
}
sim() { "$O/tests/sim/sim" 9>&-; }
oracle() {
  "$O/tests/oracle/fuzz_oracle" 10000000 1 0 9>&-
  figure "packets that the path and its oracle differ about, of 10 M" "exit status $?" 0 $?
}

# at_most WHAT FOUND LIMIT [UNIT]; a figure that was not printed is missed.
at_most() {
  awk -v found="${2:-missing}" -v most="$3" 'BEGIN { exit !(found ~ /^[0-9.]+$/ && found + 0 <= most + 0) }'
  figure "$1" "${2:-not printed}${4:-}" "at most $3${4:-}" $?
}
tables() {
  local n
  "$O/tests/unit/test_maglev" >"$log.part" 2>&1
  figure "slot tables: all tests" "exit status $?" "exit status 0" $?
  for n in 100:1.002 1000:1.025; do
    at_most "imbalance of slots at ${n%:*} backends" \
      "$(sed -n "s/.*imbalance at ${n%:*}: //p" "$log.part")" "${n#*:}"
  done
  at_most "slots of others moved by the second of 100 that fails" \
    "$(sed -nE 's/.*a second failure moves ([0-9.]+)%.*/\1/p' "$log.part")" 0.3 " %"
}
services() {
  local times
  story limits "10,000 services" LONG=1
  times=$(sed -nE 's/^# ready after ([0-9]+) ms.*/\1/p' "$log.story")
  at_most "10,000 services: started" "$(sed -n 1p <<<"$times")" 5000 " ms"
  at_most "10,000 services: started again after a kill" "$(sed -n 2p <<<"$times")" 5000 " ms"
  at_most "idle with 100 checked backends, of a core" \
    "$(awk '/^# idle: / {print $3 / 1000}' "$log.story")" 1 " %"
  rm -f "$log.story"
}

# story NAME WHAT VARIABLE...: an end-to-end story in its long form, and its notes.
story() {
  local name=$1 what=$2 rc
  shift 2
  [ -e "tests/e2e/$name.sh" ] || return 0
  env "$@" bash "tests/e2e/$name.sh" >"$log.part" 2>&1 9>&-
  rc=$?
  grep -E '^# [^ ]|^not ok|^=' "$log.part"
  figure "$what" "$(grep -c '^ok' "$log.part") of $(grep -cE '^(not )?ok' "$log.part") checks" all "$rc"
  mv "$log.part" "$log.story"
}
unbroken() {
  story unbroken "5,000 real connections: changes, kills, floods" \
    CONNECTIONS=5000 PAUSE=4 REST=4 RATE=5000 TIMEOUT=10s
}
# What telling each other saves: of flows that a router moved.
saved() {
  local moved broken given rc
  read -r moved broken given < <(sed -nE \
    's/^# of ([0-9]+) flows that moved without peers ([0-9]+) broke, of ([0-9]+) with peers none$/\1 \2 \3/p' \
    "$log.story")
  [ "${moved:-0}" -gt 0 ] && [ "${broken:-0}" -gt 0 ]
  figure "  broken by a move between balancers without peers" "${broken:-?} of ${moved:-?}" more $?
  grep -q '^ok.* with peers none of them breaks' "$log.story" && [ "${given:-0}" -gt 0 ]
  rc=$?
  figure "  with peers" "$([ "$rc" -eq 0 ] && echo 0 || echo '?') of ${given:-?}" 0 "$rc"
}
stories() {
  story upgrade "upgrade of the program under load" LONG=1
  story peers "balancers that tell each other" LONG=1
  saved
  story rehash "changes of scheduler, source_prefix and affinity"
  story drain "drains" LONG=1
  story transition "transitions of TCP and UDP" LONG=1
}

frames() {
  local rc sent
  LIVE_FRAMES=${FRAMES:-10000000} "$O/tests/packet/test_dp_commit" >"$log.part" 2>&1 9>&-
  rc=$?
  grep -E '^# [0-9]|^\[  FAILED|rror' "$log.part"
  sent=$(sed -nE 's/^# ([0-9]+) frames, ([0-9]+ restarts, [0-9]+ growths), none lost$/\1/p' "$log.part")
  [ "$rc" -eq 0 ] && [ "${sent:-0}" -ge 10000000 ]
  rc=$?
  figure "frames lost by restarts, new programs and larger tables" \
    "$([ -n "$sent" ] && echo "0 of $sent" || echo "not 0")" "0 of 10000000" $rc
}

# What slots in transition cost, by the settled case of the same run.
bench() {
  FILTER=ipip-v4-tcp "$O/tests/bench/bench_shunt" 9>&- | tee "$log.part"
  sed -nE 's/^(PASS|MISS) +(.*changed.*[^ ]) +([0-9.]+) +\((.*)\)$/= bench: \2 | \3 | \4 | \1/p' "$log.part"
  grep -q changed "$log.part" || figure "bench: slots in transition" "not printed" all 1
}

for part in $ONLY; do
  printf '\n==== %s (%d s)\n' "$part" $SECONDS
  "$part" | tee -a "$log"
done
printf '\n==== what was found (%d s)\n' $SECONDS
grep '^= ' "$log" | awk -F ' [|] ' '{ sub(/^= /, "", $1); printf "%-70s %18s  %-14s %s\n", $1, $2, $3, $4 }'
! grep -q '| MISS$' "$log"
