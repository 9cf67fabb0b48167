#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What shunt doctor finds is so, and the command that it prints mends it: each finding that namespaces
# allow is provoked, seen, mended by what was printed, and seen no more.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
INTERFACES="eth0, eth1"
stage 2
second_arm 3
companion && companion lb1
for n in 1 2; do web $n; done
web 3
on lb sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0 \
  net.ipv4.conf.eth1.rp_filter=0 net.ipv4.ip_forward=1
# shellcheck source=tests/e2e/examine.bash
. "$E2E/examine.bash"

# ---- before the first start ----------------------------------------------------------------------

refuses "without a file there is nothing to go by" 6 'missing.yaml' shunt doctor -c "$W/missing.yaml"
config <<END
services:
$(service web tcp $VIP4 80 "forward: dsr" "$FAST" "backends: [10.0.0.11 name=b1, 10.0.0.12 name=b2]")
$(service tun tcp $VIP4 81 "forward: ipip" "check: none" "backends: [10.0.0.12 name=b2]")
$(service back tcp $VIP4 82 "forward: masq" "check: { type: tcp, port: 80, interval: 250ms, timeout: 200ms }" \
  "backends: [10.0.1.13 name=b3]")
$(service near tcp 10.0.0.100 80 "forward: dsr" "check: none" "backends: [10.0.0.11 name=b1]")
$(service near6 tcp fd00::100 80 "forward: dsr" "check: none" "backends: ['fd00::11 name=b1']")
END
file=(-c "$W/shunt.yaml")
mends secret note 'no hash_secret' lb "${file[@]}"
is "the file is as good as before" "$(shunt check "$W/shunt.yaml" >/dev/null; echo $?)" 0

on lb ip link add va numrxqueues 2 numtxqueues 2 type veth peer name vb numrxqueues 2 numtxqueues 2
on lb ip link set va up
on lb ip link set vb up
sed 's/eth0, eth1/eth0, eth1, va/' "$W/shunt.yaml" >"$W/va.yaml"
va=(-c "$W/va.yaml")
mends checksums warning 'vb leaves checksums' lb "${va[@]}"
if on lb ip link add link va name va.5 type vlan id 5 2>"$W/ip.log"; then # not in every kernel
  on lb ethtool -K va rxvlan on
  mends vlan-tags warning 'interface va' lb "${va[@]}"
fi
if [ "$(nproc)" -gt 1 ]; then
  on lb ethtool -L va rx 1
  mends queues note 'interface va: 1 receive queue,' lb "${va[@]}"
fi
on lb ip link del va
check "an interface that is missing is found" finds link error 'va does not exist' "${va[@]}"
bare() { # doctor where no bpf filesystem is mounted, then what it printed, and doctor again
# shellcheck disable=SC2016 # for the other shell
  on lb unshare -m -- bash -c 'umount -l /sys/fs/bpf && "$@" >"$W/bare1"; eval "$(jq -r ".findings[] |
    select(.check == \"bpffs\") | .remedy" "$W/bare1")"; "$@" >"$W/bare2"; true' - \
    "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" doctor --json -c "$W/shunt.yaml"
}
export W
check "doctor where there is no bpf filesystem" bare
is "finds that, and what it prints mends it" \
  "$(for n in 1 2; do jq '[.findings[] | select(.check == "bpffs")] | length' "$W/bare$n"; done | xargs)" "1 0"
if on lb ip link set dev eth0 xdpgeneric obj "$O/entry.bpf.o" sec xdp 2>"$W/ip.log"; then
  mends other-xdp error 'interface eth0: another' lb "${file[@]}"
else
  note "no other XDP program: $(head -n 1 "$W/ip.log")"
fi
{ # twelve of a kind
  echo "interfaces: [eth0]"
  echo "services:"
  for n in $(seq 12); do echo "  - { vip: 203.0.113.$n, port: 80, backends: [198.51.100.$n] }"; done
} >"$W/many.yaml"
is "of many alike ten are printed, and how many more there are" \
  "$(shunt doctor -c "$W/many.yaml" | grep -c -e 'no route' -e 'and 2 more of this kind (next-hop)')" 11
