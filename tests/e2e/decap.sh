#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt-decap on a backend: all four tunnels reach a socket, in native and generic mode; addresses
# change in place; what it says and how it ends.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
$python -c 'import scapy' 2>/dev/null || skip_all "scapy is not installed"
decap=$O/shunt-decap
other4=10.9.0.7

namespace a
namespace b
ip link add name eth0 netns "$P-a" type veth peer name eth0 netns "$P-b"
on a ip link set eth0 address 02:00:00:00:00:0a up
on b ip link set eth0 address 02:00:00:00:00:0b up
address a eth0 10.9.0.1/24 fd09::1/64
address b eth0 10.9.0.2/24 fd09::2/64
address b lo $VIP4/32 $VIP6/128 $other4/32
on b sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0 \
  net.ipv4.conf.default.rp_filter=0
on b ip route add default via 10.9.0.1
on b ip route add default via fd09::1

cat >"$W/listen.py" <<'END'
import socket
sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
sock.bind(("::", 7000))
print("ready", flush=True)
while True:
    data, peer = sock.recvfrom(2000)
    print(data[:40].decode(), peer[0].removeprefix("::ffff:"), flush=True)
END
# One frame of each kind, its payload starting with TAG and the kind; outer destination OUTER4, OUTER6.
cat >"$W/send.py" <<'END'
import logging, sys
logging.disable(logging.CRITICAL)
from scapy.all import IP, IPv6, UDP, Ether, Raw, sendp
tag, outer4, outer6, vip4, vip6 = sys.argv[1:]
outer = {4: lambda p: IP(src="10.9.0.1", dst=outer4, proto=p), 6: lambda p: IPv6(src="fd09::1", dst=outer6, nh=p)}
inner = {4: (IP(src="198.51.100.9", dst=vip4), 4), 6: (IPv6(src="2001:db8:9::9", dst=vip6), 41)}
frames = []
for i in 4, 6:
    for o in 4, 6:
        head, proto = inner[i]
        data = Raw(f"{tag}-{i}in{o}".ljust(700, "."))
        frames.append(Ether(src="02:00:00:00:00:0a", dst="02:00:00:00:00:0b") / outer[o](proto)
                      / head / UDP(sport=4000, dport=7000) / data)
sendp(frames, iface="eth0", verbose=False)
END
send() { on a "$python" "$W/send.py" "$1" "${2:-10.9.0.2}" "${3:-fd09::2}" $VIP4 $VIP6; }
# heard TAG: the kinds that arrived with that tag
heard() { sed -n "s/^$1-\([46]in[46])*\)\.* .*/\1/p" "$W/listen.log" | sort | tr '\n' ' '; }
all="4in4 4in6 6in4 6in6 "
arrives() { wait_for 3 eval "[ \"\$(heard $1)\" = '$2' ]"; }
start listen b "$python" "$W/listen.py"
wait_for 5 grep -q ready "$W/listen.log"

refuses "status of an interface without it fails" 1 "eth0: not attached" on b "$decap" status eth0
is "status without one says so" "$(on b "$decap" status)" "attached to no interface"
is "and as JSON an empty list" "$(on b "$decap" status --json)" '{"schema": 1, "interfaces": []}'

said=$(on b "$decap" attach eth0 10.9.0.2 fd09::2 2>&1)
is "attach says what it does" "$said" \
  "eth0: native XDP takes tunnel headers off packets for 10.9.0.2, fd09::2"
