#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make bench-health: how long a backend that drops everything without a word still gets new connections: 500
# a second to four backends, no active check, passive checks as they are by default. From the moment when
# it falls silent to the last SYN that it is sent, and to when the daemon says that it is out.
# shellcheck source-path=SCRIPTDIR/../e2e
. "$(dirname "$0")/../e2e/lib.sh"
ROUNDS=${ROUNDS:-3}
LIMIT_MS=2000
stage 4
companion
for n in 1 2 3 4; do web $n; done
backends4 1 2 3 4 >"$W/web.backends"
config <<END
services:
$(service web tcp $VIP4 80 "forward: dsr" "check: none" "passive: { action: down, hold: 1s }" "backends_file: web.backends")
END
shuntd_start || exit 1
wait_for 5 all_up 4
start events lb "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" events --follow --json
start connects client "$python" "$E2E/connects.py" $VIP4 80 500 600

# When the last event said that web/b2 is what $1; milliseconds since 1970.
said() { jq -se "[.[] | select(.backend == \"b2\" and .to == \"$1\") | .time_ms] | last // 0" "$W/events.log"; }
said_since() { [ "$(said "$1")" -ge "$2" ]; }

worst=0
for round in $(seq "$ROUNDS"); do
  sleep 7 # a window without a trace of what was before
  died=$(now_ms)
  on b2 ip addr del $VIP4/32 dev lo
  wait_for 30 said_since down "$died" || { echo "bench: the silent backend was not found" && exit 1; }
  took=$(($(said down) - died))
  [ $took -gt $worst ] && worst=$took
  why=$(shunt history web b2 --json | jq -r '.history[0].reason')
  printf 'round %d: out after %d ms: %s\n' "$round" "$took" "$why"
  address b2 lo $VIP4/32
  wait_for 60 is_state web b2 up
done
printf '%-58s %6d ms  (at most %d)\n' "a silent backend of four, 500 connections/s, no check" $worst $LIMIT_MS
[ $worst -le $LIMIT_MS ]
