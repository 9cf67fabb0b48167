#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt trace sees a real client's packets with their verdict and backend, and those only that its
# expression takes; shunt capture writes them before and after; and whoever ends, however, leaves the
# packet path's own program in force.
# shellcheck source-path=SCRIPTDIR disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"
stage 2
companion && decap 1 2
for n in 1 2; do web $n 80 81; done
backends4 1 2 >"$W/b"
config <<END
services:
$(service web tcp $VIP4 80 "forward: ipip" "check: none" "backends_file: b")
$(service other tcp $VIP4 81 "forward: dsr" "check: none" "backends_file: b")
END
running 4

# in_force: the name and number of the program that the interface runs.
in_force() { on lb bpftool net show dev eth0 -j | jq -c '.[0].xdp[0].id // .[0].xdp[0].multi_attachments' ; }
former=$(in_force)
is_former() { [ "$(in_force)" = "$former" ]; }
requests() { for _ in 1 2 3; do get http://$VIP4/ && get http://$VIP4:81/; done; }

start trace lb "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" trace --filter "tcp dst port 80 and tcp[tcpflags] & tcp-syn != 0" --json
check "somebody who watches has another program in force" wait_for 5 eval '! is_former'
requests >"$W/answered"
is "clients are served as ever" "$(grep -c '^b[12]$' "$W/answered")" 6
check "each connection is seen" wait_for 5 eval '[ "$(wc -l <"$W/trace.log")" -eq 3 ]'
is "with its verdict and service" "$(jq -rs 'map("\(.verdict) \(.service)") | unique | join(",")' "$W/trace.log")" "forward_ipip web"
is "and the backend that answered" "$(jq -r .backend "$W/trace.log" | xargs)" "$(sed -n '1p;3p;5p' "$W/answered" | xargs)"
check "and what it has become" grep -q 'IPv4 10.0.0.2 > 10.0.0.1[12], IPv4 10.0.0.1 > 203.0.113.10, TCP' "$W/trace.log"
refuses "a second one has to wait" 1 "one at a time" shunt trace --count 1
stop trace INT
check "it is said when nothing has come" eval \
  'shunt trace --service other --seconds 1 2>&1 | grep -qx "no packet that was asked for came within 1 s"'
check "when he has seen enough the former program is in force" wait_for 2 is_former
requests >/dev/null
is "and nothing more is seen" "$(wc -l <"$W/trace.log")" 3

# Those who do not say that they have seen enough.
start gone lb "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" trace
wait_for 5 eval '! is_former'
stop gone KILL
check "of one that was killed the daemon finds out" wait_for 10 is_former
start gone lb "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" trace
check "one watches" wait_for 5 eval '! is_former'
shuntd_stop KILL
is "a daemon that is killed meanwhile leaves clients served" "$(requests | grep -c '^b[12]$')" 6
check "the next one starts" shuntd_start
former=$(in_force)
is "with a program of the packet path" "$(on lb bpftool prog show id "$former" -j | jq -r .name)" shunt_xdp
is "by which clients are served" "$(requests | grep -c '^b[12]$')" 6
stop gone KILL

# Tables that grow take the program along that tells of packets.
start trace lb "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" trace
check "one watches" wait_for 5 eval '! is_former'
for n in $(seq 400); do service "more$n" tcp 203.0.113.77 "$((1000 + n))" "check: none" "backends_file: b"; done >>"$W/shunt.yaml"
check "the tables grow" shunt reload
check "he who watches is told that this ends it" wait_for 10 grep -q \
  "the watching of packets has ended: it is given up when tables grow, another packet path is put in force, the service is gone, or nobody has asked for packets for 5 s" "$W/trace.log"
wait_for 5 ended "${pids[trace]}"
stop trace KILL
former=$(in_force)

# Captures.
start capture lb "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" capture -w "$W/x.pcapng" --service web --filter "tcp" --count 5
check "a capture begins" wait_for 5 eval '! is_former'
requests >/dev/null
wait_for 5 ended "${pids[capture]}"
wait "${pids[capture]}"
is "it ends after as many as are wanted" $? 0
unset "pids[capture]"
check "and leaves the former program in force" wait_for 2 is_former
"$python" - "$W/x.pcapng" >"$W/read" <<'END'
import sys
from scapy.all import rdpcap
for p in rdpcap(sys.argv[1]):
    print(p.sniffed_on if hasattr(p, "sniffed_on") else "?", p.summary())
END
is "others read it: each packet before and after" "$(wc -l <"$W/read")" 10
check "after in its tunnel" grep -q 'IP / IP / TCP' "$W/read"
check "with the verdict in a comment" grep -aq 'forward_ipip, web/b[12]' "$W/x.pcapng"
if command -v tshark >/dev/null; then
  is "by tshark too" "$(tshark -r "$W/x.pcapng" -T fields -e frame.interface_name 2>/dev/null | sort | uniq -c | xargs)" "5 after 5 before"
fi

refuses "an expression that is none" 2 "man pcap-filter" shunt trace --filter "tcp prot 80"
refuses "a sample that is none" 2 "as in 1/100" shunt trace --sample 100
refuses "no count" 2 "a number from 1" shunt trace --count none
refuses "no file" 2 "wants --write" shunt capture
refuses "a file that cannot be" 1 "No such file" shunt capture -w "$W/none/x.pcapng"
finish
