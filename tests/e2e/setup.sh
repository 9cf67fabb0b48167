#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt setup backend piped to sh makes a bare machine a backend, by each method that needs it, and shunt
# setup verify sees what is missing before, nothing after, and each piece that is taken away again. The
# forms for systemd-networkd and ifupdown are read by these, where they are here.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# bare N: a backend with an address and a default route, and nothing said of VIPs.
bare() {
  namespace "b$1"
  plug "b$1" eth0 "b$1" 1600
  address "b$1" eth0 "$(addr4 "$1")/24" "$(addr6 "$1")/64"
  on "b$1" ethtool -K eth0 tx off >/dev/null
}
stage 0
companion
for n in 1 2 3 4; do bare $n && web $n 80 81; done
config <<END
services:
$(service web tcp $VIP4 80 "forward: ipip" "check: none" \
  "backends: [10.0.0.11 name=b1 forward=dsr, 10.0.0.12 name=b2, 10.0.0.13 name=b3 forward=gue, 10.0.0.14 name=b4 forward=gre]")
$(service web6 tcp $VIP6 80 "forward: ipip" "check: none" \
  "backends: ['fd00::11 name=b1 forward=dsr', 'fd00::12 name=b2', '10.0.0.13 name=b3 forward=gue', 'fd00::14 name=b4 forward=gre']")
$(service over6 tcp $VIP4 81 "forward: gre" "check: none" "backends: ['fd00::14 name=b4']")
$(service many tcp 198.51.100.0/24 80 "forward: dsr" "check: none" "backends: [10.0.0.11 name=b1]")
$(service plain tcp $VIP4 90 "forward: nat" "check: none" "backends: ['10.0.0.11:81 name=b1']")
$(service back tcp $VIP4 91 "forward: masq" "check: none" "backends: ['10.0.0.11:81 name=b1']")
$(service back6 tcp $VIP6 91 "forward: masq" "check: none" "backends: ['[fd00::11]:81 name=b1']")
END
check "shuntd starts" shuntd_start || finish

# there N COMMAND...: on that backend, with shunt in the path and no daemon.
there() {
  local n=$1
  shift
  PATH=$O:$PATH on "b$n" "$@"
}
setup() { shunt setup backend "$@"; }
verify() { there "$1" shunt setup verify "$2"; }

setup web >"$W/all" && setup web6 >"$W/all6" && setup over6 >"$W/over6"
check "what it prints is a shell script" sh -n "$W/all"
for n in 1 2 3 4; do
  setup web b$n >"$W/setup$n"
  refuses "b$n: before, something is missing" 1 '^missing  203.0.113.10 is no address of this host' verify $n "$W/setup$n"
done
refuses "elsewhere the script of one backend does nothing and says why" 1 '10.0.0.12 is no address of this host' \
  there 1 sh "$W/setup2"
is "and has done nothing" "$(on b1 ip -o address show to $VIP4 | wc -l)" 0

# One by its own script, the others by the one for all.
check "b1 does what its script says" there 1 sh -e "$W/setup1"
for n in 2 3 4; do check "b$n does what the script for all says" there $n sh -e "$W/all"; done
for n in 1 2 3 4; do check "b$n: after, nothing is missing" verify $n "$W/setup$n"; done
spread 200 "http://$VIP4/" >"$W/spread"
is "each serves real requests" "$(awk '{print $2}' "$W/spread" | xargs)" "b1 b2 b3 b4"
is "and all are answered" "$(awk '{n += $1} END {print n}' "$W/spread")" 200
for n in 1 2 3 4; do
  check "b$n does what the script of the IPv6 service says" there $n sh -e "$W/all6"
  check "b$n: nothing is missing of it" verify $n "$W/all6"
