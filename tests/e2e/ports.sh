#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# One service with several ports, one for a whole prefix, IPv4 and IPv6, and what an operator is shown
# of them; an exact service and an exact port win, and all of it is adopted by the next daemon.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
PREFIX4=198.51.100 PREFIX6=2001:db8:100:
stage 2
companion
web 1 80 81 8000 8050 8099 12345
web 2 80 81 443
for n in 1 2; do
  for a in 1 77; do
    vip b$n $PREFIX4.$a
    vip b$n ${PREFIX6}:$a
  done
done
on client ip route add $PREFIX4.0/24 via 10.0.0.2
on client ip route add ${PREFIX6}:/64 via fd00::2
config <<END
services:
$(service many tcp $VIP4 "[80, 8000-8099, 10000-20000]" "forward: dsr" "$FAST" "backends: [10.0.0.11]")
$(service rest tcp $VIP4 any "forward: dsr" "check: none" "backends: [10.0.0.12]")
$(service prefix4 tcp $PREFIX4.0/24 any "forward: dsr" "check: none" "backends: [10.0.0.11]")
$(service prefix4web tcp $PREFIX4.0/24 81 "forward: dsr" "$FAST" "backends: [10.0.0.12]")
$(service one tcp $PREFIX4.77 "80" "forward: dsr" "$FAST" "backends: [10.0.0.12]")
$(service prefix6 tcp ${PREFIX6}:/64 "[80, 8000-8099]" "forward: dsr" "$FAST" "backends: [fd00::11]")
END
running 6
answers() { # of b1 or b2, to all who are asked
  is "port 80 of the list" "$(get http://$VIP4/)" b1
  is "the first port of the range" "$(get http://$VIP4:8000/)" b1
  is "one in its middle" "$(get http://$VIP4:8050/)" b1
  is "its last" "$(get http://$VIP4:8099/)" b1
  is "a port of the wide range" "$(get http://$VIP4:12345/)" b1
  is "another port: the service for any" "$(get http://$VIP4:443/)" b2
  is "any address of the prefix" "$(get http://$PREFIX4.1/) $(get http://$PREFIX4.1:8050/)" "b1 b1"
  is "a port of the prefix before any port" "$(get http://$PREFIX4.1:81/)" b2
  is "a service of one address before the prefix" "$(get http://$PREFIX4.77/)" b2
  is "whose other ports are the prefix's" "$(get http://$PREFIX4.77:8000/)" b1
  is "an IPv6 prefix, the list's one port" "$(get "http://[${PREFIX6}:1]/")" b1
  is "and a port of its range" "$(get "http://[${PREFIX6}:77]:8099/")" b1
  is "a port that is not in its list" "$(get "http://[${PREFIX6}:1]:81/"; echo $?)" 7
}
answers
flows() { shunt services --json | jq --arg n "$1" '.services[] | select(.name == $n) | .flows'; }
is "all ports count for one service" "$(flows many)" 5
is "so do all addresses" "$(flows prefix4)" 3
shunt services >"$W/services"
check "ports are shown" grep -qE "many +$VIP4:80,8000-8099,10000-20000/tcp" "$W/services"
check "so are prefixes" grep -qF "[${PREFIX6}:]/64:80,8000-8099/tcp" "$W/services"
is "and in JSON" "$(shunt services --json | jq -c '.services[2,0] | [.vip, .port, .ports]' | tr -d '\n')" \
  "[\"$PREFIX4.0/24\",0,null][\"$VIP4\",0,\"80,8000-8099,10000-20000\"]"

load many http://$VIP4:8050/ 200
load prefix http://$PREFIX4.1/ 200
sleep 0.5
stop shuntd KILL
sleep 0.5
check "the next daemon starts" shuntd_start
check "and adopts all six" grep -q "an earlier daemon: 6" "$W/shuntd.log"
sed -i 's/8000-8099/8000-8098/' "$W/shunt.yaml"
check "a shorter range is reloaded" shunt reload
is "its port goes to any" "$(get http://$VIP4:8099/; echo $?)" 7
sed -i 's/8000-8098/8000-8099/' "$W/shunt.yaml"
check "and back" shunt reload
sleep 0.5
stop_load many
stop_load prefix
for name in many prefix; do
  failures_of $name
  is "no request to $name failed meanwhile" "$(loaded $name failed)" 0
done
answers
sed -i 's/80, 8000-8099/80, 8099-8000/' "$W/shunt.yaml"
refuses "a range that is backwards is refused with its place" 1 'shunt.yaml:[0-9]+:[0-9]+: .*"8000-8099"' shunt reload
is "and changes nothing" "$(get http://$VIP4:8099/)" b1
finish
