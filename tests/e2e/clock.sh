#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A wall clock that jumps by days: no connection, check, drain or age minds.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
faketime=$(find /usr/lib /usr/lib64 -name libfaketime.so.1 2>/dev/null | head -n 1)
[ -n "$faketime" ] || skip_all "libfaketime is not here"
ldd "$O/shuntd" | grep -q libasan && skip_all "a sanitizer wants to be the first library"
stage 2
companion
for n in 1 2; do
  start "hold$n" b$n "$python" "$E2E/hold.py" serve b$n 7000
  wait_for 5 on b$n "$python" "$E2E/hold.py" ask 127.0.0.1 7000 1
done
# shellcheck disable=SC2034 # of shuntd_start
SHUNTD_ENV=(LD_PRELOAD="$faketime" FAKETIME_TIMESTAMP_FILE="$W/clock" FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1)
clock() { echo "$1" >"$W/clock.new" && mv "$W/clock.new" "$W/clock"; } # it is read at any moment
clock +0d
backends4 1 2 >"$W/b"
config <<END
services:
$(service echo tcp $VIP4 7000 "forward: dsr" "$FAST_TCP" "backends_file: b")
END
running 2
start held client "$python" "$E2E/hold.py" run $VIP4 7000 40 "$W/held"
wait_for 5 test -s "$W/held"
cp "$W/held" "$W/before"
kept() { sleep 1 && diff "$W/before" "$W/held"; }
# Ages that the daemon tells, in milliseconds, are all of the last minutes.
sane() {
  shunt backends --json |
    jq -e '[.backends[] | .health_age_ms, .idle_ms, .quiet_ms | numbers] | all(. < 600000) and length >= 2'
}
drains() { shunt backends --json | jq -r '.backends[] | select(.name == "b1").drain'; }
check "connections are held" kept
check "b1 is drained" shunt drain echo b1 --deadline 1h
clock +30d
shunt enable echo b1 >/dev/null && shunt drain echo b1 --deadline 1h >/dev/null
span() { shunt history echo b1 --json | jq '[.. | .time_ms? // empty] | (max - min) / 86400000 | floor'; }
is "the daemon's clock is what it is set to" "$(span)" 30
for jump in +3d -3d +1000d -1000d; do
  clock $jump
  check "$jump: no connection breaks" kept
  is "the drain goes on" "$(drains)" going
  check "nobody's age is another" sane
done
stop hold2 KILL
check "a backend that dies is found out all the same" wait_for 5 is_state echo b2 down
finish
