#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ICMP as real hosts use it: ping, a path whose MTU is found out in either direction, errors that find the
# backend whose packet they are about, and hops that are used up.
#
# Behind the client stands another one, `far`, whose way back takes 1300 bytes.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 2
companion && decap 1 2
for n in 1 2; do
  web $n
  start "late$n" "b$n" "$python" "$E2E/icmp_errors.py" late 5354
  wait_for 5 grep -q ready "$W/late$n.log"
done
backends4 1 2 >"$W/v4.backends"
backends6 1 2 >"$W/v6.backends"

namespace far
ip link add name eth0 mtu 1500 netns "$P-far" type veth peer name eth1 mtu 1500 netns "$P-client"
on far ip link set eth0 up
on client ip link set eth1 up
address far eth0 10.1.0.2/24 fd01::2/64
address client eth1 10.1.0.1/24 fd01::1/64
on far ip route add default via 10.1.0.1
on far ip route add default via fd01::1
on far ethtool -K eth0 tx off >/dev/null
on client ethtool -K eth1 tx off >/dev/null
on client sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
on client ip route change 10.1.0.0/24 dev eth1 mtu lock 1300
on client ip -6 route del fd01::/64 dev eth1
on client ip -6 route add fd01::/64 dev eth1 mtu lock 1300
for n in 1 2; do
  on b$n ip route add 10.1.0.0/24 via 10.0.0.1
  on b$n ip route add fd01::/64 via fd00::1
  on b$n ip route add local 198.51.100.0/24 dev lo
  on b$n ip route add local 2001:db8:5::/64 dev lo
done

config <<END
services:
$(service web4 tcp $VIP4 80 "forward: ipip" "$FAST" "backends_file: v4.backends")
$(service web6 tcp $VIP6 80 "forward: ipip" "$FAST" "backends_file: v6.backends")
$(service late4 udp $VIP4 5354 "forward: ipip" "check: none" "backends_file: v4.backends")
$(service late6 udp $VIP6 5354 "forward: gue" "check: none" "backends_file: v6.backends")
$(service net4 tcp 198.51.100.0/24 80 "forward: ipip" "$FAST" "backends_file: v4.backends")
$(service net6 tcp 2001:db8:5::/64 80 "forward: ipip" "$FAST" "backends_file: v6.backends")
$(service lonely tcp 203.0.113.11 80 "forward: ipip" "on_empty: drop" "$FAST" "backends: [10.0.0.99]")
END
running 12
on client ip route add 198.51.100.0/24 via 10.0.0.2
on client ip route add 203.0.113.11 via 10.0.0.2
on client ip route add 2001:db8:5::/64 via fd00::2
# ups SERVICE N: so many of its backends are up.
ups() { [ "$(count_state up "$1")" -eq "$2" ]; }
web_is_up() { ups web4 2 && ups web6 2; }
late_heard() { grep -qx "$1" "$W"/late[12].log; }
packets() { shunt stats --json | jq --arg v "$1" '[.verdicts[] | select((.name | ascii_downcase) == $v) | .packets] | add // 0'; }

# ---- echo ------------------------------------------------------------------------------------------
for vip in $VIP4 $VIP6 198.51.100.77 2001:db8:5::77; do
  check "ping $vip" on client ping -q -c 5 -i 0.05 -W 1 "$vip"
  check "ping $vip, as large as fits" on client ping -q -c 3 -i 0.05 -W 1 -M "do" -s 1400 "$vip"
  check "ping $vip, of no length" on client ping -q -c 1 -W 1 -s 0 "$vip"
