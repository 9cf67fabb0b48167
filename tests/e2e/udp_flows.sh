#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# UDP flows by maglev: tracked, they keep their backend when others come and go; stateless, they do not; and
# in either case a dead backend's flows move at once.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 4
companion && decap 1 2 3 4
for n in 1 2 3 4; do web $n && udp $n 5000; done
CHECK="check: { type: http, path: /healthz, port: 80, interval: 250ms, timeout: 240ms, rise: 2, fall: 5 }"
backends4 1 2 3 >"$W/b"
configured() { # LINE...: of the tracked service
  config <<END
services:
$(service tracked udp $VIP4 5000 "forward: ipip" "flow_timeout: 2s" "$CHECK" "backends_file: b" "$@")
$(service stateless udp $VIP6 5000 "forward: ipip" "flow_timeout: 2s" "udp_flows: stateless" "$CHECK" "backends_file: b")
END
}
configured
running 6
start client4 client "$python" "$E2E/udp.py" hold $VIP4 5000 120 90 "$W/tracked"
start client6 client "$python" "$E2E/udp.py" hold $VIP6 5000 120 60 "$W/stateless"
of() { awk -v name="$2" '$1 == name { n = $2 } END { print n + 0 }' "$W/$1"; }
wait_for 5 test -e "$W/tracked" -a -e "$W/stateless"
sleep 3 # a service of two seconds ago takes its first backends as they come
is "no flow has moved" "$(of tracked moved) $(of stateless moved)" "0 0"
backends4 1 2 3 4 >"$W/b"
check "a backend is added" wait_for 5 all_up 8
in_transition() { [ "$(shunt services --json | jq '.services[] | select(.name == "tracked").moving')" -gt 100 ]; }
check "the slots of tracked ones are in transition" wait_for 5 in_transition
have_moved() { awk '$1 == "b4" { b4 = $2 } $1 == "moved" { n = $2 } END { exit !(b4 > 5 && n >= b4) }' "$W/stateless"; }
check "stateless flows move to it at once" wait_for 5 have_moved
sleep 1
is "tracked ones do not" "$(of tracked moved) $(of tracked b4)" "0 0"
found() { on client "$python" "$E2E/udp.py" ask "$VIP4" 5000 60 | grep -q b4; }
check "new flows find it when that has been learnt" wait_for 8 found
sleep 1
is "and they do not move then" "$(of tracked moved)" 0
check "a backend is drained" shunt drain tracked b1
sleep 5
is "its flows stay" "$(of tracked moved)" 0
b2=$(of tracked b2)
stop web2 KILL
check "a backend fails" wait_for 5 is_state tracked b2 down
all_moved() { [ "$(of tracked b2)" = 0 ]; }
wait_for 5 all_moved
sleep 0.5
is "its flows move at once, and no others" "$(of tracked moved) $(of tracked b2)" "$b2 0"

# Longer than it takes to learn, and to forget.
for to in rr maglev lc wrr; do
  check "to $to" eval "configured 'scheduler: $to' && shunt reload"
  sleep 6
  is "no flow moves" "$(of tracked moved)" "$b2"
done
finish
