#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Translation of what is rare: datagrams of 8000 bytes in pieces, there and back, by nat and masq; and what
# ICMP says about translated connections reaches who has them, on both sides.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 2
companion
second_arm 3
for n in 1 2; do
  on "b$n" ip addr del $VIP4/32 dev lo
  on "b$n" ip addr del $VIP6/128 dev lo
done
on b1 ip link set eth0 mtu 1500 # as the client's
for n in 1 2 3; do udp $n 5300; done
NAT="forward: nat" MASQ="forward: masq" NONE="check: none"
INTERFACES=eth0,eth1 config <<END
nat_connections: 16k
services:
$(service nat4 udp $VIP4 53 "$NAT" "$NONE" "backends: [10.0.0.11:5300 name=b1, 10.0.0.12:5300 name=b2, 10.0.1.13:5300 name=b3]")
$(service nat6 udp $VIP6 53 "$NAT" "$NONE" "backends: ['[fd00::11]:5300 name=b1', '[fd00::12]:5300 name=b2', '[fd01::13]:5300 name=b3']")
$(service masq4 udp $VIP4 54 "$MASQ" "$NONE" "backends: ['10.0.1.13:5300 name=b3']")
$(service masq6 udp $VIP6 54 "$MASQ" "$NONE" "backends: ['[fd01::13]:5300 name=b3']")
$(service closed4 udp $VIP4 99 "$NAT" "$NONE" "backends: ['10.0.0.11:9']")
$(service closed6 udp $VIP6 99 "$NAT" "$NONE" "backends: ['[fd00::11]:9']")
$(service closedmasq udp $VIP4 98 "$MASQ" "$NONE" "backends: ['10.0.1.13:9']")
$(service echo4 udp $VIP4 55 "$NAT" "$NONE" "backends: ['10.0.0.11:5400']")
$(service echo6 udp $VIP6 55 "$NAT" "$NONE" "backends: ['[fd00::11]:5400']")
$(service late4 udp $VIP4 77 "$NAT" "$NONE" "backends: ['10.0.0.11:7700']")
$(service late6 udp $VIP6 77 "$NAT" "$NONE" "backends: ['[fd00::11]:7700']")
END
check "shuntd starts" shuntd_start || finish
wait_for 5 all_up 15

# big WORDS VIP PORT BACKENDS: 40 flows of large datagrams beside small ones.
big() {
  wait_for 5 ask_udp "$2" "$3" 6 1
  big_udp "$2" "$3" 40 8000 >"$W/big"
  is "$1: nothing is lost, moved or broken" "$(grep -E 'lost|moved|broken' "$W/big" | xargs)" ""
  is "$1: the flows are all answered" "$(awk '/ b/ {n += $1} END {print n}' "$W/big")" 40
  is "$1: by all backends" "$(grep -c ' b' "$W/big")" "$4"
}
big "nat, IPv4" $VIP4 53 3
big "nat, IPv6" $VIP6 53 3
big "masq, IPv4" $VIP4 54 1
big "masq, IPv6" $VIP6 54 1

# echoed VIP: how many of ten large datagrams come back as they went.
start echo b1 "$python" -c "import socket
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u.bind(('::', 5400))
while True:
    u.sendto(*u.recvfrom(65535))"
wait_for 5 eval 'on b1 ss -lun | grep -q :5400'
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
is "nat, IPv4: large datagrams come back as they went" "$(echoed $VIP4)" 10
is "nat, IPv6: large datagrams come back as they went" "$(echoed $VIP6)" 10

# refused VIP PORT: what becomes of a client of a port that is closed at the backend.
refused() {
  on client "$python" -c "import socket, time
u = socket.socket(socket.AF_INET6 if ':' in '$1' else socket.AF_INET, socket.SOCK_DGRAM)
u.settimeout(2)
u.connect(('$1', $2))
for _ in range(3):
    try:
        u.send(b'anybody?')
        u.recv(99)
    except ConnectionRefusedError:
        print('refused')
        break
    except TimeoutError:
        pass"
}
is "nat: a closed port is told to the IPv4 client" "$(refused $VIP4 99)" refused
is "nat: a closed port is told to the IPv6 client" "$(refused $VIP6 99)" refused
is "masq: a closed port is told to the client" "$(refused $VIP4 98)" refused

# A server that answers when its client has gone; what it is told is in the log.
start late b1 "$python" -u -c "import socket, time
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
u.bind(('::', 7700))
while True:
    data, peer = u.recvfrom(99)
    c = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    c.bind(('::', 7700))
    c.connect(peer)
    time.sleep(0.3)
    c.send(b'late')
    try:
        c.settimeout(2)
        c.recv(99)
    except OSError as e:
        print(data.decode(), 'refused' if isinstance(e, ConnectionRefusedError) else e)
    c.close()"
wait_for 5 eval 'on b1 ss -lun | grep -q :7700'
for vip in $VIP4 $VIP6; do
  on client "$python" -c "import socket
u = socket.socket(socket.AF_INET6 if ':' in '$vip' else socket.AF_INET, socket.SOCK_DGRAM)
u.sendto(b'$vip', ('$vip', 77))
u.close()"
  check "the backend is told that its client has gone ($vip)" \
    wait_for 5 grep -q "$vip refused" "$W/late.log"
done
is "nothing was dropped, and nothing of it was the stack's" \
  "$(shunt stats --json | jq -r '.verdicts[] | select(.packets > 0) | .name' | grep -E '^drop|fragment' | xargs)" ""
finish
