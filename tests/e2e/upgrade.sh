#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A new daemon over what another one has left running: a packet path that does the same takes over; one
# that does not (here by another hash_secret) does so only if somebody insists. No request fails.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 3
companion && decap 1 2 3
for n in 1 2 3; do web $n && echo_server $n 7000; done
backends4 1 2 3 >"$W/web.backends"
with_secret() {
  config <<END
hash_secret: $1
services:
$(service web tcp $VIP4 80 "forward: ipip" "$FAST" "backends_file: web.backends")
$(service turns tcp $VIP6 80 "scheduler: rr" "forward: ipip" "$FAST" "backends_file: web.backends")
$(service echo tcp $VIP4 7000 "scheduler: rr" "forward: ipip" "$FAST_TCP" "backends_file: web.backends")
END
}
said() { grep -q "$1" "$W/shuntd.log"; }
# The program that the interface runs.
runs() { on lb ip -json -details link show dev eth0 | jq '.[0].xdp.prog.id'; }
# restart [OPTION...]: killed, started again.
restart() {
  shuntd_stop KILL
  : >"$W/shuntd.log"
  check "shuntd starts again${1:+ with $1}" shuntd_start "$@" || finish
}
with_secret secret-one
running 9
first=$(runs)
load maglev "http://$VIP4/" 200
load rr "http://[$VIP6]/" 200
bulk $VIP4 7000 20 10 >"$W/bulk.log" 2>&1 &
bulk=$!
sleep 1

restart
check "the packet path is compared with the running one" said 'does what the running one does'
second=$(runs)
holds "and takes over" "$second != $first"
with_secret secret-two
restart
check "one that chooses other backends is refused, and says where" \
  said 'the running packet path stays in force, as that of this version would not do the same: service .*: the running program sends it, for backend b[123], the new one.* made-up packets are treated differently; a changed hash_secret does that too'
is "the running one stays" "$(runs)" "$second"
check "health checks go on" wait_for 5 all_up 9
check "so do commands" shunt drain web b3
wait_for 3 is_state web b3 drained
is "which take effect" "$(spread 60 "http://$VIP4/" | awk '{print $2}' | xargs)" "b1 b2"
check "and are undone" shunt enable web b3
with_secret secret-one
restart
check "the former secret is welcome" said 'does what the running one does'
third=$(runs)
holds "and so is its program" "$third != $second"
stop_load maglev
stop_load rr
failures_of maglev
failures_of rr
is "no request failed" "$(loaded maglev failed) $(loaded rr failed)" "0 0"
holds "the load ran" "$(loaded maglev total) > 100 && $(loaded rr total) > 100"
wait $bulk
is "connections through all of it lost no byte" "$? $(tail -n 1 "$W/bulk.log" | grep -c '^[0-9]*$')" "0 1"

with_secret secret-two
restart --accept-changes
check "who insists is told what changes" said 'is put in force as --accept-changes says'
holds "and has it" "$(runs) != $third"
is "all backends answer" "$(spread 100 "http://$VIP4/" | awk '{print $2}' | xargs)" "b1 b2 b3"
finish
