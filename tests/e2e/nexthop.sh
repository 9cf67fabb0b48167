#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Next hops follow the network: a backend's new MAC address within a second, and one that is gone is
# out and seen to be.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 2
companion && decap 1 2
web 1 && web 2
for n in 1 2; do
  # A host that takes over an address tells the segment.
  on b$n sysctl -qw net.ipv4.conf.eth0.arp_notify=1 net.ipv6.conf.eth0.ndisc_notify=1
done
backends4 1 2 >"$W/v4.backends"
backends6 1 2 >"$W/v6.backends"
config <<END
services:
$(service web4 tcp $VIP4 80 "forward: dsr" "check: none" "backends_file: v4.backends")
$(service web6 tcp $VIP6 80 "forward: dsr" "check: none" "backends_file: v6.backends")
END
check "shuntd starts" shuntd_start || finish
for url in "http://$VIP4/" "http://[$VIP6]/"; do
  wait_for 3 get -f "$url"
  is "both backends of $url answer" "$(spread 100 "$url" | wc -l)" 2
done

load four "http://$VIP4/" 100
load six "http://[$VIP6]/" 100
sleep 1
changed=$(now_ms)
on b1 ip link set eth0 address 02:00:00:00:00:b1
soon=$((1000 * ${SLOW:-4})) # a second, on a machine of its own
sleep $((2 + ${SLOW:-4}))
stop_load four
stop_load six
failures_of four
note "$(loaded four failed) and $(loaded six failed) requests failed around the change"
is "no IPv4 request fails a second after the change" "$(loaded four failed $((changed + soon)))" 0
is "no IPv6 request fails a second after the change" "$(loaded six failed $((changed + soon)))" 0
is "the backend answers by its new address" "$(spread 100 "http://$VIP4/" | wc -l)" 2

on b1 ip link set eth0 down
on lb ip neigh flush dev eth0
gone() { shunt backends web4 | grep -w b1 | grep -qiE 'no neighbour|no next hop'; }
check "a backend that is gone is seen to be" wait_for 8 gone
check "and for how long" grep -qE "b1 .*no next hop +[0-9]+ m?s " <(shunt backends web4)
is "and gets nothing" "$(spread 60 "http://$VIP4/" | xargs)" "60 b2"
on b1 ip link set eth0 up
on b1 ip addr add fd00::11/64 dev eth0 nodad 2>/dev/null
back() { [ "$(spread 60 "http://$VIP4/" | wc -l)" -eq 2 ]; }
check "it comes back with its neighbour" wait_for 10 back
finish
