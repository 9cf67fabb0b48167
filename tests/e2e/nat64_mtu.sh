#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# NAT between the families where the way to the client is narrower than either end knows: answers of IPv4
# backends grow, and what no longer fits is told to them.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 0
companion
second_arm 3
echo_server 3 7777
# The client sends no more than the balancer's link takes, and yet offers to take whole segments.
on lb ip link set eth0 mtu 1400
on client ip route change "$VIP6/128" via fd00::2 mtu 1400 advmss 1440
INTERFACES=eth0,eth1 config <<END
nat_connections: 16k
services:
$(service in4 tcp $VIP6 7000 "forward: nat" "check: { interval: 250ms, timeout: 200ms }" "backends: ['10.0.1.13:7777 name=b3']")
END
running 1
check "a connection gets every byte back" bulk $VIP6 7000 50 1
is "the backend was told how much its packets may be" \
  "$(on b3 ip route get 10.0.1.2 | grep -o 'mtu [0-9]*')" "mtu 1380"
holds "and told by the packet path" \
  "$(shunt stats --json | jq '[.verdicts[]? | select(.name == "reply_too_big") | .packets] | add // 0') > 0"
finish