send native
check "all four tunnels arrive in native mode" arrives native "$all"
is "the client's address is kept" "$(grep -c '^native-4in6.* 198.51.100.9$' "$W/listen.log")" 1
on a bash -c 'echo plain >/dev/udp/10.9.0.2/7000'
check "other traffic passes" wait_for 3 grep -q '^plain' "$W/listen.log"
decapped() {
  on b "$decap" status --json | "$python" -c 'import json,sys; print(json.load(sys.stdin)["interfaces"][0]["decapped"])'
}
is "they are counted" "$(decapped)" 4
check "status is JSON with the addresses" eval "on b $decap status eth0 --json | $python -c '
import json, sys
j = json.load(sys.stdin)
d, = j[\"interfaces\"]
assert j[\"schema\"] == 1, j
assert d[\"interface\"] == \"eth0\" and d[\"mode\"] == \"native\" and d[\"bad\"] == 0, d
assert d[\"addresses\"] == [\"10.9.0.2\", \"fd09::2\"], d'"
unsaid() {
  local key
  on b "$decap" status --json | jq -r '.. | objects | keys[]' | sort -u | while read -r key; do
    grep -q "\*$key\*" docs/man/shunt-decap.8.scd || echo "$key"
  done
}
is "its keys are in the manual" "$(unsaid)" ""
is "another namespace's eth0 is another interface" "$(on a "$decap" status)" \
  "attached to no interface"

check "attach again changes the addresses in place" on b "$decap" attach eth0 $other4
is "without forgetting the counters" "$(decapped)" 4
send moved
send moved $other4
check "only the new address is taken off" arrives moved "4in4 6in4 "
check "an address is added" on b "$decap" add eth0 fd09::2
send added
check "and taken off" arrives added "4in6 6in6 "
check "an address is removed" on b "$decap" del eth0 fd09::2
refuses "but none that is not there" 1 'fd09::2 is not among the addresses; shunt decap status lists them' \
  on b "$decap" del eth0 fd09::2
send removed
sleep 0.3
is "and not taken off" "$(heard removed)" ""

check "the mode changes on demand" on b "$decap" attach eth0 --generic 10.9.0.2 fd09::2
is "to generic" "$(on b "$decap" status eth0 | head -n 1 | cut -d' ' -f3)" generic
send generic
check "all four tunnels arrive in generic mode" arrives generic "$all"
check "and back" on b "$decap" attach eth0 --native 10.9.0.2 fd09::2
refuses "where native is refused the reason is said" 0 "warning: lo: no native XDP.*slower" \
  on b "$decap" attach lo
refuses "unless native is insisted on" 1 "lo: no native XDP" on b "$decap" attach lo --native
is "and then what there was stays" "$(on b "$decap" status lo | head -n 1 | cut -d' ' -f3)" generic
# ---- whose tunnels, and what became of each source's -------------------------------------------------
source_of() { on b "$decap" status eth0 --json | jq -c --arg a "$1" '.interfaces[0].sources[] | select(.address == $a) | [.packets, .bytes]'; }
count_of() { on b "$decap" status eth0 --json | jq ".interfaces[0].$1"; }
is "only: says whose are taken" "$(on b "$decap" attach eth0 10.9.0.2 fd09::2 --only 10.9.0.1,fd09::/126 2>&1)" \
  "eth0: native XDP takes tunnel headers off packets for 10.9.0.2, fd09::2 only from 10.9.0.1, fd09::/126"
send only
check "only: those who are named are taken from" arrives only "$all"
before=$(source_of 10.9.0.1)
check "only: another source" on b "$decap" attach eth0 10.9.0.2 fd09::2 --only 10.9.0.9,fd09::/126
foreign=$(count_of foreign)
send limited
check "only: the others are left to the stack" arrives limited "4in6 6in6 "
is "only: and counted as foreign" $(($(count_of foreign) - foreign)) 2
is "only: of their sources nothing more was taken off" "$(source_of 10.9.0.1)" "$before"
is "only: a source's packets and bytes" "$(source_of fd09::1 | jq '.[1] / .[0] | . > 760 and . < 820')" true
check "status names them" eval "on b $decap status eth0 | grep -q 'from fd09::1 .*packets'"
check "and who is allowed" eval "on b $decap status eth0 | grep -qx '  only from 10.9.0.9, fd09::/126'"
check "without --only it is anybody again" on b "$decap" attach eth0 10.9.0.2 fd09::2
send anybody
check "and all four arrive" arrives anybody "$all"
is "status does not name anybody then" "$(on b "$decap" status eth0 --json | jq -c '.interfaces[0].only')" "[]"

# ---- congestion marks ---------------------------------------------------------------------------------
# ecn TAG OUTER INNER: a datagram inside marked INNER in a tunnel marked OUTER, over IPv4 and IPv6.
cat >"$W/ecn.py" <<'END'
import logging, sys
logging.disable(logging.CRITICAL)
from scapy.all import IP, IPv6, UDP, Ether, Raw, sendp
tag, outer, inner, vip4, vip6 = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:]
l2 = Ether(src="02:00:00:00:00:0a", dst="02:00:00:00:00:0b")
last = UDP(sport=4000, dport=7001) / Raw(tag)
sendp([l2 / IP(src="10.9.0.1", dst="10.9.0.2", proto=4, tos=outer) / IP(src="198.51.100.9", dst=vip4, tos=inner) / last,
       l2 / IPv6(src="fd09::1", dst="fd09::2", nh=41, tc=outer) / IPv6(src="2001:db8:9::9", dst=vip6, tc=inner) / last],
      iface="eth0", verbose=False)
END
cat >"$W/marks.py" <<'END'
import socket
sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
sock.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
sock.bind(("::", 7001))
print("ready", flush=True)
while True:
    data, extra, _, peer = sock.recvmsg(2000, 200)
    print(data.decode(), *["%d" % int.from_bytes(v, "little") for _, _, v in extra], flush=True)
END
start marks b "$python" "$W/marks.py"
wait_for 5 grep -q ready "$W/marks.log"
for row in "2 3 3" "1 3 3" "2 1 1" "2 0 2" "0 2 0" "3 0 3"; do
  read -r inner outer wanted <<<"$row"
  on a "$python" "$W/ecn.py" "ecn-$inner-$outer" "$outer" "$inner" $VIP4 $VIP6
  check "ECN $inner in $outer arrives twice as $wanted" \
    wait_for 3 eval "[ \$(grep -cx 'ecn-$inner-$outer $wanted' '$W/marks.log') = 2 ]"
done
ecn=$(count_of ecn)
on a "$python" "$W/ecn.py" ecn-0-3 3 0 $VIP4 $VIP6
check "congestion that cannot be told inside ends the packet" \
  wait_for 3 eval "[ \$((\$(count_of ecn) - $ecn)) = 2 ]"
is "and nothing arrives" "$(grep -c ecn-0-3 "$W/marks.log")" 0
stop marks KILL

check "detach" on b "$decap" detach lo
check "detach" on b "$decap" detach eth0
send detached
sleep 0.3
is "nothing is taken off any more" "$(heard detached)" ""
refuses "detach again fails" 1 "eth0: not attached" on b "$decap" detach eth0
refuses "and so does a change" 1 "eth0: not attached" on b "$decap" add eth0 10.9.0.2

refuses "no such interface" 1 "nosuch0: no such interface" "$decap" attach nosuch0 10.9.0.2
refuses "no command" 2 "which command" "$decap"
refuses "unknown command" 2 "no such command: bogus" "$decap" bogus
refuses "no interface" 2 "which interface" "$decap" attach
refuses "bad address" 2 "not the IPv4 or IPv6 address of a host: 10.0.0.300" \
  "$decap" attach eth0 10.0.0.300
refuses "address with a port" 2 "not the IPv4" "$decap" attach eth0 10.0.0.3:80
refuses "only nobody" 2 "--only which sources" "$decap" attach eth0 --only
refuses "only a name" 2 "not the address or prefix of balancers: web" "$decap" attach eth0 --only 10.0.0.1,web
refuses "only an empty one" 2 "not the address or prefix" "$decap" attach eth0 --only 10.0.0.1,
refuses "only too long a prefix" 2 "not a prefix's length: 10.0.0.0/33" "$decap" attach eth0 --only 10.0.0.0/33
refuses "only with bits beyond" 2 "bits beyond its length: 10.0.0.1/24" "$decap" attach eth0 --only 10.0.0.1/24
refuses "only elsewhere" 2 "not an option here: --only" "$decap" add eth0 --only 10.0.0.1
refuses "contradicting modes" 2 "contradict" "$decap" attach eth0 --native --generic
refuses "unknown option" 2 "not an option here: --json" "$decap" attach eth0 --json
refuses "help has examples" 0 "shunt decap attach eth0 10.0.0.11" "$decap" --help

check "attach once more" on b "$decap" attach eth0 10.9.0.2
ifindex=$(on b ip -o link show eth0 | cut -d: -f1)
dir=/sys/fs/bpf/shunt-decap/$ifindex-$(on b stat -Lc %i /proc/self/ns/net)
check "the pins are where the manual says" test -e "$dir/link"
stop listen KILL
ip netns del "$P-b"
wait_for 3 test ! -e "/run/netns/$P-b"
sweeps() { "$decap" status >/dev/null && test ! -e "$dir"; }
check "pins of an interface that is gone are swept away" wait_for 5 sweeps
finish
