#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A balancer between two networks: frames come in by one interface and leave by the other, to backends on
# its segment and behind a router there; replies come back through the balancer's own stack.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 0
on sw ip link add br1 mtu 1600 type bridge mcast_snooping 0
on sw ip link add br2 mtu 1600 type bridge mcast_snooping 0
on sw ip link set br1 up
on sw ip link set br2 up
plug lb eth1 lb1 1600 br1
address lb eth1 10.0.1.2/24 fd01::2/64
on lb ethtool -K eth1 tx off >/dev/null
on client ip route add default via 10.0.0.2
on client ip route add default via fd00::2
for ns in lb router; do
  [ $ns = lb ] || namespace router
  on $ns sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
done
# b1 and b2 beside the balancer's second arm, b3 behind a router.
plug router eth0 router 1600 br1
plug router eth1 router1 1600 br2
address router eth0 10.0.1.254/24 fd01::fe/64
address router eth1 10.0.2.1/24 fd02::1/64
on router ip route add default via 10.0.1.2
on router ip route add default via fd01::2
on lb ip route add 10.0.2.0/24 via 10.0.1.254
on lb ip route add fd02::/64 via fd01::fe
for n in 1 2 3; do
  net=1 gate4=10.0.1.2 gate6=fd01::2
  [ $n = 3 ] && net=2 gate4=10.0.2.1 gate6=fd02::1
  namespace b$n
  on b$n sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
  plug b$n eth0 b$n 1600 br$net
  address b$n eth0 10.0.$net.1$n/24 fd0$net::1$n/64
  on "b$n" ip route add default via $gate4
  on "b$n" ip route add default via $gate6
  vip b$n $VIP4
  vip b$n $VIP6
  on b$n ethtool -K eth0 tx off >/dev/null
  on b$n "$O/shunt-decap" attach eth0 10.0.$net.1$n fd0$net::1$n >/dev/null
  web $n && echo_server $n 7000
done
companion lb
companion lb1

printf '%s\n' '10.0.1.11 name=b1' '10.0.1.12 name=b2' '10.0.2.13 name=b3' >"$W/v4.backends"
printf '%s\n' 'fd01::11 name=b1' 'fd01::12 name=b2' 'fd02::13 name=b3' >"$W/v6.backends"
INTERFACES="eth0, eth1" config <<END
services:
$(service web4 tcp $VIP4 80 "forward: ipip" "$FAST" "backends_file: v4.backends")
$(service web6 tcp $VIP6 80 "forward: ipip" "$FAST" "backends_file: v6.backends")
$(service echo tcp $VIP4 7000 "forward: ipip" "scheduler: rr" "$FAST_TCP" "backends_file: v6.backends")
$(service direct tcp $VIP4 81 "forward: dsr" "check: { type: tcp, port: 80 }" "backends: [10.0.1.11]")
END
running 10
for url in "http://$VIP4/" "http://[$VIP6]/"; do
  spread 300 "$url" >"$W/spread"
  is "all requests to $url are answered" "$(awk '{n += $1} END {print n}' "$W/spread")" 300
  is "on both sides of the router" "$(awk '$1 > 50 {n++} END {print n}' "$W/spread")" 3
done
for _ in 1 2 3; do
  check "full frames pass the tunnel and its reply the router" bulk $VIP4 7000 50 0.5
done

# Only one arm is given to shunt: the backends are out of its reach, and it says so.
config <<END
services:
$(service web4 tcp $VIP4 80 "forward: ipip" "$FAST" "backends_file: v4.backends")
END
check "an interface is taken away" shunt reload
other() { shunt backends web4 --json | jq -e '[.backends[] | select(.next_hop == "other interface")] | length == 3'; }
check "backends behind it have no next hop, in words" wait_for 5 other
finish
