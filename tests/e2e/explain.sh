#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt explain says what a real client then gets, by every method and for every kind of drop, and leaves
# nothing behind; shunt flows lists who is remembered.
# shellcheck source-path=SCRIPTDIR disable=SC2016,SC2086 # numbers of ports, one word each
. "$(dirname "$0")/lib.sh"
stage 5
companion && decap 2 3 4
for n in 1 2 3 4 5; do web $n 80 81 82 83 84 && udp $n 5353; done
printf '10.0.0.0/24\n' >"$W/web.denied"
methods="dsr ipip gue gre nat"
n=0
for method in $methods; do n=$((n + 1)) && echo "$(addr4 $n) name=b$n forward=$method"; done >"$W/all"
n=0
for method in dsr ipip gue gre; do n=$((n + 1)) && echo "$(addr4 $n) name=b$n forward=$method"; done >"$W/four"
config <<END
services:
$(service web tcp $VIP4 80 "forward: dsr" "$FAST_TCP" "backends_file: all")
$(service six tcp $VIP6 80 "forward: ipip" "$FAST_TCP" "backends: [ $(for n in 2 3 4; do echo "{ name: b$n, address: \"$(addr6 $n)\" },"; done) ]")
$(service turns tcp $VIP4 81 "scheduler: rr" "forward: dsr" "check: none" "backends_file: four")
$(service denied tcp $VIP4 82 "forward: dsr" "check: none" "deny_file: web.denied" "backends_file: four")
$(service limited tcp $VIP4 83 "forward: dsr" "check: none" "rate: { new_flows: 1, burst: 1 }" "backends_file: four")
$(service empty tcp $VIP4 84 "forward: dsr" "on_empty: drop" "check: { type: tcp, port: 9, interval: 250ms, timeout: 200ms, rise: 1, fall: 1 }" "backends: [ { name: b1, address: $(addr4 1) } ]")
$(service dns udp $VIP4 5353 "forward: gue" "check: none" "backends_file: four")
END
check "shuntd starts" shuntd_start || finish
wait_for 10 eval '[ "$(count_state up web)" -eq 5 ] && [ "$(count_state up six)" -eq 3 ] && [ "$(count_state down empty)" -eq 1 ]'

ask() { shunt explain "$@" --json; }
said() { jq -r "$1" "$W/answer"; }
# agree FROM TO URL PORT...: what is said of each port is who answers it.
agree() {
  local url=$1 to=$2 from=$3 port wrong=0 backend got
  shift 3
  for port; do
    backend=$(ask "$from:$port" "$to" | jq -r .backend)
    got=$(get --local-port "$port" "$url")
    [ "$backend" = "$got" ] || { note "port $port: said $backend, got $got" && wrong=$((wrong + 1)); }
    echo "$got" >>"$W/answered"
  done
  is "what is said of $to is what happens" $wrong 0
}
ports=$(seq 31000 31039)
agree http://$VIP4/ $VIP4:80 10.0.0.1 $ports
is "by every method" "$(sort -u "$W/answered" | xargs)" "b1 b2 b3 b4 b5"
: >"$W/answered"
agree "http://[$VIP6]/" "[$VIP6]:80" "[fd00::1]" $(seq 31100 31119)
is "by IPv6 too" "$(sort -u "$W/answered" | xargs)" "b2 b3 b4"
wrong=0
for port in $(seq 32000 32019); do
  backend=$(ask 10.0.0.1:$port $VIP4:5353/udp | jq -r .backend)
  got=$(on client "$python" -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('', $port)); s.settimeout(8); s.sendto(b'1', ('$VIP4', 5353))
print(s.recv(99).decode().split()[0])")
  [ "$backend" = "$got" ] || { note "port $port: said $backend, got $got" && wrong=$((wrong + 1)); }
done
is "of UDP too" $wrong 0

