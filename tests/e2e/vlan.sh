#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# VLAN devices: the client on one VLAN, backends on another and behind a router's untagged frames, all by
# one port of the balancer; it is told to use the VLAN device and runs on the port below.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 2
on lb ip link add link eth0 name eth0.1 type vlan id 1 2>/dev/null ||
  skip_all "this kernel has no VLAN devices (8021q)"
on lb ip link del eth0.1

# vlan NS ID ADDRESS...: a VLAN device on eth0. The tag is to be in the frame, as on a wire, not beside it.
vlan() {
  local ns=$1 id=$2
  shift 2
  on "$ns" ethtool -K eth0 txvlan off rxvlan off >/dev/null
  on "$ns" ip link add link eth0 name "eth0.$id" type vlan id "$id"
  on "$ns" ip link set "eth0.$id" mtu 1500 up
  address "$ns" "eth0.$id" "$@"
}
on client ip link set eth0 mtu 1504
for ns in client lb b1 b2; do on $ns ip addr flush dev eth0 scope global; done
namespace router
plug router eth0 router 1600
vlan client 100 10.0.0.1/24 fd00::1/64
vlan lb 100 10.0.0.2/24 fd00::2/64
vlan lb 200 10.0.2.2/24 fd02::2/64
vlan b1 200 10.0.2.11/24 fd02::11/64
vlan router 100 10.0.0.254/24 fd00::fe/64
vlan router 200 10.0.2.254/24 fd02::fe/64
# b2 stays untagged, on a network of its own; both answer the client through the router.
address b2 eth0 10.0.3.12/24 fd03::12/64
address lb eth0 10.0.3.2/24 fd03::2/64
address router eth0 10.0.3.254/24 fd03::fe/64
on router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
for n in 1 2; do
  on b$n ip route add 10.0.0.0/24 via 10.0.$((n + 1)).254
  on b$n ip -6 route add fd00::/64 via fd0$((n + 1))::fe
  web $n
done
on router ethtool -K eth0 tx off >/dev/null
on client ip -6 route del $VIP6/128 # by what was the untagged network
route_vip $VIP4
route_vip $VIP6
companion
on b1 "$O/shunt-decap" attach eth0 10.0.2.11 fd02::11 >/dev/null
on b2 "$O/shunt-decap" attach eth0 10.0.3.12 fd03::12 >/dev/null
printf '%s\n' '10.0.2.11 name=b1' '10.0.3.12 name=b2' >"$W/v4.backends"
printf '%s\n' 'fd02::11 name=b1' 'fd03::12 name=b2' >"$W/v6.backends"
services() {
  echo "services:"
  service dsr tcp $VIP4 80 "forward: dsr" "$FAST" "backends_file: v4.backends"
  service ipip tcp $VIP6 80 "forward: ipip" "$FAST" "backends_file: v4.backends"
  service dsr6 tcp $VIP6 81 "forward: dsr" "check: { type: tcp, port: 80 }" "backends_file: v6.backends"
}

INTERFACES=eth0.100 config < <(services)
running 6
check "the log says what runs the program" grep -q 'eth0.100: a VLAN device: eth0 below it' "$W/shuntd.log"
check "and so does shunt status" grep -q 'eth0.100.*native.*runs on eth0, below' <(shunt status)
check "no complaint about tags taken off" [ "$(grep -c 'rxvlan off' "$W/shuntd.log")" = 0 ]
for url in "http://$VIP4/" "http://[$VIP6]/"; do
  spread 100 "$url" >"$W/spread"
  is "all requests to $url are answered" "$(awk '{n += $1} END {print n}' "$W/spread")" 100
  is "from VLAN 100 to VLAN 200 and to no VLAN" "$(awk '$1 > 20 {n++} END {print n}' "$W/spread")" 2
done

# The port and one of its VLAN devices are one attachment; a VLAN device may come and go.
INTERFACES="eth0, eth0.100" config < <(services)
check "the port is named too" shunt reload
check "one attachment" [ "$(on lb ip -d link show eth0 | grep -c 'prog/xdp')" = 1 ]
INTERFACES="eth0, { name: eth0.200, xdp: generic }" config < <(services)
refuses "two modes on one port: refused" 1 'shunt.yaml:[0-9]+:[0-9]+:.*both stand on "eth0"' shunt reload
INTERFACES="eth0.100, eth0.200" config < <(services)
check "two VLAN devices of it instead" shunt reload
on lb ip link del eth0.200
check "one of them vanishes: seen" wait_for 5 grep -q 'eth0.200: gone' "$W/shuntd.log"
check "the other one goes on" grep -q 'eth0.100.*native' <(shunt status)
check "and serves what it can" wait_for 5 get -f "http://$VIP4/"
on lb ip link add link eth0 name eth0.200 type vlan id 200
on lb ip link set eth0.200 mtu 1500 up
address lb eth0.200 10.0.2.2/24 fd02::2/64
check "it comes back" wait_for 9 all_up 6

on lb ethtool -K eth0 rxvlan on >/dev/null
check "the daemon stops" shuntd_stop
check "hardware that takes tags off" shuntd_start
check "is told of, with the remedy" grep -q 'ethtool -K eth0 rxvlan off' "$W/shuntd.log"
finish
