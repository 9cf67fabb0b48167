#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The rarer findings of shunt doctor, provoked where the machine itself need not be touched: by another
# mount namespace for what /proc says of it, by a personality for its kernel, by limits of a process, and
# by packets for what is counted. Each is mended by what was printed, and seen no more. Not to be had so:
# large receive offload (no device here has it), a clock that nobody keeps (only compared), a driver
# without room for a tunnel's header, datagrams of peers from the past, a full table of connections (what
# is printed takes a gigabyte), one of flows, and an upgrade that was refused.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
INTERFACES="eth0, eth1"
stage 2
second_arm 3
companion
# shellcheck source=tests/e2e/examine.bash
. "$E2E/examine.bash"
for n in 1 2; do web $n; done
web 3
on lb sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0 \
  net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
config <<END
hash_secret: 0123456789abcdef
services:
$(service web tcp $VIP4 80 "forward: dsr" "$FAST" "backends: [10.0.0.11 name=b1, 10.0.0.12 name=b2]")
END
file=(-c "$W/shunt.yaml")

# in_shell CHECK COMMAND...: the doctor under COMMAND, then what he printed, and the doctor again, in one
# shell; how often he has found it each time.
in_shell() {
  local name=$1
  shift
  rm -f "$W/first" "$W/second"
  # shellcheck disable=SC2016 # for the other shell
  CHECK=$name on lb env PATH="$W/bin:$PATH" "$@" bash -c '"$@" >"$W/first"
    eval "$(jq -r --arg c "$CHECK" "[.findings[] | select(.check == \$c) | .remedy][0]" "$W/first")" >/dev/null
    "$@" >"$W/second"; true' - "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" doctor --json "${file[@]}"
  for found in first second; do jq --arg c "$name" '[.findings[] | select(.check == $c)] | length' "$W/$found"; done | xargs
}
export W

# ---- of the host, without a daemon ------------------------------------------------------------------

# shellcheck disable=SC2016 # for the other shell
is "a kernel that interprets programs is found, and what is printed mends it" "$(in_shell jit unshare -m bash -c '
  mount -t tmpfs tmpfs /proc/sys/net/core && echo 0 >/proc/sys/net/core/bpf_jit_enable && exec "$@"' -)" "1 0"
old=(setarch "$(uname -m)" --uname-2.6)
if [ "$("${old[@]}" uname -r | cut -d. -f1)" = 2 ]; then
  is "an old kernel is found; to boot another one is none of a test's" "$(on lb "${old[@]}" "$O/shunt" doctor --json \
    "${file[@]}" | jq -r '[.findings[] | select(.check == "kernel") | .severity][0]')" error
  # shellcheck disable=SC2016 # for the other shell
  found=$(in_shell memory "${old[@]}" bash -c 'ulimit -Sl 64 && exec "$@"' - 2>"$W/ulimit.log")
  if [ "$(ulimit -Hl)" = unlimited ]; then
    is "tables that count as locked memory, where that is limited; and the limit taken off" "$found" "1 0"
  else # nobody can take it off here
    is "tables that count as locked memory, where that is limited" "$found" "1 1"
  fi
