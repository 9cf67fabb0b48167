#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A bond of two ports: the program runs on the bond, both ports' frames reach it, and connections go on when
# either is lost. A bridge runs it in generic mode, and says so.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 2
on lb ip link add bond0 type bond mode active-backup miimon 50 2>/dev/null ||
  skip_all "this kernel has no bonds"
plug lb eth1 lb1 1600
on lb ip addr flush dev eth0
on lb ethtool -K eth1 tx off >/dev/null
for port in eth0 eth1; do
  on lb ip link set $port down
  on lb ip link set $port master bond0
  on lb ip link set $port up
done
on lb ip link set bond0 mtu 1600 up
on lb ethtool -K bond0 tx off >/dev/null
address lb bond0 10.0.0.2/24 fd00::2/64
on client ip neigh flush dev eth0
companion lb && companion lb1
web 1 && web 2 && decap 1 2
backends4 1 2 >"$W/v4.backends"
services() {
  echo "services:"
  service dsr tcp $VIP4 80 "forward: dsr" "$FAST" "backends_file: v4.backends"
  service ipip tcp $VIP6 80 "forward: ipip" "$FAST" "backends_file: v4.backends"
}

INTERFACES=eth0 config < <(services)
refuses "a port of a bond: refused, and the bond is named" 1 'shunt.yaml:[0-9]+:[0-9]+:.*port of the bond "bond0"' \
  on lb timeout 20 "$O/shuntd" -c "$W/shunt.yaml"
INTERFACES=bond0 config < <(services)
running 4
check "native mode on the bond" grep -q 'bond0.*native' <(shunt status)
all_answered() {
  local url
  for url in "http://$VIP4/" "http://[$VIP6]/"; do
    spread 100 "$url" >"$W/spread"
    is "$1: all requests to $url are answered" "$(awk '{n += $1} END {print n}' "$W/spread")" 100
    is "by both backends" "$(awk '$1 > 20 {n++} END {print n}' "$W/spread")" 2
  done
}
first=$(on lb ip -d -j link show bond0 | jq -r '.[0].linkinfo.info_data.active_slave')
all_answered "$first is active"
# Its cable's other end goes down.
on sw ip link set "$([ "$first" = eth0 ] && echo lb || echo lb1)" down
wait_for 5 get -f "http://$VIP4/"
all_answered "without $first"
finish