done
spread 200 "http://[$VIP6]/" >"$W/spread"
is "each serves that too" "$(awk '{print $2}' "$W/spread" | xargs)" "b1 b2 b3 b4"
for n in 1 2 3 4; do check "b$n: nor of the first" verify $n "$W/setup$n"; done
spread 200 "http://$VIP4/" >"$W/spread"
is "and goes on to serve the first" "$(awk '{print $2}' "$W/spread" | xargs)" "b1 b2 b3 b4"
check "IPv4 in IPv6: b4 does what its script says" there 4 sh -e "$W/over6"
check "and nothing is missing" verify 4 "$W/over6"
is "and it serves" "$(spread 20 "http://$VIP4:81/")" "20 b4"
setup many | there 1 sh -e
on client ip route add 198.51.100.0/24 via 10.0.0.2
is "a service of a prefix is served" "$(spread 20 http://198.51.100.77/)" "20 b1"
check "and verified" verify 1 <(setup many)
check "nat needs nothing" verify 1 <(setup plain)
check "masq names the way back" grep -q '^ip route replace default via 10.0.0.2$' <(setup back)
setup back >"$W/back"
refuses "b1: before, the way back is missed" 1 '^missing  the way back to clients leads through nobody' verify 1 "$W/back"
verify 1 "$W/back" | grep -A 1 '^missing  the way back' | grep '^  ' >"$W/fix"
check "what it says mends it" there 1 sh -e "$W/fix"
check "and nothing is missing" verify 1 "$W/back"
on client ip address add 192.0.2.77/32 dev lo # one that is not on b1's own segment
on lb ip route add 192.0.2.77/32 via 10.0.0.1
is "replies come back through the balancer" "$(get --interface 192.0.2.77 "http://$VIP4:91/")" b1
on b1 ip route replace default via 10.0.0.9
refuses "a way through somebody else is seen" 1 'leads through 10.0.0.9, and not through the balancer' verify 1 "$W/back"
on b1 ip route replace 0.0.0.0/1 via 10.0.0.2
refuses "and half a way" 1 'leads through 10.0.0.9, and not' verify 1 "$W/back"
check "which the script mends" eval "on b1 ip route del 0.0.0.0/1 && there 1 sh -e $W/back && verify 1 $W/back"
check "the same of IPv6" there 1 sh -e <(setup back6)
check "and nothing is missing of it" verify 1 <(setup back6)
on b1 ip route del default
on b1 ip -6 route del default

# Each piece taken away is missed, with what brings it back.
sysctl_in() { on b2 sysctl -qw "$1"; }
missed() { # WORDS TEXT: and what it says to do puts it right again
  refuses "missed: $1" 1 "^missing  .*$2" verify 2 "$W/setup2"
  verify 2 "$W/setup2" | grep -A 1 '^missing' | grep '^  ' >"$W/fix"
  check "and what it says mends it" there 2 sh -e "$W/fix"
  check "and nothing is missing: $1" verify 2 "$W/setup2"
}
sysctl_in net.ipv4.conf.all.arp_ignore=0
missed arp_ignore 'arp_ignore is 0'
sysctl_in net.ipv4.conf.all.arp_announce=0
missed arp_announce 'arp_announce is 0'
on b2 ip address del $VIP4/32 dev lo
missed "the address" "$VIP4 is no address of this host"
on b2 ip address del $VIP4/32 dev lo && on b2 ip address add $VIP4/32 dev eth0
missed "the address is elsewhere" "$VIP4 is on eth0"
there 2 shunt decap detach eth0 >/dev/null
missed "the tunnel's end" "nobody takes ipip headers off"
there 2 shunt decap attach eth0 10.0.0.12 fd00::12 --only 10.0.0.99 >/dev/null
missed "the balancer among those let in" "tunnels from 10.0.0.2 are not let in"
stop web2
refuses "missed: the server" 1 "^missing  no server is at $VIP4 port 80" verify 2 "$W/setup2"
is "as JSON" "$(verify 2 "$W/setup2" | wc -l; there 2 shunt setup verify --json "$W/setup2" | jq -c '[.ok, (.checks[] | select(.ok == false).name)]')" \
  "$(verify 2 "$W/setup2" | wc -l; echo '[false,"server"]')"
words=$(sed -n 's/^# shunt setup verify //p' "$W/setup3")
# shellcheck disable=SC2086 # words
check "the last line, typed in" there 3 shunt setup verify $words
check "the same, without those that may be left out" there 3 shunt setup verify vip=$VIP4 address=10.0.0.13 forward=gue
check "and piped in" eval "there 3 shunt setup verify <$W/setup3"
if on b4 ip link add shunt0 type gre local 10.0.0.14 remote 10.0.0.2 2>/dev/null; then
  there 4 shunt decap detach eth0 >/dev/null
  on b4 ip link set shunt0 up
  on b4 sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.shunt0.rp_filter=1
  refuses "the kernel's device is seen, and its strict filter" 1 '^missing  rp_filter of (shunt0|gre0)' verify 4 "$W/setup4"
fi

# Misuse.
refuses "no such service" 1 'no service "nosuch" in .*shunt.yaml' setup nosuch
refuses "no such backend" 1 'web has no backend "nosuch"' setup web nosuch
refuses "setup of something else" 2 'backend or verify, not "frontend"' shunt setup frontend web
refuses "an unknown form" 2 'sh, networkd or ifupdown' setup web b1 --format netplan
refuses "files are of one backend" 2 'say which' setup web --format networkd
refuses "tunnels in files want the interface" 2 'wants --interface' setup web b2 --format ifupdown
refuses "so does the way back" 2 'wants --interface' setup back b1 --format networkd
refuses "a word that is none" 2 '"vop=1" is none of' shunt setup verify vop=1
refuses "too few words" 2 'wants vip=' shunt setup verify address=10.0.0.11
refuses "a paste of something else" 1 'holds nothing that' shunt setup verify /dev/null
check "without a daemon, from the file" eval "$O/shunt -i nobody --run-dir $W/none setup backend web b1 --config $W/shunt.yaml | grep -q 'ip address replace'"
check "from other balancers" grep -q -- '--only 192.0.2.1,192.0.2.64/26$' <(setup web b2 --from 192.0.2.1,192.0.2.64/26)