fi
unsynced=$("$python" -c 'import ctypes; b = ctypes.create_string_buffer(512)
state = ctypes.CDLL(None).adjtimex(b)
print(int(state == 5 or int.from_bytes(b.raw[40:44], "little") & 0x40 != 0))')
examine "${file[@]}"
is "of the clock he says what the kernel does" "$(of clock . length)" "$unsynced"

# ---- of interfaces and services, without a daemon ------------------------------------------------------

on lb ip link add va type veth peer name vb
if on lb ip link add link va name mv type macvlan 2>"$W/ip.log" && on lb ethtool -K mv lro on 2>>"$W/ip.log"; then
  on lb ip link set va up
  on lb ip link set mv up
  sed 's/eth0, eth1/eth0, eth1, mv/' "$W/shunt.yaml" >"$W/mv.yaml"
  mends lro warning 'interface mv: large receive offload' lb -c "$W/mv.yaml"
else
  note "no interface here has large receive offload: $(head -n 1 "$W/ip.log")"
fi
on lb ip link del va
config <<END
hash_secret: 0123456789abcdef
services:
$(service own tcp 203.0.113.77 80 "forward: local")
$(service own6 tcp 2001:db8::77 80 "forward: local")
$(service back6 tcp $VIP6 82 "forward: masq" "check: none" "backends: ['fd01::13 name=b3']")
$(service far tcp $VIP4 83 "forward: dsr" "check: none" "backends: [198.51.100.9 name=b9]")
$(service web tcp $VIP4 80 "forward: dsr" "$FAST" "backends: [10.0.0.11 name=b1, 10.0.0.12 name=b2]")
END
mends local error 'own: forward: local, and 203.0.113.77' lb "${file[@]}"
mends local error 'own6: forward: local, and 2001:db8::77' lb "${file[@]}"
on lb sysctl -qw net.ipv6.conf.all.forwarding=0
mends forwarding warning 'does not forward IPv6' lb "${file[@]}"
mends next-hop error 'far/b9.*no route' lb "${file[@]}"
on lb ip route replace 198.51.100.9/32 via 10.0.0.11
check "dsr over a router is found" finds next-hop error 'far/b9.*router' "${file[@]}"
on lb ip route del 198.51.100.9/32
on lb ip address add 10.0.0.12/32 dev eth0
mends next-hop error 'web/b2.*(this host|own)' lb "${file[@]}"
on lb ip link add vc type veth peer name vd
on lb ip link set vc up
on lb ip link set vd up
on lb ip route replace 10.0.0.12/32 dev vc
cp "$W/shunt.yaml" "$W/flow.yaml"
mends next-hop error 'web/b2.*over vc' lb "${file[@]}"
sed 's/^interfaces: .*/interfaces:\n  - eth0\n  - eth1/' "$W/flow.yaml" >"$W/shunt.yaml"
mends next-hop error 'web/b2.*over vc' lb "${file[@]}"
on lb ip link del vc

# ---- with a daemon ---------------------------------------------------------------------------------

# started LINE... : a daemon of this configuration; the services with web's backends.
started() {
  [ -z "${pids[shuntd]:-}" ] || shuntd_stop
  { printf '%s\n' "hash_secret: 0123456789abcdef" "$@" "services:" && cat; } | config
  check "shuntd starts" shuntd_start || finish
}
started "nat_ports: 10000-10000" "peers: ['10.0.0.2:6082', '10.0.0.99:6082']" "peer_listen: 10.0.0.2:6082" \
  "peer_secret: 0123456789abcdef" <<END
$(service web tcp $VIP4 80 "forward: dsr" "panic: 60%" "$FAST" "backends: [10.0.0.11 name=b1, 10.0.0.12 name=b2]")
$(service nat tcp $VIP4 81 "forward: nat" "check: none" "backends: ['10.0.0.11:80 name=b1']")
$(service tun udp $VIP4 82 "forward: ipip" "check: none" "backends: ['10.0.0.11 name=b1']")
END
check "backends are up" wait_for 8 all_up 4
on b2 ip link set eth0 down
check "a backend that does not answer is found" wait_for 12 finds next-hop error 'web/b2.*no neighbour'
on b2 ip link set eth0 up
check "what is printed for it can be run" wait_for 5 mend next-hop 'web/b2'
check "and there it is again" wait_for 12 gone next-hop 'web/b2'

cp "$W/shunt.yaml" "$W/good.yaml"
sed -i '$a icmp_rat: 7' "$W/shunt.yaml"
refuses "a reload that is refused" 1 icmp_rat shunt reload
cp "$W/good.yaml" "$W/shunt.yaml"
mends config warning 'the last reload was refused' lb

stop web1
stop web2
check "both are down" wait_for 8 eval "is_state web b1 down && is_state web b2 down"
check "panic is found" finds usable error '0 of its 2 backends are usable, which is panic'
web 1
web 2
check "and gone when they are back" wait_for 8 gone usable .

on client bash -c 'echo garbage >/dev/udp/10.0.0.2/6082'
check "a datagram that is no peer's is found" wait_for 5 finds peers warning 'not of a peer'
is "what peers should agree on is what is printed" "$(of peers . '.[0].remedy')" "shunt fingerprint"

# ---- what packets tell -----------------------------------------------------------------------------

cat >"$W/flood.py" <<'PY'
"""Datagrams to a port, 200 a second, each from a socket of its own; with a size those are sent whole."""
import socket, sys, time
address, port, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
while True:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        if size > 100:
            s.setsockopt(socket.IPPROTO_IP, 10, 3) # IP_MTU_DISCOVER, IP_PMTUDISC_PROBE
        s.sendto(bytes(size), (address, port))
    time.sleep(0.005)
PY
start held client bash -c "exec 3<>/dev/tcp/$VIP4/81; sleep 600" # the only port there is
start flood client bash -c "while :; do curl -s --max-time 0.3 http://$VIP4:81/; done"
check "flows without a port for them are found" wait_for 8 finds verdicts warning nat_exhausted
check "what is printed for it can be run" mend verdicts nat_exhausted
check "and mends it" wait_for 12 gone verdicts nat_exhausted
stop flood
stop held
on lb ip link set eth0 mtu 1500
start flood client "$python" "$W/flood.py" $VIP4 82 1472
check "packets that fit no tunnel are found" wait_for 8 finds verdicts note reply_too_big
sed -i '$a icmp_rate: 0' "$W/shunt.yaml"
check "when nobody is told" shunt reload
check "that is worse" wait_for 8 finds verdicts warning drop_too_big
check "of the path that is too narrow" finds mtu warning 'over eth0 takes 1500'
check "what is printed can be run" mend mtu 'over eth0'
check "and mends both" wait_for 12 eval 'gone verdicts too_big && gone mtu .'
stop flood
finish