on lb ip route del 10.0.1.0/24 dev eth1
check "a backend without a route is found" finds next-hop error 'back/b3.*no route' "${file[@]}"
on lb ip route add 10.0.1.0/24 dev eth1
check "a daemon that does not run is found" finds daemon warning 'does not answer' "${file[@]}"
is "to start it is what is printed" "$(of daemon . '.[0].remedy')" "shuntd -c $W/shunt.yaml"

# ---- with a daemon -------------------------------------------------------------------------------

vip b1 10.0.0.100 # as a backend has it: b1 does not answer for it
vip b1 fd00::100
check "shuntd starts" shuntd_start || finish
check "backends are up" wait_for 8 all_up 6
check "which the doctor sees" gone daemon .
mends vip warning 'nobody says that 10.0.0.100 is his' lb
mends vip warning 'nobody says that fd00::100 is his' lb
on b1 sysctl -qw net.ipv4.conf.all.arp_ignore=0 net.ipv4.conf.eth0.arp_ignore=0
mends vip error '10.0.0.100 is his: backend b1' b1
on b1 ip addr add fd00::100/128 dev eth0 nodad
mends vip error 'fd00::100 is his: backend b1' b1
on b2 ip addr del $VIP4/32 dev lo
check "the check of a backend without the VIP fails" wait_for 8 is_state web b2 down
is "that is for the backend" "$(finds health warning 'has it 203.0.113.10 on lo' && of health web/b2 '.[0].where')" \
  "backend web/b2"
mends health warning 'web/b2 is down: no answer by dsr' b2
on lb ip link set dev eth0 mtu 1500
mends mtu warning 'tun/b2: its path over eth0 takes 1500 octets' lb
on lb ip route del 10.0.1.0/24 dev eth1
check "a route that is lost is seen by the daemon" wait_for 5 is_state back b3 "no next hop"
check "next-hop is found" finds next-hop error 'back/b3'
on lb ip route add 10.0.1.13/32 dev eth1
check "and gone when it is back" wait_for 8 gone next-hop .
on lb sysctl -qw net.ipv4.ip_forward=0
mends forwarding warning 'does not forward IPv4' lb
on lb sysctl -qw net.ipv4.conf.eth1.rp_filter=1
mends rp-filter note 'interface eth1: rp_filter' lb
on lb ip link set dev eth1 down
mends link error 'eth1 is down' lb
mkdir "/sys/fs/bpf/shunt/$INSTANCE/v1"
mends old-pins note "/sys/fs/bpf/shunt/$INSTANCE/v1" lb

sed -i '$a icmp_rate: 7' "$W/shunt.yaml"
check "a file that differs is found" finds config note 'differs from what is in force'
is "to look at it is what is printed" "$(of config . '.[0].remedy')" "shunt reload --plan"
check "and when it is loaded" shunt reload
check "that is gone" gone config .
cp "$W/shunt.yaml" "$W/good.yaml"
sed -i '$a icmp_rat: 7' "$W/shunt.yaml"
check "a broken file is found" finds config error 'shunt.yaml:[0-9]*:[0-9]*: key .icmp_rat'
is "which is an error" "$status" 6
cp "$W/good.yaml" "$W/shunt.yaml"
sed 's/eth0, eth1/{ name: eth0, xdp: generic }, eth1/' "$W/good.yaml" >"$W/shunt.yaml"
check "generic mode" shunt reload
check "is found" finds xdp-mode note 'eth0: XDP runs in generic mode'
on lb ethtool -K eth0 gro on
mends gro warning 'interface eth0' lb
stop web1
stop web2
check "both are down" wait_for 8 eval "is_state web b1 down && is_state web b2 down"
check "a service without a backend is found" finds usable error 'service web: 0 of its 2 backends'

check "for people" grep -q '^error    service web' <(shunt doctor)
is "in 80 columns, but for commands" "$(on lb script -qec "stty cols 80; $O/shunt -i $INSTANCE \
  --run-dir $W/run doctor" /dev/null | sed 's/\x1b\[[0-9]*m//g; s/\r//' | grep -v '^ *\$ ' |
  awk 'length > 80 {n++} END {print n + 0}')" 0
finish
