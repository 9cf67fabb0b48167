#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The daemon is killed under load and comes back: no request fails, no byte is lost, edits survive.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 3
companion && decap 1 2 3
for n in 1 2 3; do web $n && echo_server $n 7000; done
backends4 1 2 3 >"$W/web.backends"
config <<END
services:
$(service web tcp $VIP4 80 "forward: ipip" "$FAST" "backends_file: web.backends")
$(service turns tcp $VIP6 80 "scheduler: rr" "forward: ipip" "$FAST" "backends_file: web.backends")
$(service echo tcp $VIP4 7000 "scheduler: rr" "forward: ipip" "$FAST_TCP" "backends_file: web.backends")
END
running 9
check "b3 is drained" shunt drain web b3
check "b1 gets another weight" shunt weight web b1 3
wait_for 3 is_state web b3 drained

load maglev "http://$VIP4/" 200
load rr "http://[$VIP6]/" 200
bulk $VIP4 7000 20 10 >"$W/bulk.log" 2>&1 &
bulk=$!
sleep 1
# A backend that is down must not come back by the restart.
stop web2 KILL
wait_for 5 is_state web b2 down
wait_for 5 is_state turns b2 down # each by probes of its own
detected=$(now_ms)
shuntd_stop KILL
sleep 1.5
holds "requests are answered without the daemon" "$(get http://$VIP4/ | grep -c b) == 1"
check "the daemon starts again" shuntd_start || finish
sleep 1
check "the drained backend is still drained" is_state web b3 drained
is "the edits are in force, and the dead backend is out" "$(spread 100 "http://$VIP4/" | xargs)" "100 b1"
returned=$(now_ms)
web 2
wait_for 5 is_state web b2 up
is "which comes back when it answers" "$(spread 100 "http://$VIP4/" | awk '{print $2}' | xargs)" "b1 b2"
shuntd_stop KILL
check "and again" shuntd_start || finish
sleep 1
check "it stops when told to" shuntd_stop
is "forwarding goes on after an orderly stop" "$(get http://$VIP4/ | grep -c b)" 1
check "and starts once more" shuntd_start || finish
check "all backends but the drained one are up" wait_for 5 all_up 8
stop_load maglev
stop_load rr
failures_of maglev
failures_of rr
note "$(loaded maglev total) requests to maglev, $(loaded rr total) to rr"
holds "the load ran" "$(loaded maglev total) > 200 && $(loaded rr total) > 200"
is "no request to maglev failed from b2's end to its return" "$(loaded maglev failed "$detected" "$returned")" 0
# maglev remembers no flow: what is in flight when slots go back is cut off.
holds "and its return cost at most what was in flight" "$(loaded maglev failed "$returned") <= 2"
is "no request to rr failed after b2 was out" "$(loaded rr failed "$detected")" 0
wait $bulk
is "a connection through all of it lost no byte" "$? $(tail -n 1 "$W/bulk.log" | grep -c '^[0-9]*$')" "0 1"
finish
