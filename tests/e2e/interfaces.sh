#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Interfaces: one that is not there, native and generic mode when told to, generic where there is nothing
# else.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 2
companion
web 1 && web 2
backends4 1 2 >"$W/web.backends"
web_service() { service web tcp $VIP4 80 "forward: dsr" "check: none" "backends_file: web.backends"; }
services() { printf 'services:\n%s\n' "$(web_service)"; }
answers() {
  wait_for 5 get -f "http://$VIP4/" && [ "$(spread 60 "http://$VIP4/" | awk '{n += $1} END {print n}')" = 60 ]
}

INTERFACES=eth7 config < <(services)
refuses "no interface of that name: refused with file, line and column" 1 'shunt.yaml:[0-9]+:[0-9]+:.*eth7' \
  on lb timeout 30 "$O/shuntd" -c "$W/shunt.yaml"

config < <(services)
check "a veth runs it natively" shuntd_start
check "shunt status says so" grep -q 'eth0.*native' <(shunt status)
check "and it answers" answers
check "it stops" shuntd_stop
rm -rf "/sys/fs/bpf/shunt/$INSTANCE"

INTERFACES='{ name: eth0, xdp: generic }' config < <(services)
check "generic mode when told to" shuntd_start
check "shunt status says so" grep -q 'eth0.*generic' <(shunt status)
check "and it answers" answers
check "it stops" shuntd_stop
rm -rf "/sys/fs/bpf/shunt/$INSTANCE"

# macvlan has no native XDP. The balancer's addresses move to one.
on lb ip addr flush dev eth0
on lb sysctl -qw net.ipv4.conf.all.arp_ignore=1
on lb ip link add link eth0 name mv0 type macvlan mode bridge
on lb ip link set mv0 up
address lb mv0 10.0.0.2/24 fd00::2/64
INTERFACES='{ name: mv0, xdp: native }' config < <(services)
refuses "native mode where there is none: refused with the reason" 1 'mv0.*native' \
  on lb timeout 30 "$O/shuntd" -c "$W/shunt.yaml"
INTERFACES=mv0 config < <(services)
on client ip neigh flush dev eth0
check "it falls back to generic mode" shuntd_start
check "shunt status says so" grep -q 'mv0.*generic' <(shunt status)
check "and the log says why" grep -qi 'mv0.*generic' "$W/shuntd.log"
check "and it answers" answers
finish