# Connections that are translated are known afterwards; who goes by turns is remembered.
port=$(for p in $ports; do ask 10.0.0.1:$p $VIP4:80 --established | jq -r "select(.forward == \"nat\") | $p"; done | head -n 1)
ask 10.0.0.1:"$port" $VIP4:80 --established >"$W/answer"
is "a connection that is translated is known" "$(said .why)" connection
got=$(get --local-port 33000 http://$VIP4:81/)
ask 10.0.0.1:33000 $VIP4:81/tcp --established >"$W/answer"
is "a flow that is remembered is said to be with who answered it" "$(said '.backend + " " + .why')" "$got remembered"
ask 10.0.0.1:33001 $VIP4:81 >"$W/answer"
is "one that would be remembered is said to be so" "$(said '.why + " \(.remembers)"')" "turn true"

# Drops, and what to do about them.
verdict() { # WORDS VERDICT ADVICE ARGUMENT...
  local words=$1 verdict=$2 advice=$3
  shift 3
  ask "$@" >"$W/answer"
  is "$words" "$(said .verdict)" "$verdict"
  check "$words: and what to do about it" grep -q "$advice" "$W/answer"
}
verdict "a source that is denied" drop_denied "deny_file" 10.0.0.1:4000 $VIP4:82
refuses "and it is" 28 "" get http://$VIP4:82/
used_up() { # for a second
  get http://$VIP4:83/ >/dev/null
  ask 10.0.0.1:4000 $VIP4:83 >"$W/answer"
  [ "$(said .verdict)" = drop_rate_service ]
}
check "a rate that is used up" wait_for 5 used_up
check "a rate that is used up: and what to do about it" grep -q new_flows "$W/answer"
verdict "a service without a backend" drop_no_backend "on_empty" 10.0.0.1:4000 $VIP4:84
verdict "an address without a service" pass_not_vip "shunt services" 10.0.0.1:4000 198.51.100.9:4444
verdict "a source that nobody has" drop_bad_source "attacker" 127.0.0.1:4000 $VIP4:80
closest() { shunt explain "$@" | grep -A 2 ^service; }
check "the wrong port is told" eval "closest 10.0.0.1:4000 $VIP4:99 | grep -q 'this address and protocol, but not port 99'"
check "the wrong protocol" eval "closest 10.0.0.1:4000 $VIP4:5353/tcp | grep -q 'dns .*comes closest'" ||
  closest 10.0.0.1:4000 $VIP4:5353/tcp
check "the wrong address" eval "closest 10.0.0.1:4000 198.51.100.9:82 | grep -q 'but not this address'"
check "an interface that shunt is not on is told" eval "shunt explain 10.0.0.1:4000 $VIP4:80 --interface lo | grep -q 'not attached'"
check "one that it is on too" eval "shunt explain 10.0.0.1:4000 $VIP4:80 --interface eth0 | grep -q 'eth0, native'"
check "bytes are shown" eval "shunt explain 10.0.0.1:4000 $VIP4:80 --bytes | grep -A 3 'as it leaves' | grep -q '0010  '"

# Nothing is left behind. What passes by without being asked for (ARP, probes) is not looked at.
counted() {
  shunt stats --json | jq '[.verdicts[] | select(.class != "pass") | {name, packets}],
    [.services[] | {name, packets, flows, over_rate}]'
}
counted >"$W/before"
listed() { jq -c ".flows[] | del(.age_ms, .state)" | sort; }
shunt flows --json --limit 0 | listed >"$W/flows"
for p in $(seq 34000 34019); do for s in 80 81 82 83 84; do ask 10.0.0.1:$p $VIP4:$s >/dev/null; done; done
counted >"$W/after"
check "a hundred questions count nothing" diff "$W/before" "$W/after"
# Connections that had ended go meanwhile.
shunt flows --json --limit 0 | listed >"$W/later"
check "flows are there to be compared" test -s "$W/flows" -a -s "$W/later"
is "and remember nothing" "$(comm -13 "$W/flows" "$W/later")" ""

# A drain: slots in transition.
shunt drain web b2 >/dev/null
port=$(for p in $(seq 36000 36099); do ask 10.0.0.1:"$p" $VIP4:80 | jq -r "select(.in_transition and .base == \"b2\") | $p"; done | head -n 1)
ask 10.0.0.1:"$port" $VIP4:80 >"$W/answer"
is "in a slot in transition a new flow goes to its new owner" "$(said '.why + " \(.backend == .cur)"')" "new true"
ask 10.0.0.1:"$port" $VIP4:80 --established >"$W/answer"
is "and an older one to the one before" "$(said '.why + " " + .backend')" "old b2"
check "a new one is remembered" get --local-port "$port" http://$VIP4/
ask 10.0.0.1:"$port" $VIP4:80 --established >"$W/answer"
check "and then said to be" eval "jq -e '.backend == .cur and (.why == \"remembered\" or .why == \"connection\")' \"\$W/answer\""
check "how the service chooses is told" eval "shunt explain web | grep -qE 'b2 .*drained'"
check "and which pools it has" eval "shunt explain web | grep -qE '^pools +pool 0: 5 of 5 up, gets new flows'"

# Flows.
holds "flows of turns are listed with their backends" \
  "$(shunt flows turns --json | jq '[.flows[] | select(.kind == "all" and .backend != null)] | length') > 0"
holds "translated connections with their clients" \
  "$(shunt flows web --client 10.0.0.0/24 --json | jq '[.flows[] | select(.kind == "nat" and .backend == "b5" and .client == "10.0.0.1")] | length') > 0"
is "nobody else's" "$(shunt flows --client 192.0.2.0/24 --json | jq '.flows | length')" 0
for _ in 1 2 3; do get http://$VIP4:81/ >/dev/null; done
is "no more than are asked for" "$(shunt flows --limit 2 --json | jq '"\(.flows | length) \(.more)"')" '"2 true"'
check "of one backend only" eval "shunt flows --backend b5 --json --limit 0 | jq -e '[.flows[].backend] | unique == [\"b5\"]'"
refuses "of no service" 1 'no service "nobody"' shunt flows nobody
refuses "no number" 2 "a number" shunt flows --limit x
refuses "no prefix" 2 "an address, with a port or without, or a prefix" shunt flows --client 10.0.0.0/33

# Captures.
"$python" - "$W/x.pcap" <<END
import sys
from scapy.all import Ether, IP, TCP, UDP, ARP, Raw, wrpcap
frames = [Ether()/IP(src="10.0.0.1", dst="$VIP4")/TCP(sport=35000 + i, dport=80, flags="S") for i in range(5)]
frames.append(Ether()/ARP())
frames.append(Ether()/IP(src="10.0.0.1", dst="$VIP4")/UDP(sport=9, dport=5353)/Raw(b"x" * 9000))
frames.append(Ether()/IP(src="10.0.0.1", dst="$VIP4")/TCP(sport=9, dport=82, flags="S"))
wrpcap(sys.argv[1], frames)
END
shunt explain --pcap "$W/x.pcap" >"$W/lines"
is "each IP packet of a capture is explained" "$(grep -c 'TCP SYN\|UDP' "$W/lines")" 7
check "one that is too long too" grep -q 'UDP .*forward_\|UDP .*dropped\|UDP .*too_big' "$W/lines"
check "and summed up" grep -q '^7 packets: . forwarded, . dropped; 1 were no IP' "$W/lines"
is "as JSON too" "$(shunt explain --pcap "$W/x.pcap" --json | jq -s 'map(.verdict) | .[-1]')" '"drop_denied"'
refuses "a file that is none" 1 "x.none" shunt explain --pcap "$W/x.none"
echo nonsense nonsense nonsense >"$W/nonsense"
refuses "a file of something else" 1 "nonsense: unknown file format" shunt explain --pcap "$W/nonsense"

# Misuse.
refuses "no port" 2 "port have to follow" shunt explain 10.0.0.1 $VIP4:80
refuses "two IP versions" 2 "are of two IP versions; take an? address" shunt explain 10.0.0.1:1 "[$VIP6]:80"
refuses "no such interface" 1 'no interface "nowhere"; shunt is told to use: eth0' shunt explain 10.0.0.1:1 $VIP4:80 --interface nowhere
refuses "no such service" 1 'no service "nobody"; there are: web' shunt explain nobody
refuses "nothing at all" 2 "wants a service" shunt explain

best=1000
for _ in 1 2 3 4 5 6 7 8; do
  began=$(now_ms) && ask 10.0.0.1:4000 $VIP4:80 >/dev/null && took=$(($(now_ms) - began))
  [ $took -lt $best ] && best=$took
done
note "explained in $best ms"
finish
