#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Probes that go a client's way: a backend is up by every method and family only if what clients send
# would be answered, and its reason says what it may lack. Also where the address is the balancer's own.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 3
companion && decap 1 2 3
for n in 1 2 3; do web $n 80 81; done
vip lb $VIP4 # with which the kernel lets nothing in that has it as source
backends4 1 2 3 >"$W/v4.backends"
backends6 1 2 3 >"$W/v6.backends"
pace='interval: 250ms, timeout: 240ms, fall: 5'
path="check: { type: tcp, via: path, $pace }"
direct="check: { type: tcp, via: direct, $pace }"
usual="check: { type: http, path: /healthz, $pace }"
port=7000
for method in dsr ipip gue gre nat masq; do
  port=$((port + 1))
  for n in 1 2 3; do echo_server $n $port; done
  service "$method-v4" tcp $VIP4 $port "forward: $method" "$path" "backends_file: v4.backends"
  service "$method-v6" tcp $VIP6 $port "forward: $method" "$path" "backends_file: v6.backends"
done >"$W/services"
config <<END
nat_pool: [10.0.0.2, "fd00::2"]
services:
$(cat "$W/services")
$(service six-in-four tcp $VIP6 80 "forward: ipip" "$usual" "backends_file: v4.backends")
$(service four-in-six tcp $VIP4 80 "forward: ipip" "$usual" "backends_file: v6.backends")
$(service straight tcp $VIP4 81 "forward: ipip" "$direct" "backends_file: v4.backends")
END
running 45
# in_own_users: 1 when the process for these probes is in a user namespace of its own.
in_own_users() {
  readlink "/proc/$(pgrep -P "${pids[shuntd]}" -f -- --probe-path)/ns/user" | grep -Fvxc "$(readlink /proc/self/ns/user)"
}
is "who may makes the network namespace as root" "$(in_own_users)" 0
says() { shunt backends "$1" | grep -q "$2"; }

on b2 ip address del $VIP4/32 dev lo
check "without the address on its lo a backend is down: by a tunnel" wait_for 5 is_state ipip-v4 b2 down
check "by layer 2" wait_for 5 is_state dsr-v4 b2 down
check "in a tunnel of the other family" wait_for 5 is_state four-in-six b2 down
check "and that is the reason" says ipip-v4 "no answer by ipip: has it $VIP4 on lo"
check "while its own address answers" is_state straight b2 up
check "and where the address does not come to it, it is up" is_state nat-v4 b2 up
vip b2 $VIP4
check "with it there the backend is up" wait_for 5 is_state ipip-v4 b2 up

on b3 "$O/shunt-decap" detach eth0
check "without its end of the tunnel it is down" wait_for 5 is_state gue-v6 b3 down
check "and up by layer 2" is_state dsr-v6 b3 up
decap 3
check "until it has it again" wait_for 5 is_state gue-v6 b3 up

stop web1 KILL
check "a server that has ended is refused" wait_for 5 says four-in-six "b1 .*connection refused"
web 1 80 81
wait_for 5 all_up 45

child=$(pgrep -P "${pids[shuntd]}" -f -- --probe-path)
on lb ip -br link show type veth | grep -c shuntp >"$W/veths"
is "the process has a way" "$(cat "$W/veths")" 1
kill -KILL "$child"
check "it is started again when it dies" wait_for 5 bash -c "pgrep -P ${pids[shuntd]} -f -- --probe-path"
on b2 ip address del $VIP4/32 dev lo
check "and finds out" wait_for 5 is_state dsr-v4 b2 down
vip b2 $VIP4
check "both ways" wait_for 5 is_state dsr-v4 b2 up
is "with one way" "$(on lb ip -br link show type veth | grep -c shuntp)" 1

{ cat "$W/services" && for n in $(seq 8); do
  service "more$n" tcp $VIP4 "$((9000 + n))" "forward: ipip" "$path" "backends_file: v4.backends"
done; } | sed '1i services:' | { echo 'nat_pool: [10.0.0.2, "fd00::2"]' && cat; } | config
for n in 1 2 3; do for more in 1 2 3 4 5 6 7 8; do echo_server $n "900$more"; done; done
check "tables that grow" shunt reload
check "are followed" wait_for 5 all_up 60
on b2 ip address del $VIP4/32 dev lo
check "in every service" wait_for 5 is_state more8 b2 down
vip b2 $VIP4

shuntd_stop KILL
check "a daemon that is killed leaves no way" wait_for 5 bash -c "! nsenter --net=/run/netns/$P-lb ip link | grep -q shuntp"
running 60
is "the next one has the only filter" "$(on lb tc filter show dev eth0 ingress | grep -c shunt_path_in)" 1
shuntd_stop
# shellcheck disable=SC2034 # of shuntd_start
SHUNTD_ENV=(setpriv --inh-caps -sys_admin --bounding-set -sys_admin)
running 60
is "who may not make a network namespace makes it as a user" "$(in_own_users)" 1
shuntd_stop
no_filter() { ! on lb tc filter show dev eth0 ingress | grep -q shunt_path_in; }
check "which ends with it" wait_for 5 no_filter
finish
