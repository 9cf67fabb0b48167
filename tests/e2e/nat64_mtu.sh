#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# NAT between the families where the way to the client is narrower than either end knows: answers of IPv4
# backends grow, and what no longer fits is told to them; pieces of datagrams grow by more.
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
$(service echo6 udp $VIP6 55 "forward: nat" "check: none" "backends: ['10.0.1.13:5400 name=b3']")
END
running 2
check "a connection gets every byte back" bulk $VIP6 7000 50 1
is "the backend was told how much its packets may be" \
  "$(on b3 ip route get 10.0.1.2 | grep -o 'mtu [0-9]*')" "mtu 1380"
start echo b3 "$python" -c "import socket
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u.bind(('::', 5400))
while True:
    u.sendto(*u.recvfrom(65535))"
wait_for 5 eval 'on b3 ss -lun | grep -q :5400'
# echoed: how many of ten datagrams of 8000 bytes come back as they went; the first may take two tries.
echoed() {
  on client "$python" -c "import os, socket
same = 0
for _ in range(10):
    u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    u.settimeout(0.5)
    data = os.urandom(8000)
    for _ in range(5):
        u.sendto(data, ('$VIP6', 55))
        try:
            same += u.recv(65535) == data
            break
        except TimeoutError:
            pass
print(same)"
}
is "large datagrams come back as they went" "$(echoed)" 10
is "the backend was told how much its pieces may be" \
  "$(on b3 ip route get 10.0.1.2 | grep -o 'mtu [0-9]*')" "mtu 1372"
holds "and told by the packet path" \
  "$(shunt stats --json | jq '[.verdicts[]? | select(.name == "reply_too_big") | .packets] | add // 0') > 0"
finish
