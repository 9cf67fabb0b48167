#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# NAT: backends that know nothing of a balancer, one of them behind the balancer's second arm; other
# ports than the service's; TCP and UDP; two thousand connections over a kill and a restart.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
MANY=${MANY:-2000}
stage 2
companion
# b3 on a segment of its own, beside the second arm.
on sw ip link add br1 mtu 1600 type bridge mcast_snooping 0
on sw ip link set br1 up
plug lb eth1 lb1 1600 br1
address lb eth1 10.0.1.2/24
on lb ethtool -K eth1 tx off >/dev/null
namespace b3
plug b3 eth0 b3 1600 br1
address b3 eth0 10.0.1.13/24
on b3 ethtool -K eth0 tx off >/dev/null
companion lb1
for n in 1 2; do # backends like any others
  ip -n "$P-b$n" addr del $VIP4/32 dev lo
  ip -n "$P-b$n" addr del $VIP6/128 dev lo
done
for n in 1 2 3; do web $n 8080 && udp $n 5300 && echo_server $n 7777; done
HTTP="check: { type: http, path: /healthz, interval: 250ms, timeout: 200ms }"
TCP="check: { interval: 250ms, timeout: 200ms }"
INTERFACES=eth0,eth1 config <<END
nat_connections: 16k
services:
$(service web tcp $VIP4 80 "forward: nat" "$HTTP" "backends: [10.0.0.11:8080 name=b1, 10.0.0.12:8080 name=b2, 10.0.1.13:8080 name=b3]")
$(service echo tcp $VIP4 7000 "forward: nat" "scheduler: rr" "$TCP" "backends: [10.0.0.11:7777, 10.0.0.12:7777, 10.0.1.13:7777]")
$(service dns udp $VIP4 53 "forward: nat" "check: none" "backends: [10.0.0.11:5300 name=b1, 10.0.1.13:5300 name=b3]")
END
running 8

spread 300 "http://$VIP4/" >"$W/spread"
is "all requests are answered" "$(awk '{n += $1} END {print n}' "$W/spread")" 300
is "by the three backends" "$(awk '$1 > 60 {n++} END {print n}' "$W/spread")" 3
is "UDP is answered through the address that was asked" \
  "$(ask_udp $VIP4 53 40 3 | awk '{n += $1; print $2} END {print n}' | sort | xargs)" "40 b1 b3"
is "the backend sees the balancer's address, and a port of its range" \
  "$(on client "$python" -c "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(2)
s.sendto(b'who', ('$VIP4', 53)); print(s.recv(99).decode())" |
    awk '{print ($2 ~ /^10.0.[01].2$/ && $3 >= 10000 && $3 < 30000) ? "yes" : $0}')" yes
check "a connection gets every byte back" bulk $VIP4 7000 50 1
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
