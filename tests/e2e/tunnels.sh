#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# GUE and GRE: real clients talk TCP and UDP through each, over IPv4 and IPv6 and from one to the other,
# to backends that take the tunnel off with shunt decap.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 2
companion && decap 1 2
for n in 1 2; do
  web $n 80 81 82 83 && udp $n 5353 && echo_server $n 7000
  start "udp-more$n" "b$n" "$python" "$E2E/udp.py" serve "b$n" 5354 # udp knows of one
  wait_for 5 on "b$n" "$python" "$E2E/udp.py" ask 127.0.0.1 5354 1
done
backends4 1 2 >"$W/v4.backends"
backends6 1 2 >"$W/v6.backends"
for method in gue gre; do
  config <<END
services:
$(service w44 tcp $VIP4 80 "forward: $method" "$FAST" "backends_file: v4.backends")
$(service w46 tcp $VIP4 81 "forward: $method" "$FAST" "backends_file: v6.backends")
$(service w64 tcp $VIP6 82 "forward: $method" "$FAST" "backends_file: v4.backends")
$(service w66 tcp $VIP6 83 "forward: $method" "$FAST" "backends_file: v6.backends")
$(service u44 udp $VIP4 5353 "forward: $method" "check: none" "backends_file: v4.backends")
$(service u46 udp $VIP4 5354 "forward: $method" "check: none" "backends_file: v6.backends")
$(service u64 udp $VIP6 5353 "forward: $method" "check: none" "backends_file: v4.backends")
$(service u66 udp $VIP6 5354 "forward: $method" "check: none" "backends_file: v6.backends")
$(service echo6 tcp $VIP6 7000 "forward: $method" "check: none" "backends_file: v6.backends")
END
  check "shuntd starts with forward: $method" shuntd_start || finish
  check "$method: all backends are up" wait_for 5 all_up 18 || { shunt backends | sed 's/^/# /' && finish; }
  for url in http://$VIP4:80/ http://$VIP4:81/ "http://[$VIP6]:82/" "http://[$VIP6]:83/"; do
    spread 100 "$url" >"$W/spread"
    is "$method: both backends answer $url" "$(awk '{print $2}' "$W/spread" | xargs)" "b1 b2"
    is "$method: no request to $url fails" "$(awk '{n += $1} END {print n}' "$W/spread")" 100
  done
  for vip in $VIP4 $VIP6; do
    for port in 5353 5354; do
      said=$(ask_udp "$vip" $port 40 40)
      is "$method: every datagram to $vip port $port is answered" \
        "$(awk '{n += $1} END {print n}' <<<"$said")" 40
    done
  done
  check "$method: every byte of a long transfer comes back" bulk $VIP6 7000 50 1
  said=$(shunt stats --json | jq -r '.verdicts[] | select(.packets > 0) | .name' | grep -i "^drop" | xargs)
  is "$method: nothing was dropped" "$said" ""
  check "$method: shuntd stops" shuntd_stop
  on lb "$O/shuntd" --remove -c "$W/shunt.yaml" >/dev/null 2>&1
done
# ---- where tunnels come from, and GUE without a checksum --------------------------------------------

# outer N COUNT FILTER FIELDS: what the first COUNT frames that match and reach bN have in these fields.
cat >"$W/outer.py" <<'END'
import socket, struct, sys, time
n, family, proto = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("eth0", 0))
s.settimeout(8)
print("ready", flush=True)
while n:
    f = s.recv(2000)
    kind = struct.unpack("!H", f[12:14])[0]
    if family == 4 and kind == 0x800 and f[23] == proto:
        print(socket.inet_ntop(socket.AF_INET, f[26:30]), *struct.unpack("!HHHH", f[34:42]), flush=True)
    elif family == 6 and kind == 0x86dd and f[20] == proto:
        print(socket.inet_ntop(socket.AF_INET6, f[22:38]), *struct.unpack("!HHHH", f[54:62]), flush=True)
    else:
        continue
    n -= 1
END
# Native XDP on the backend takes the header off before a packet socket sees it: look from the bridge.
watch() {
  : >"$W/outer$1.log"
  sed "s/\"eth0\"/\"b$1\"/" "$W/outer.py" >"$W/outer$1.py"
  start "outer$1" sw "$python" "$W/outer$1.py" "$2" "$3" "$4"
  wait_for 5 grep -q ready "$W/outer$1.log"
}
watched() { wait_for 10 ended "${pids[outer$1]}"; stop "outer$1"; grep -v ready "$W/outer$1.log"; }

on lb ip route add local 10.0.5.0/24 dev lo
config <<END
tunnel_source: 10.0.5.0/24
tunnel_source6: fd00:5::/112
gue_checksum: zero
services:
$(service i4 tcp $VIP4 80 "forward: ipip" "$FAST" "backends: [10.0.0.11]")
$(service g4 tcp $VIP4 81 "forward: gre" "$FAST" "backends: [10.0.0.12]")
$(service i6 tcp $VIP6 82 "forward: ipip" "$FAST" "backends: ['fd00::11']" "tunnel_source6: fd00:6::/120")
$(service z6 tcp $VIP6 83 "forward: gue" "$FAST" "backends: ['fd00::12']")
$(service f6 udp $VIP6 5353 "forward: gue" "check: none" "gue_checksum: full" "backends: ['fd00::11']")
END
for n in 1 2; do on "b$n" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0; done
check "shuntd starts with tunnel_source as prefixes" shuntd_start || finish
check "all backends are up" wait_for 5 all_up 5 || { shunt backends | sed 's/^/# /' && finish; }
check "a source that is not this host's is warned of" grep -q \
  "tunnel source fd00:6::/120 is not this host's.*ip route add local fd00:6::/120 dev lo" "$W/shuntd.log"
