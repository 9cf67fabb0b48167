#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What may happen to who watches packets: expressions that match nothing or are very long, a service that is
# not there, moves or goes, a reader that stops reading, a reload, an upgrade, a daemon that ends. Whatever it
# is, clients are served, and in the end the packet path's own program is in force.
# shellcheck source-path=SCRIPTDIR disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"
stage 2
companion && decap 1 2
for n in 1 2; do web $n 80 81 82; done
backends4 1 2 >"$W/b"
configured() { # BACKENDS-FILE of web, and whether there is another
  config <<END
services:
$(service web tcp $VIP4 80 "forward: ipip" "check: none" "backends_file: $1")
$(service shut tcp $VIP4 82 "forward: ipip" "check: none" "deny: [10.0.0.0/24]" "backends_file: b")
$([ $# -eq 1 ] || service other tcp $VIP4 81 "forward: dsr" "check: none" "backends_file: b")
END
}
configured b other
mkdir "$W/bin" && ln -s "$O/shunt" "$O/shunt-decap" "$W/bin/" && cp "$O/shuntd" "$W/bin/"
O=$W/bin
running 6

program() { # of the interface, by name
  local id
  id=$(on lb bpftool net show dev eth0 -j | jq '.[0].xdp[0].id')
  on lb bpftool prog show id "$id" -j | jq -r .name
}
in_force() { [ "$(program)" = "$1" ]; }
requests() { for _ in 1 2 3 4; do get http://$VIP4/ && get http://$VIP4:81/; done; }
served() { is "$1: clients are served" "$(requests | grep -c '^b[12]$')" 8; }
# watch NAME OPTION...: in the background, as JSON.
watch() {
  local name=$1
  shift
  : >"$W/$name.log"
  start "$name" lb "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" trace --json "$@"
  check "$name watches" wait_for 10 in_force shunt_trace
}
lines() { wc -l <"$W/$1.log"; }
services() { jq -r 'select(.packet | test("TCP")) | .service' "$W/$1.log" 2>/dev/null | sort | uniq -c | xargs; }
# ends NAME STATUS [WORDS]: with this said.
ends() {
  check "$1 ends" wait_for 10 ended "${pids[$1]}"
  wait "${pids[$1]}"
  is "$1: with exit status $2" $? "$2"
  [ $# -lt 3 ] || check "$1: and says why" grep -q "$3" "$W/$1.log"
  unset "pids[$1]"
  check "$1: the packet path's own program is in force" wait_for 10 in_force shunt_xdp
}

# ---- expressions ---------------------------------------------------------------------------------

refuses "an expression that cannot match" 2 "expression rejects all packets" shunt trace --filter "tcp port 9 and udp"
watch nothing --filter "tcp port 9"
served "nothing matches"
kill -INT "${pids[nothing]}"
ends nothing 0
is "nothing is seen" "$(lines nothing)" 0
long=$(for n in $(seq 150); do printf 'tcp src port %d or ' $((9 * n)); done)
watch long --filter "${long}tcp dst port 80"
served "a long expression"
check "it matches" wait_for 5 eval '[ "$(lines long)" -ge 4 ]'
kill -INT "${pids[long]}"
ends long 0
refuses "one that is too long" 2 "instructions are too many; 500 are taken" \
  shunt trace --filter "$(for n in $(seq 400); do printf 'host 10.9.%d.%d or ' $((n / 200)) $((n % 200)); done)tcp"

# ---- services ------------------------------------------------------------------------------------

refuses "a service that is not there" 1 'there is no service "nobody"; there are: web, shut, other' shunt trace --service nobody
check "nothing is changed by that" in_force shunt_xdp
watch one --service web --filter "tcp dst portrange 80-82 and tcp[tcpflags] & tcp-syn != 0"
served "one service"
get --max-time 0.3 http://$VIP4:82/
check "its packets are seen" wait_for 5 eval '[ "$(lines one)" -ge 4 ]'
is "and no others" "$(services one | cut -d " " -f 2-)" web
{ cat "$W/b" && for n in $(seq 100 200); do echo "10.0.0.$n"; done; } >"$W/many"
configured many other
check "it gets other rows" shunt reload
# more backends than its rows were reserved for: tables may grow, which ends it, or it is followed
if wait_for 1 ended "${pids[one]}"; then
  ends one 1 "the watching of packets has ended"
else
  requests >/dev/null
  check "and is still seen" wait_for 5 eval '[ "$(lines one)" -ge 8 ]'
  is "without others" "$(services one | cut -d ' ' -f 2-)" "web"
  stop one INT
fi
watch gone --service other
configured b
check "a service goes" shunt reload
ends gone 1 "the service is gone"
is "of the others nothing was seen" "$(services gone)" ""
watch all --filter "tcp dst port 82"
get --max-time 0.3 http://$VIP4:82/
check "a packet that is refused is its service's" wait_for 5 eval \
  'jq -e "select(.verdict == \"drop_denied\" and .service == \"shut\")" "$W/all.log"'
stop all INT
configured b other
check "the service comes back" shunt reload

# ---- who stops reading ---------------------------------------------------------------------------

watch stopped
kill -STOP "${pids[stopped]}"
requests >/dev/null
check "of one that is stopped the daemon finds out" wait_for 15 in_force shunt_xdp
served "afterwards"
watch next --filter "tcp dst port 81 and tcp[tcpflags] & tcp-syn != 0"
kill -CONT "${pids[stopped]}"
check "who is continued ends" wait_for 10 ended "${pids[stopped]}"
wait "${pids[stopped]}"
is "he has been told so" "$? $(grep -c 'nobody has asked for packets for 5 s' "$W/stopped.log")" "1 1"
unset "pids[stopped]"
check "and who watches now goes on" in_force shunt_trace
requests >/dev/null
check "and misses nothing" wait_for 5 eval '[ "$(lines next)" -ge 4 ]'
stop next INT

# ---- the daemon ----------------------------------------------------------------------------------

watch reload --filter "tcp dst port 80 and tcp[tcpflags] & tcp-syn != 0"
backends4 1 >"$W/b"
check "a reload that changes backends" shunt reload
served "a reload"
check "ends nothing" wait_for 5 eval '[ "$(lines reload)" -ge 4 ]'
check "an upgrade" shunt upgrade
served "an upgrade"
ends reload 1 "another packet path is put in force\|no shuntd\|has ended"
watch killed
shuntd_stop KILL
served "the daemon is killed"
check "who watched ends" wait_for 30 ended "${pids[killed]}"
unset "pids[killed]"
check "what watches is still in force" in_force shunt_trace
check "the next daemon starts" shuntd_start
check "and takes it out" in_force shunt_xdp
served "the next daemon"
watch told
shuntd_stop TERM
check "a daemon that is told to end takes it out itself" in_force shunt_xdp
served "without a daemon"
wait_for 30 ended "${pids[told]}"
unset "pids[told]"
check "pins of it are left by none" eval '! ls /sys/fs/bpf/shunt/$INSTANCE/*/trace-* 2>/dev/null'
finish
