#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The stage itself, without shunt: servers and clients work and the VIPs are quiet, so that a failure
# of another story is shunt's.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 2
web 1
web 2
udp 1 5353

is "a backend answers by IPv4" "$(get http://10.0.0.11/)" b1
is "a backend answers by IPv6" "$(get 'http://[fd00::12]/')" b2
is "the health page answers from the balancer" "$(on lb curl -s http://10.0.0.12/healthz)" well
is "UDP is answered by name" "$(ask_udp 10.0.0.11 5353 3 2)" "3 b1"
is "UDP is answered by name over IPv6" "$(ask_udp fd00::11 5353 3)" "3 b1"
check "an echo server starts" echo_server 1 7000
check "a connection gets every byte back" bulk 10.0.0.11 7000 20 0.5
is "the VIP is answered on the backend itself" "$(on b1 curl -s http://$VIP4/)" b1
on client ip route replace $VIP4/32 dev eth0
is "nobody answers ARP for the VIP" "$(get http://$VIP4/; echo $?)" 28
on client ip route replace $VIP4/32 via 10.0.0.2

load web http://10.0.0.11/ 200
sleep 1
went=$(now_ms)
stop web1 KILL
gone=$(now_ms)
sleep 0.3
away=$(now_ms)
web 1
back=$(now_ms)
sleep 0.5
stop_load web
total=$(loaded web total) failed=$(loaded web failed "$gone" "$away")
note "$total requests, $(loaded web failed) failed"
holds "the load counts requests" "$total > 50"
holds "the load counts failed requests while the server is away" "$failed > 3 && $failed == $(loaded web total "$gone" "$away")"
# A request that began just before may be cut off by the end.
is "and none before and after" "$(loaded web failed 0 $((went - 1000))) $(loaded web failed "$back")" "0 0"
finish