# ---- the forms that outlive a boot -------------------------------------------------------------------

# unpack FORM SERVICE BACKEND: its files in $W/FORM/..., without the commands that put them in force.
unpack() {
  setup "$2" "$3" --format "$1" --interface eth0 >"$W/$1.sh"
  sed "/^install/s, \(\"*\)/etc/, \1$W/$1/etc/,; s,/run/systemd/netif/links/[^)]*),$W/link,; /^\(systemctl\|networkctl\|sysctl\|ifup\)/d" "$W/$1.sh" | sh -e
}
printf 'NETWORK_FILE=/etc/systemd/network/20-eth0.network\n' >"$W/link" # as networkd says of eth0
for form in networkd ifupdown; do
  for what in "web b1" "web b2" "web6 b2" "many b1" "over6 b4" "back b1" "back6 b1"; do
    # shellcheck disable=SC2086 # words
    check "$form: $what is a script that writes files" unpack $form $what
  done
  check "$form: nat has no files" eval "! setup plain b1 --format $form | grep -q ^install"
done
check "networkd: one file for each service beside lo's" test -s "$W/networkd/etc/systemd/network/10-shunt-lo.network.d/web.conf"
if command -v systemd-analyze >/dev/null; then
  check "systemd takes the unit that takes tunnels off" systemd-analyze verify "$W/networkd/etc/systemd/system/shunt-decap-web.service"
fi
networkd=/lib/systemd/systemd-networkd
if [ -x $networkd ]; then
  # In a namespace of its own, with nothing else in /etc and /run, and no udev to wait for.
  namespace n1
  plug n1 eth0 n1 1600
  printf '[Match]\nName=eth0\n[Network]\nAddress=10.0.0.31/24\nAddress=fd00::31/64\nGateway=10.0.0.1\n' \
    >"$W/networkd/etc/systemd/network/20-eth0.network"
  is_set_up() {
    on n1 ip -o address show dev lo | grep -q "$VIP4"/32 && on n1 ip -6 route get 2001:db8::1 | grep -q 'via fd00::2 ' &&
      on n1 ip route get 192.0.2.1 | grep -q 'via 10.0.0.2 ' && on n1 ip route show default | grep -q 'via 10.0.0.1 '
  }
  start networkd n1 unshare -m bash -c "mount -t sysfs -o ro sysfs /sys; mount -t tmpfs tmpfs /run; mkdir -p /run/systemd/netif/{links,leases,lldp}
    mount --bind $W/networkd/etc/systemd/network /etc/systemd/network; chmod 755 $W
    SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console exec $networkd"
  set_up_or_ended() { is_set_up || ended "${pids[networkd]}"; }
  wait_for 5 set_up_or_ended
  stop networkd
  is "networkd complains of no line" "$(grep -cE '\.(network|conf):[0-9]+:' "$W/networkd.log")" 0
  if on n1 ip -o address show dev lo | grep -q $VIP4/32; then
    result 0 "networkd has put the address on lo"
    check "and that of IPv6" eval "on n1 ip -6 -o address show dev lo | grep -q $VIP6/128"
    check "and the local route of the prefix" eval "on n1 ip route show table local | grep -q '^local 198.51.100.0/24 dev lo'"
    for client in 1.0.0.1 192.0.2.1; do
      check "and the way back, before its own gateway: $client" grep -q 'via 10.0.0.2 ' <(on n1 ip route get $client)
    done
    check "its gateway is left as it is" grep -q 'via 10.0.0.1 ' <(on n1 ip route show default)
    check "and the way back of IPv6" grep -q 'via fd00::2 ' <(on n1 ip -6 route get 2001:db8::1)
  else
    echo "ok $((++cases)) - networkd puts the address on lo # SKIP it does not run here: $(tail -n 1 "$W/networkd.log")"
  fi
fi
if command -v ifup >/dev/null; then
  printf 'auto lo\niface lo inet loopback\nsource %s/ifupdown/etc/network/interfaces.d/*\n' "$W" >"$W/interfaces"
  on b1 ifup --no-act --force -v -i "$W/interfaces" lo eth0 >"$W/ifup.log" 2>&1
  check "ifupdown would add the address" grep -qE "ip addr add $VIP4/.* dev lo" "$W/ifup.log"
  check "and lead the way back" grep -q 'ip route replace 128.0.0.0/1 via 10.0.0.2' "$W/ifup.log"
  check "and take tunnels off" grep -q 'shunt decap attach eth0 10.0.0.12 --also --only 10.0.0.2' "$W/ifup.log"
else
  note "ifup is not here: its form is not read"
fi
finish