done
holds "the packet path has answered ($(packets reply_echo))" "$(packets reply_echo) == 36"
check "nobody pings an address without a live backend" bash -c "! nsenter --net=/run/netns/$P-client ping -q -c 1 -W 1 203.0.113.11"
for n in 1 2; do stop web$n; done
check "the backends go down" wait_for 5 ups web4 0
holds "an unchecked service is live, and its address with it" "$(on client ping -c 1 -W 1 $VIP4 | grep -c '1 received') == 1"
silent() { ! on client ping -q -c 1 -W 1 "$1"; }
check "nobody pings a prefix without a live backend" wait_for 5 silent 198.51.100.77
for n in 1 2; do web $n; done
check "the backends come up" wait_for 5 ups net4 2
check "and their prefix answers again" wait_for 3 on client ping -q -c 1 -W 1 198.51.100.77

# ---- a way back that takes less than the backend's link ----------------------------------------------
head -c 1000000 /dev/urandom >"$W/body"
mkdir -p "$W/files" && cp "$W/body" "$W/files/body"
for n in 1 2; do
  stop web$n
  sed "s#location / {.*#location / { root $W/files; }#" "$W/web$n/nginx.conf" >"$W/web$n/files.conf"
  start web$n b$n nginx -p "$W/web$n" -c "$W/web$n/files.conf" -e "$W/web$n/error.log"
done
chmod -R a+rX "$W"
check "the backends serve a file" wait_for 5 web_is_up
for url in "http://$VIP4/body" "http://[$VIP6]/body"; do
  check "far gets $url" on far curl -sf --max-time 60 -o "$W/got" "$url"
  check "every byte of it" cmp "$W/got" "$W/body"
done
learnt() { on b1 ip -"$1" route show cache; on b2 ip -"$1" route show cache; on b1 ip -"$1" route get "$2"; on b2 ip -"$1" route get "$2"; }
holds "a backend has learnt the MTU of 1300, IPv4" "$(learnt 4 10.1.0.2 | grep -c 'mtu 1300') > 0"
holds "a backend has learnt the MTU of 1300, IPv6" "$(learnt 6 fd01::2 | grep -c 'mtu 1300') > 0"

# ---- nobody there any more -----------------------------------------------------------------------------
for vip in $VIP4 $VIP6; do
  on client "$python" "$E2E/icmp_errors.py" leave "$vip" 5354
done
check "port unreachable reaches the backend, IPv4" wait_for 5 late_heard "3 3 10.0.0.1"
check "port unreachable reaches the backend, IPv6" wait_for 5 late_heard "1 4 fd00::1"

# ---- no hop left -------------------------------------------------------------------------------------
is "a probe with TTL 1 learns whose it was" "$(on client "$python" "$E2E/icmp_errors.py" probe $VIP4 5354 1)" "11 0 $VIP4"
is "a probe with hop limit 1 as well" "$(on client "$python" "$E2E/icmp_errors.py" probe $VIP6 5354 1)" "3 0 $VIP6"
is "a probe with one more meets nothing" "$(on client "$python" "$E2E/icmp_errors.py" probe $VIP4 5354 2)" none

# ---- a way to the backends that takes less than the client's link ---------------------------------------
for n in 1 2; do
  on lb ip route add "$(addr4 $n)/32" dev eth0 mtu 1400
  on lb ip -6 route add "$(addr6 $n)/128" dev eth0 mtu 1400
  stop web$n
  start web$n b$n nginx -p "$W/web$n" -c "$W/web$n/nginx.conf" -e "$W/web$n/error.log"
done
check "the backends are there" wait_for 5 web_is_up
sleep 0.5
for url in "http://$VIP4/" "http://[$VIP6]/"; do
  code=$(on client curl -s --max-time 60 -o "$W/answer" -w '%{http_code}' -H Expect: --data-binary "@$W/body" "$url")
  is "1 MB is uploaded to $url though the way takes 1400 bytes" "$code" 200
done
holds "the client has been told 1380, IPv4" "$(on client ip route get $VIP4 | grep -c 'mtu 1380') > 0"
holds "the client has been told 1360, IPv6" "$(on client ip -6 route get $VIP6 | grep -c 'mtu 1360') > 0"
holds "by the packet path" "$(packets reply_too_big) >= 2"
finish
