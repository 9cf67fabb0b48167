#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What cannot work, as only the host can tell: said by shunt backends and the log, with what to do, and no
# packet goes there; and what may not work, which is said and done.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 2
companion
web 1 80
on lb ip route add 10.8.0.0/24 via 10.0.0.12
on lb ip route add 10.7.0.0/24 via inet6 fd00::12
config <<END
tunnel_source6: fd00:77::/112
services:
$(service a tcp $VIP4 80 "forward: dsr" "check: none" "backends: [10.0.0.11 name=b1, 10.8.0.11 name=far, 10.7.0.11 name=far6, 10.0.0.2 name=me, 10.8.0.12 name=tunnel forward=ipip weight=0]")
$(service b tcp $VIP4 81 "forward: masq" "check: none" "backends: [10.8.0.11 name=far, 10.0.0.11 name=near]")
$(service c tcp $VIP4 82 "forward: nat" "check: none" "nat_pool: [10.0.0.77]" "backends: [10.0.0.11]")
$(service d tcp $VIP6 83 "forward: local" "check: none")
$(service e tcp $VIP6 84 "check: none" "backends: ['fd00::11']")
END
check "shuntd starts" shuntd_start || finish
# reason SERVICE BACKEND: state and reason, as shunt backends has them.
reason() { shunt backends "$1" --json | jq -r ".backends[] | select(.name == \"$2\") | .state + \": \" + .next_hop"; }
state_is() { [ "$(reason "$1" "$2")" = "$3" ]; }
resolved() { [ "$(reason a tunnel)" = "up: resolved" ] && [ "$(reason a b1)" = "up: resolved" ]; }
check "next hops are known" wait_for 5 resolved
is "dsr does not go through a router" "$(reason a far)" "no next hop: behind a router"
is "not through one of another family either" "$(reason a far6)" "no next hop: behind a router"
is "a tunnel does" "$(reason a tunnel)" "up: resolved"
is "this host is no backend of its own" "$(reason a me)" "no next hop: own address"
check "shunt backends says what to do" grep -q \
  "behind a router; dsr needs it on this segment: take ipip, gue or gre" <<<"$(shunt backends a | tr -s ' ')"
logged() { check "$1" wait_for 3 grep -qE "$2" "$W/shuntd.log"; }
logged "so does the log" "backend a/far: next hop: behind a router; dsr needs it"
logged "and of this host" "backend a/me: next hop: own address; a backend is another host, or the vip with forward=local"
is "masq goes through a router" "$(reason b far)" "up: resolved"
logged "with a warning" "backend b/far: masq through the router 10.0.0.12, which has to send replies to clients back"
is "and none for one on the segment" "$(grep -c 'backend b/near: masq' "$W/shuntd.log")" 0
logged "a pool that is not this host's" "nat_pool 10.0.0.77 is not this host's: backends' replies to it do not come back here; .*ip address add 10.0.0.77 dev INTERFACE"
logged "a vip of its own that is not" "forward: local $VIP6 is not this host's: this host's stack takes no packets for it; .*ip address add $VIP6 dev lo"
logged "a tunnel's source that is not" "tunnel source fd00:77::/112 is not this host's"
is "each once" "$(grep -c "is not this host's" "$W/shuntd.log")" 3
check "a reload" shunt reload
is "does not say it again" "$(grep -c "is not this host's" "$W/shuntd.log")" 3
spread 40 http://$VIP4/ >"$W/spread"
holds "who can serve, serves" "$(awk '$2 == "b1" {print $1}' "$W/spread") > 5"
is "who cannot gets nothing" \
  "$(shunt backends a --json | jq '[.backends[] | select(.name == "far" or .name == "far6" or .name == "me") | .packets] | add')" 0

# A route that no longer leads through the router, and one that does again.
on lb ip route replace 10.8.0.11/32 dev eth0
on lb ip neigh replace 10.8.0.11 lladdr "$(mac_of b2)" nud permanent dev eth0
check "the router goes, and dsr with its backend works" wait_for 5 state_is a far "up: resolved"
on lb ip route del 10.8.0.11/32 dev eth0
check "the router is back" wait_for 5 state_is a far "no next hop: behind a router"

# This host's addresses are taken away, and with them what tunnels and nat come from.
mac=$(mac_of b1)
config <<END
services:
$(service e tcp $VIP4 84 "check: none" "backends: [10.0.0.11 name=t, 10.0.0.12 name=n forward=nat, 10.0.0.13 name=d forward=dsr]")
END
on lb ip address flush dev eth0
on lb ip route add 10.0.0.0/24 dev eth0
for n in 1 2 3; do on lb ip neigh replace "$(addr4 $n)" lladdr "$mac" nud permanent dev eth0; done
check "a reload" shunt reload
check "a tunnel without a source gets nothing" wait_for 5 state_is e t "no next hop: no source address"
check "nor does nat" wait_for 5 state_is e n "no next hop: no source address"
check "dsr needs none" wait_for 5 state_is e d "up: resolved"
logged "and why is said" "backend e/t: next hop: .*no source address; give this host one towards it"
address lb eth0 10.0.0.2/24
check "with an address again the tunnel is back" wait_for 5 state_is e t "up: resolved"
check "and nat" wait_for 5 state_is e n "up: resolved"
finish
