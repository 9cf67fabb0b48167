#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# NAT: backends that know nothing of a balancer, one of them behind the balancer's second arm; other
# ports than the service's; TCP and UDP; two thousand connections over a kill and a restart.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
MANY=${MANY:-2000}
stage 2
companion
second_arm 3
for n in 1 2; do # backends like any others
  on "b$n" ip addr del $VIP4/32 dev lo
  on "b$n" ip addr del $VIP6/128 dev lo
done
for n in 1 2 3; do web $n 8080 && udp $n 5300 && echo_server $n 7777; done
HTTP="check: { type: http, path: /healthz, interval: 250ms, timeout: 240ms, fall: 5 }"
TCP="check: { interval: 250ms, timeout: 240ms, fall: 5 }"
INTERFACES=eth0,eth1 config <<END
nat_connections: 16k
services:
$(service web tcp $VIP4 80 "forward: nat" "$HTTP" "backends: [10.0.0.11:8080 name=b1, 10.0.0.12:8080 name=b2, 10.0.1.13:8080 name=b3]")
$(service echo tcp $VIP4 7000 "forward: nat" "scheduler: rr" "$TCP" "backends: [10.0.0.11:7777, 10.0.0.12:7777, 10.0.1.13:7777]")
$(service dns udp $VIP4 53 "forward: nat" "check: none" "backends: [10.0.0.11:5300 name=b1, 10.0.1.13:5300 name=b3]")
$(service web6 tcp $VIP6 80 "forward: nat" "$HTTP" "backends: ['[fd00::11]:8080 name=b1', '[fd00::12]:8080 name=b2', '[fd01::13]:8080 name=b3']")
$(service echo6 tcp $VIP6 7000 "forward: nat" "$TCP" "backends: ['[fd00::11]:7777', '[fd01::13]:7777']")
$(service dns6 udp $VIP6 53 "forward: nat" "check: none" "backends: ['[fd00::11]:5300 name=b1', '[fd01::13]:5300 name=b3']")
$(service masq tcp $VIP4 81 "forward: masq" "$HTTP" "backends: ['10.0.1.13:8080']")
$(service masq6 tcp $VIP6 81 "forward: masq" "$HTTP" "backends: ['[fd01::13]:8080']")
$(service masqdns udp $VIP4 54 "forward: masq" "check: none" "backends: ['10.0.1.13:5300']")
$(service masqecho tcp $VIP6 7001 "forward: masq" "$TCP" "backends: ['[fd01::13]:7777']")
END
running 19
check "the daemon says what must be switched off at the other end" \
  grep -q 'eth1: a veth whose other end.*ethtool -K IF tx off' "$W/shuntd.log"

# whom PORT [VIP]: what a UDP server says of its client.
whom() {
  on client "$python" -c "import socket; u = socket.socket(
socket.AF_INET6 if ':' in '$2' else socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(8)
u.sendto(b'who', ('$2', $1)); print(u.recv(99).decode())"
}
for vip in $VIP4 $VIP6; do
  url=http://$vip/
  [ "$vip" = $VIP6 ] && url="http://[$vip]/"
  spread 300 "$url" >"$W/spread"
  is "all requests to $url are answered" "$(awk '{n += $1} END {print n}' "$W/spread")" 300
  is "by the three backends" "$(awk '$1 > 50 {n++} END {print n}' "$W/spread")" 3
  is "UDP is answered through the address that was asked" \
    "$(ask_udp "$vip" 53 40 3 | awk '{n += $1; print $2} END {print n}' | sort | xargs)" "40 b1 b3"
  is "the backend sees the balancer's address, and a port of its range" \
    "$(whom 53 "$vip" | awk '{print ($2 ~ /^(10.0.[01].|fd0[01]::)2$/ && $3 >= 10000 && $3 < 30000) ? "yes" : $0}')" yes
  check "a connection gets every byte back" bulk "$vip" 7000 50 1
  is "masq: answered" "$(get "${url%/}:81/")" b3
done
is "masq: the backend sees the client" "$(whom 54 $VIP4 | cut -d ' ' -f 1,2)" "b3 10.0.0.1"
check "masq: a connection gets every byte back" bulk $VIP6 7001 50 1
is "the balancer still reaches the backends itself" "$(on lb curl -s http://10.0.1.13:8080/)" b3
is "a reply that nobody waits for goes to the stack" \
  "$(on b1 curl -s --max-time 2 http://10.0.0.2:10001/; echo $?)" 7

note "$MANY connections; meanwhile the daemon is killed, started again, and given larger tables"
on client "$python" "$E2E/many.py" $VIP4 7000 "$MANY" 8 >"$W/many" 2>"$W/many.err" &
many=$!
pids[many]=$many
sleep 3
stop shuntd KILL
sleep 1
check "shuntd starts again" shuntd_start
sed -i 's/^nat_connections: .*/nat_connections: 64k/' "$W/shunt.yaml"
check "and gets larger tables" shunt reload
wait $many
unset "pids[many]"
is "all connections opened, and all bytes were right" "$(cat "$W/many")" "$MANY $MANY"
sed 's/^/# /' "$W/many.err"
backends() { shunt backends echo --json | jq -c '[.backends[].flows]'; }
note "connections by backend: $(backends)"
is "nothing was dropped by a full table or for want of ports" \
  "$(shunt stats --json | jq '[.verdicts[]? | select(.name | test("^drop_nat")) | .packets] | add // 0')" 0
finish