is "and one that is, is not" "$(grep -c 'tunnel source 10.0.5.0/24' "$W/shuntd.log")" 0
watch 1 450 4 4
is "ipip: answered from every source" "$(spread 100 http://$VIP4:80/)" "100 b1"
sources=$(watched 1 | awk '{print $1}' | sort -u)
holds "ipip: sources vary by flow ($(wc -l <<<"$sources") of 64)" "$(wc -l <<<"$sources") > 25"
is "ipip: all within the prefix" "$(grep -vcE '^10\.0\.5\.[0-9]+$' <<<"$sources")" 0
watch 2 450 4 47
is "gre: answered from every source" "$(spread 100 http://$VIP4:81/)" "100 b2"
holds "gre: sources vary by flow" "$(watched 2 | awk '{print $1}' | sort -u | wc -l) > 25"
watch 1 450 6 41
is "ipip over IPv6: answered from every source" "$(spread 100 "http://[$VIP6]:82/")" "100 b1"
sources=$(watched 1 | awk '{print $1}' | sort -u)
holds "ipip over IPv6: sources vary by flow" "$(wc -l <<<"$sources") > 25"
is "ipip over IPv6: within the service's own prefix" "$(grep -vc '^fd00:6::' <<<"$sources")" 0
watch 2 450 6 17
is "gue with gue_checksum: zero is answered" "$(spread 100 "http://[$VIP6]:83/")" "100 b2"
watched 2 >"$W/gue"
is "gue: no checksum there" "$(awk '{print $5}' "$W/gue" | sort -u)" 0
is "gue: one source, the first of the prefix" "$(awk '{print $1}' "$W/gue" | sort -u)" fd00:5::1
holds "gue: ports vary by flow" "$(awk '{print $2}' "$W/gue" | sort -u | wc -l) > 50"
watch 1 40 6 17
said=$(ask_udp $VIP6 5353 40 40)
is "gue with gue_checksum: full is answered" "$(awk '{n += $1} END {print n}' <<<"$said")" 40
is "gue: every packet has a checksum" "$(watched 1 | awk '$5 == 0' | wc -l)" 0
check "shuntd stops" shuntd_stop

# ---- what the outer header takes from the packet, and what not ---------------------------------------

# A datagram with a class, a TTL and no DF: what the headers are on the way, in octets.
cat >"$W/marked.py" <<'END'
import socket, sys
vip, port, tos, ttl = sys.argv[1], *map(int, sys.argv[2:])
six = ":" in vip
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
if six:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, tos)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
else:
    s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
    s.setsockopt(socket.IPPROTO_IP, 10, 0) # IP_MTU_DISCOVER: no DF
s.settimeout(2)
s.sendto(b"x" * 700, (vip, port))
print(s.recv(2000).decode().split()[0])
END
cat >"$W/headers.py" <<'END'
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("b1", 0))
s.settimeout(60)
print("ready", flush=True)
def header(p):
    if p[0] >> 4 == 4:
        return f"tos {p[1]} id {'0' if p[4:6] == bytes(2) else 'any'} df {p[6] >> 6 & 1} ttl {p[8]}", p[20:]
    return f"class {(p[0] & 15) << 4 | p[1] >> 4} hops {p[7]}", p[40:]
while True:
    f = s.recv(2000)
    if len(f) > 740 and f[12:14] in (b"\x08\x00", b"\x86\xdd") and (f[23] == 4 or f[20] == 41):
        outer, rest = header(f[14:])
        print(outer, "/", header(rest)[0], flush=True)
END
config <<END
services:
$(service u4 udp $VIP4 5353 "forward: ipip" "check: none" "backends: [10.0.0.11]")
$(service u6 udp $VIP6 5353 "forward: ipip" "check: none" "backends: ['fd00::11']")
END
check "shuntd starts once more" shuntd_start || finish
check "both backends are up" wait_for 5 all_up 2
start headers sw "$python" "$W/headers.py"
wait_for 5 grep -q ready "$W/headers.log"
for tos in 184 186 185 187 0 3; do # EF with each of the four ECN codepoints; none, and CE alone
  is "class $tos: answered" "$(on client "$python" "$W/marked.py" $VIP4 5353 $tos 9)" b1
  is "class $tos: answered over IPv6" "$(on client "$python" "$W/marked.py" $VIP6 5353 $tos 9)" b1
  check "class $tos goes outside too; DF, id 0, a TTL of its own, and a hop less inside" \
    wait_for 5 grep -qE "^tos $tos id 0 df 1 ttl 64 / tos $tos id [a-z0-9]+ df 0 ttl 8\$" "$W/headers.log"
  check "class $tos over IPv6" wait_for 5 grep -qx "class $tos hops 64 / class $tos hops 8" "$W/headers.log"
done
refuses "a TTL of 1 is used up here" 1 "timed out" on client "$python" "$W/marked.py" $VIP4 5353 0 1
is "and counted" "$(shunt stats --json | jq '[.verdicts[] | select(.name | test("ttl|time")) | .packets] | add')" 1
check "shuntd stops" shuntd_stop

bad=$(on b1 "$O/shunt-decap" status eth0 --json | jq '.interfaces[0].bad')
is "no backend saw a malformed tunnel packet" "$bad" 0
finish
