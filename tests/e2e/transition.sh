#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Connections of a maglev service are held open while its backends are added, drained, reweighted, failed
# and recovered, and the daemon killed: only those of the failed backend break.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 4
companion && decap 1 2 3 4
for n in 1 2 3 4; do web $n && start "hold$n" b$n "$python" "$E2E/hold.py" serve b$n 7000; done
configured() {
  config <<END
services:
$(service held tcp $VIP4 7000 "forward: ipip" "flow_timeout: 4s" "drain_deadline: 10m" \
    "check: { type: http, path: /healthz, port: 80, interval: 250ms, timeout: 240ms, rise: 2, fall: 5 }" "backends_file: b")
END
}
backends4 1 2 3 >"$W/b"
configured
running 3
start client client "$python" "$E2E/hold.py" run $VIP4 7000 120 "$W/held"
check "120 connections are open" wait_for 5 test -e "$W/held"
sum() { awk '{open += $2; broken += $3} END {print open, broken}' "$W/held"; }
# whole WORDS: a second later all are as they were.
whole() { sleep 1 && is "$1" "$(sum)" "120 0"; }
moving() { shunt services --json | jq '.services[0].moving'; }
new_at() { on client "$python" "$E2E/hold.py" ask $VIP4 7000 60 | awk '{print $2}' | xargs; }
is "no slot is in transition" "$(moving)" 0

backends4 1 2 3 4 >"$W/b"
check "a backend is added" wait_for 5 all_up 4
holds "its slots are in transition" "$(moving) > 200 && $(moving) < 300"
whole "and nobody notices"
is "new connections find it" "$(new_at)" "b1 b2 b3 b4"

for weight in 2 3 4 5 6 7 8 9 10; do shunt weight held b2 $weight >/dev/null; done
whole "a weight that climbs breaks nothing"
check "back to what it was" shunt weight held b2 1
whole "nor does one that falls"
check "a backend is drained" shunt drain held b1
is "new connections go elsewhere" "$(new_at)" "b2 b3 b4"
whole "and the old ones stay"
shuntd_stop KILL
whole "the daemon is killed in the middle"
check "and starts again" shuntd_start
holds "it goes on with what is in transition" "$(moving) > 0"
whole "nobody notices"
check "the drain is taken back" shunt enable held b1
whole "nobody notices that either"
is "new connections find it again" "$(new_at)" "b1 b2 b3 b4"

b3=$(awk '$1 == "b3" {print $2}' "$W/held")
stop hold3 KILL
stop web3 KILL
check "a backend fails" wait_for 5 is_state held b3 down
has_broken() { [ "$(awk '$1 == "b3" {print $3}' "$W/held")" = "$b3" ]; }
check "what it had breaks" wait_for 5 has_broken
is "and nothing else" "$(awk '$1 != "b3" {open += $2; broken += $3} END {print open, broken}' "$W/held")" "$((120 - b3)) 0"
start hold3 b3 "$python" "$E2E/hold.py" serve b3 7000
web 3
check "it recovers" wait_for 5 is_state held b3 up
sleep 1
is "and the others' connections stay" "$(awk '$1 != "b3" {open += $2; broken += $3} END {print open, broken}' "$W/held")" "$((120 - b3)) 0"
stop client
settled() { [ "$(moving)" -eq 0 ]; }
check "without connections all slots settle" wait_for 10 settled
check "which is told" grep -q "service held: all slots have settled" "$W/shuntd.log"
finish
