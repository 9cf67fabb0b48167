#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt flows --client finds every flow that is remembered of a client, whatever remembers it: real
# connections of two clients from the same ports, of which each is found with its port, service, address
# and backend, and none of the other client's.
# shellcheck source-path=SCRIPTDIR disable=SC2016,SC2317 # jq's variables
. "$(dirname "$0")/lib.sh"
PREFIX4=198.51.100 ANY4=203.0.113.20
stage 3
companion
address client eth0 10.0.0.9/24 fd00::9/64
on client ip route add $PREFIX4.0/24 via 10.0.0.2
on client ip route add $ANY4/32 via 10.0.0.2
for n in 1 2 3; do
  for a in $PREFIX4.0 $PREFIX4.1 $PREFIX4.2 $PREFIX4.3 $ANY4; do vip "b$n" "$a"; done
  web $n 80 81 82 83 84 85 8000 8001 8002 8003 9000
  udp $n 5353
done
three="backends: [$(for n in 1 2 3; do echo "{ name: b$n, address: $(addr4 $n) },"; done)]"
dsr="forward: dsr" none="check: none"
config <<END
services:
$(service slots tcp $VIP4 80 "$dsr" "$none" "$three")
$(service turns tcp $VIP4 81 "scheduler: rr" "$dsr" "$none" "$three")
$(service loads tcp $VIP4 82 "scheduler: lc" "affinity: source" "$dsr" "$none" "$three")
$(service sources tcp $VIP4 83 "scheduler: sh" "$dsr" "$none" "$three")
$(service nat tcp $VIP4 84 "forward: nat" "$none" "$three")
$(service stays tcp $VIP4 85 "scheduler: rr" "affinity: source" "source_prefix: 30" "$dsr" "$none" "$three")
$(service ports tcp $VIP4 "[8000-8003, 9000]" "scheduler: rr" "$dsr" "$none" "$three")
$(service prefix tcp $PREFIX4.0/30 80 "scheduler: rr" "$dsr" "$none" "$three")
$(service six tcp $VIP6 81 "scheduler: rr" "$dsr" "$none" "backends: [$(for n in 1 2 3; do echo "{ name: b$n, address: \"$(addr6 $n)\" },"; done)]")
$(service dns udp $VIP4 5353 "$dsr" "$none" "$three")
$(service any udp $ANY4 any "scheduler: rr" "$dsr" "$none" "$three")
END
check "shuntd starts" shuntd_start || finish
sleep 3 # a service of two seconds ago learns no flows
own=$(shunt explain 10.0.0.1:1 $VIP4:83 --json | jq -r .backend)
shunt drain slots b1 >/dev/null
shunt drain sources "$own" >/dev/null
shunt drain dns b1 >/dev/null
moves() { [ "$(shunt services --json | jq '[.services[] | select(.moving > 0)] | length')" -eq 3 ]; }
check "three services have slots in transition" wait_for 5 moves

# talk SOURCE: from 24 ports of that address to each service; "VIP PORT CLIENT'S-PORT BACKEND" a line.
cat >"$W/talk.py" <<'END'
import socket, sys
source, ports = sys.argv[1], range(int(sys.argv[2]), int(sys.argv[3]))
for target in sys.argv[4:]:
    vip, port, kind = target.split("/")
    family = socket.AF_INET6 if ":" in vip else socket.AF_INET
    for p in ports:
        s = socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.settimeout(5)
        s.bind((source, p))
        s.connect((vip, int(port)))
        s.sendall(b"1" if kind == "udp" else b"GET / HTTP/1.0\r\n\r\n")
        said = b""
        while True:
            part = s.recv(4096)
            said += part
            if kind == "udp" or not part:
                break
        print(vip, port, p, said.decode().split()[0 if kind == "udp" else -1])
END
talk() { on client "$python" "$W/talk.py" "$@"; }
targets="$VIP4/80/tcp $VIP4/81/tcp $VIP4/82/tcp $VIP4/83/tcp $VIP4/84/tcp $VIP4/8000/tcp $VIP4/8003/tcp $VIP4/9000/tcp
  $PREFIX4.0/80/tcp $PREFIX4.1/80/tcp $PREFIX4.3/80/tcp $VIP4/5353/udp"
# shellcheck disable=SC2086 # a word each
{
  talk 10.0.0.1 31000 31024 $targets >"$W/talked1"
  talk 10.0.0.9 31012 31036 $targets >"$W/talked9"
}
talk 10.0.0.1 31000 31004 $VIP4/85/tcp >"$W/stayed"
talk fd00::1 31000 31024 $VIP6/81/tcp >"$W/talked6"
talk fd00::9 31000 31024 $VIP6/81/tcp >/dev/null
is "every connection is answered" "$(cat "$W"/talked1 "$W"/talked9 "$W/talked6" | wc -l)" 600

