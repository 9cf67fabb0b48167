#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# NAT between the families: IPv6 clients of IPv4 backends, IPv4 clients of IPv6 backends, and both in one
# pool; TCP and UDP, with and without checksums, and datagrams of 8000 bytes in pieces both ways.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 4
companion
for n in 1 2 3 4; do # backends like any others
  on "b$n" ip addr del $VIP4/32 dev lo
  on "b$n" ip addr del $VIP6/128 dev lo
  web $n 8080 && udp $n 5300 && echo_server $n 7777
done
address lb eth0 10.0.0.9/24 fd00::9/64
for n in 1 2; do on "b$n" ip route add 10.0.0.2 dev eth0 mtu 1472; done # so that answers in pieces fit the client's 1500
HTTP="check: { type: http, path: /healthz, interval: 250ms, timeout: 200ms }"
TCP="check: { interval: 250ms, timeout: 200ms }"
both="backends: [10.0.0.11:8080 name=b1, 10.0.0.12:8080 name=b2, '[fd00::13]:8080 name=b3', '[fd00::14]:8080 name=b4']"
config <<END
nat_connections: 16k
services:
$(service web4 tcp $VIP4 80 "forward: nat" "$HTTP" "$both")
$(service web6 tcp $VIP6 80 "forward: nat" "$HTTP" "$both")
$(service in6 tcp $VIP4 7000 "forward: nat" "$TCP" "backends: ['[fd00::13]:7777', '[fd00::14]:7777']")
$(service in4 tcp $VIP6 7000 "forward: nat" "$TCP" "backends: ['10.0.0.11:7777', '10.0.0.12:7777']")
$(service dns4 udp $VIP4 53 "forward: nat" "check: none" "nat_pool: ['fd00::9', 'fd00::99']" "backends: ['[fd00::13]:5300 name=b3', '[fd00::14]:5300 name=b4']")
$(service dns6 udp $VIP6 53 "forward: nat" "check: none" "nat_pool: [10.0.0.9]" "backends: ['10.0.0.11:5300 name=b1', '10.0.0.12:5300 name=b2']")
$(service echo4 udp $VIP4 55 "forward: nat" "check: none" "backends: ['[fd00::13]:5400', '[fd00::14]:5400']")
$(service echo6 udp $VIP6 55 "forward: nat" "check: none" "backends: ['10.0.0.11:5400', '10.0.0.12:5400']")
$(service closed4 udp $VIP4 99 "forward: nat" "check: none" "backends: ['[fd00::13]:9']")
$(service closed6 udp $VIP6 99 "forward: nat" "check: none" "backends: ['10.0.0.11:9']")
END
running 22
check "the daemon says which of the pool's addresses this host does not have" \
  grep -q "nat_pool fd00::99 is not this host's" "$W/shuntd.log"
is "and only that one" "$(grep -c "nat_pool .* is not this host's" "$W/shuntd.log")" 1
address lb eth0 fd00::99/64

# whom VIP [no_check]: what a UDP server says of its client; no_check: asked without a checksum.
whom() {
  on client "$python" -c "import socket, sys; u = socket.socket(
socket.AF_INET6 if ':' in '$1' else socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(8)
u.setsockopt(socket.SOL_SOCKET, 11, $([ "${2:-}" = no_check ]; echo $((1 - $?))))
u.sendto(b'who' * 21, ('$1', 53)); print(u.recv(99).decode())"
}
for url in "http://$VIP4/" "http://[$VIP6]/"; do
  spread 400 "$url" >"$W/spread"
  is "all requests to $url are answered" "$(awk '{n += $1} END {print n}' "$W/spread")" 400
  is "by backends of both families" "$(awk '$1 > 50 {n++} END {print n}' "$W/spread")" 4
done
check "IPv4 to IPv6: a connection gets every byte back" bulk $VIP4 7000 100 1
check "IPv6 to IPv4: a connection gets every byte back" bulk $VIP6 7000 100 1
is "IPv4 to IPv6: UDP is answered through the address that was asked" \
  "$(ask_udp $VIP4 53 40 3 | awk '{n += $1; print $2} END {print n}' | sort | xargs)" "40 b3 b4"
is "IPv6 to IPv4: UDP is answered through the address that was asked" \
  "$(ask_udp $VIP6 53 40 3 | awk '{n += $1; print $2} END {print n}' | sort | xargs)" "40 b1 b2"
is "the backend sees the pool's address of its own family" \
  "$(whom $VIP4 | awk '{sub("::99", "::9"); print $2}') $(whom $VIP6 | awk '{print $2}')" "fd00::9 10.0.0.9"
is "UDP without a checksum gets one on its way to IPv6" "$(whom $VIP4 no_check | awk '{sub("::99", "::9"); print $2}')" fd00::9
# refused VIP: what becomes of a client of a port that is closed at the backend.
refused() {
  on client "$python" -c "import socket
u = socket.socket(socket.AF_INET6 if ':' in '$1' else socket.AF_INET, socket.SOCK_DGRAM)
u.settimeout(8)
u.connect(('$1', 99))
try:
    u.send(b'anybody?')
    u.recv(99)
except OSError as e:
    print('refused' if isinstance(e, ConnectionRefusedError) else e)"
}
is "an IPv6 backend's closed port is told to the IPv4 client" "$(refused $VIP4)" refused
is "an IPv4 backend's closed port is told to the IPv6 client" "$(refused $VIP6)" refused
# big WORDS VIP: 40 flows of large datagrams beside small ones.
big() {
  big_udp "$2" 53 40 8000 >"$W/big"
  is "$1: of large datagrams nothing is lost, moved or broken" "$(grep -E 'lost|moved|broken' "$W/big" | xargs)" ""
  is "$1: the flows are all answered, by all backends" "$(awk '/ b/ {n += $1; b++} END {print n, b}' "$W/big")" "40 2"
}
big "IPv4 to IPv6" $VIP4
big "IPv6 to IPv4" $VIP6
for n in 1 2 3 4; do
  start "echo$n" "b$n" "$python" -c "import socket
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u.bind(('::', 5400))
while True:
    u.sendto(*u.recvfrom(65535))"
  wait_for 5 eval "on b$n ss -lun | grep -q :5400"
done
# echoed VIP: how many of ten datagrams of 8000 bytes come back as they went.
echoed() {
  on client "$python" -c "import os, socket
same = 0
for _ in range(10):
    u = socket.socket(socket.AF_INET6 if ':' in '$1' else socket.AF_INET, socket.SOCK_DGRAM)
    u.settimeout(8)
    data = os.urandom(8000)
    u.sendto(data, ('$1', 55))
    same += u.recv(65535) == data
print(same)"
}
is "IPv4 to IPv6: large datagrams come back as they went" "$(echoed $VIP4)" 10
is "IPv6 to IPv4: large datagrams come back as they went" "$(echoed $VIP6)" 10
is "nothing was dropped" \
  "$(shunt stats --json | jq '[.verdicts[]? | select(.name | test("^drop_(nat|bad|too|frag)")) | .packets] | add // 0')" 0
finish