found() { shunt flows --limit 0 --json "$@" | jq -r '.flows[] | "\(.vip) \(.port) \(.client_port) \(.backend)"' | sort; }
# only PORT... FILE: what was talked with these ports of services.
only() { awk -v vip=$VIP4 -v ports=" $1 " '$1 == vip && index(ports, " " $2 " ")' "$2" | sort; }
everything="81 8000 8003 9000"
for client in 1 9; do
  found --client 10.0.0.$client --service turns >"$W/found"
  check "10.0.0.$client: each connection by turns is found with its port and backend" diff <(only 81 "$W/talked$client") "$W/found"
  for s in loads nat; do
    port=$(case $s in loads) echo 82 ;; nat) echo 84 ;; esac)
    found --client 10.0.0.$client --service $s | grep -v ' 0 b' >"$W/found" # the source's own
    check "10.0.0.$client: each of $s" diff <(only "$port" "$W/talked$client") "$W/found"
  done
  found --client 10.0.0.$client --service ports >"$W/found"
  check "10.0.0.$client: each of several ports" diff <(only "8000 8003 9000" "$W/talked$client") "$W/found"
  found --client 10.0.0.$client --service prefix >"$W/found"
  check "10.0.0.$client: each of a prefix" diff <(awk -v p=$PREFIX4. 'index($1, p)' "$W/talked$client" | sort) "$W/found"
done
found --client fd00::1 >"$W/found"
check "IPv6 too" diff <(sort "$W/talked6") "$W/found"

# Of slots in transition those that are, of the others none.
for s in slots:80/tcp sources:83/tcp dns:5353/udp; do
  protocol=${s#*/} port=${s#*:} established=()
  port=${port%/*}
  [ "$protocol" = udp ] || established=(--established)
  while read -r vip port p backend; do
    shunt explain "10.0.0.1:$p" "$vip:$port/$protocol" "${established[@]}" --json |
      jq -r --arg line "$vip $port $p $backend" 'select(.why == "remembered") | $line'
  done <<<"$(only "$port" "$W/talked1")" | sort >"$W/wanted"
  found --client 10.0.0.1 --service "${s%:*}" >"$W/found"
  check "${s%:*}: those in transition" diff "$W/wanted" "$W/found"
  all=$([ "${s%:*}" = sources ] && echo 1 || echo 0)
  holds "${s%:*}: which some are" "$(wc -l <"$W/found") > 0 && ($(wc -l <"$W/found") == 24) == $all"
done

# Sources.
kind() { shunt flows --limit 0 --json "$@" | jq -r '.flows[] | "\(.kind) \(.client) \(.client_port) \(.vip) \(.backend)"'; }
is "a source that stays is found once" "$(kind --client 10.0.0.1 --service stays)" \
  "source 10.0.0.1 0 $VIP4 $(awk '{print $4}' "$W/stayed" | sort -u)"
is "another of its prefix too" "$(kind --client 10.0.0.2 --service stays | cut -d ' ' -f 1,2)" "source 10.0.0.2"
is "but not beyond" "$(kind --client 10.0.0.9 --service stays)" ""
is "of least connections source and flows" "$(kind --client 10.0.0.1 --service loads | cut -d ' ' -f 1 | sort | uniq -c | xargs)" "24 all 1 source"

# All at once, and less of it.
found --client 10.0.0.1:31003 --vip $VIP4:81 >"$W/found"
check "one flow" diff <(awk '$2 == 81 && $3 == 31003' "$W/talked1") "$W/found"
is "by protocol" "$(found --client 10.0.0.1:31003 --vip $VIP4:5353/tcp)" ""
is "by backend" "$(found --client 10.0.0.1 --service turns --backend b2 | awk '{print $4}' | sort -u)" b2
is "of one address of a prefix" "$(found --client 10.0.0.1 --vip $PREFIX4.3 | wc -l)" 24
is "of a client that is not there none" "$(found --client 192.0.2.77 --service turns)" ""
wanted=$(awk -v ports=" $everything " '($2 == 80 && $1 ~ /^198/) || index(ports, " " $2 " ")' "$W/talked1" | wc -l)
is "without --service those of all" \
  "$(found --client 10.0.0.1 --vip $VIP4 | awk -v ports=" $everything " 'index(ports, " " $2 " ")' | wc -l)" $((wanted - 72))
shunt flows --client 10.0.0.1 --service turns >"$W/table"
check "people read it too" grep -qE "^all +turns +b[123] +confirmed .* 10.0.0.1:31000 > $VIP4:81$" "$W/table"
check "and of sources" eval "shunt flows --client 10.0.0.1 --service stays | grep -qE '^source .* 10.0.0.1:any > $VIP4:any$'"

# Bounds.
refuses "any port from any port is too much" 1 "10.0.0.1 may have more than 2147483648 .* at most .*--vip" shunt flows --client 10.0.0.1
refuses "of that service too" 1 "services, and 16777216 at most" shunt flows any --client 10.0.0.1
is "with one of both it is not" "$(found --client 10.0.0.1:31000 --service any)" ""
refuses "neither an address nor a prefix" 2 "an address, with a port or without, or a prefix" shunt flows --client 10.0.0.1:0
refuses "an address of services without a client" 2 "wants --client" shunt flows --vip $VIP4
refuses "two IP versions" 2 "--client and --vip are of two IP versions; take addresses of one" shunt flows --client 10.0.0.1 --vip $VIP6
refuses "no address of services" 2 "--vip x" shunt flows --client 10.0.0.1 --vip x

# The daemon goes on meanwhile.
shunt flows --client 10.0.0.1:31000 --service any >/dev/null
began=$(now_ms)
found --client 10.0.0.1 --vip $VIP4 --service ports >/dev/null
note "$((5 * 65536)) looked for in $(($(now_ms) - began)) ms"
finish
