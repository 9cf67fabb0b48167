#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What shuntd says when it cannot start, when it starts and something is amiss, and when it refuses a command
# or a request; what shunt setup verify and shunt decap say where something is missing. Each names what
# was found and what to do.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 1
companion
config <<END
web: { listen: 127.0.0.1:18480 }
services:
$(service web tcp $VIP4 80 "forward: dsr" "check: none" "backends: [10.0.0.11 name=b1, 10.0.0.12 name=b2]")
END
log=$W/shuntd.log
# logged WORDS TEXT: the daemon said it.
logged() { check "$1" wait_for 3 grep -qE -- "$2" "$log"; }
# unable WORDS TEXT [LINE...]: with these lines besides, shuntd does not start, and says why.
unable() {
  printf '%s\n' "${@:3}" | cat - "$W/shunt.yaml" >"$W/unable.yaml"
  refuses "$1" 1 "$2" on lb timeout 20 "$O/shuntd" -c "$W/unable.yaml"
}

# ---- at the start --------------------------------------------------------------------------------

mkdir -p "$W/run" "$W/state"
unable "root for probes" 'probes read untrusted bytes and do not run as "root"; set probe_user to a user without privileges' \
  "probe_user: root"
unable "a user that is not there" 'cannot start the probing process as user "nobody-here": .*; set probe_user to an existing user' \
  "probe_user: nobody-here"
echo "what is this" >"$W/state/$INSTANCE.edits"
unable "a state that is none" "$INSTANCE.edits:1: not a runtime edit; remove the line, or the file to forget all edits"
rm "$W/state/$INSTANCE.edits"
mkdir -p "$W/run/$INSTANCE.sock/x"
unable "no place for commands" "cannot listen for commands in $W/run \(run_dir\): "
rm -r "$W/run/$INSTANCE.sock"
mkdir -p "$W/run/$INSTANCE.stats/x"
unable "no place for stats" "cannot serve stats in $W/run \(run_dir\): "
rm -r "$W/run/$INSTANCE.stats"
on lb ip link add va mtu 9000 type veth peer name vb mtu 9000
sed -i "s/^interfaces:.*/interfaces: [{ name: va, xdp: native }, { name: vb, xdp: native }]/" "$W/shunt.yaml"
unable "native mode where it cannot be" 'unable.yaml:[0-9]+:[0-9]+: interface va: va: no native XDP: .*'
unable "for each interface" 'interface vb: not attached: vb: no native XDP: '
on lb ip link del va
on lb "$O/shuntd" --remove -c "$W/shunt.yaml" >"$W/removed" 2>&1

# An interface where native mode cannot be, whose other end leaves checksums to hardware, with a VLAN.
on lb ip link add va mtu 9000 type veth peer name vb mtu 9000
on lb ip link set va up
on lb ip link set vb up
on lb ethtool -K vb tx on >"$W/ethtool.log" 2>&1
tags=
if on lb ip link add link va name va.5 type vlan id 5 2>"$W/ip.log"; then # not in every kernel
  on lb ethtool -K va rxvlan on && tags=yes
fi
: >"$W/empty.backends"
INTERFACES="eth0, va"
with_services() { # of the configuration, besides those without a backend
  config <<END
web: { listen: 127.0.0.1:18480 }
services:
$(service web tcp $VIP4 80 "forward: dsr" "check: none" "backends: [10.0.0.11 name=b1, 10.0.0.12 name=b2]")
$(service nat tcp $VIP4 81 "forward: nat" "check: none" "nat_pool: [10.0.0.77]" "backends: [10.0.0.11]")
$(for n in $(seq "$1"); do service "none$n" tcp $VIP4 "10$n" "backends_file: empty.backends"; done)
END
}
with_services 13
check "shuntd starts" shuntd_start || finish
logged "where native mode is refused it says so" \
  'interface va: NATIVE XDP IS NOT POSSIBLE, running in the much slower generic mode: va: '
check "so does status" grep -q 'native mode refused: va: ' <<<"$(shunt status --json)"
logged "checksums that nobody makes" 'interface va: its other end vb sends without checksums, which translation \(nat, masq\) makes wrong for good; run: ethtool -K vb tx off'
[ -z "$tags" ] || logged "tags that hardware takes" \
  'interface va: has VLAN devices, and its hardware may take tags off before XDP sees frames, which then go on untagged; run: ethtool -K va rxvlan off'
logged "a service without a usable backend" 'service none1: no usable backend; '
logged "and how many more there are" '[0-9]+ more services have no usable backend; shunt services lists them'
refuses "a second daemon of the same instance" 1 "/sys/fs/bpf/shunt/$INSTANCE is in use by another shuntd; stop that one, or give this one another instance name" \
  on lb timeout 20 "$O/shuntd" -c "$W/shunt.yaml"

# ---- commands ------------------------------------------------------------------------------------

while IFS='|' read -r command status text; do
  # shellcheck disable=SC2086 # words
  refuses "shunt $command" "$status" "$text" shunt $command
done <<'END'
weight nosuch b1 5|1|there is no service "nosuch"; there are: web, nat, none1, 
weight web nosuch 5|1|service "web" has no backend "nosuch"; it has: b1, b2$
drain web b2|0|web/b2: drained: it gets no new flows; those that it has move in (1 h|3[0-9]* s); kept over reloads and restarts until changed back
history web nosuch|1|service "web" has no backend "nosuch"; shunt backends web lists them
upgrade --rollback|1|there is no former packet path to put back: nothing was in force before that was kept
END
{ echo "flow_table: 2M" && echo "fragments: 128k" && cat "$W/shunt.yaml" &&
  service new tcp $VIP4 90 "backends_file: empty.backends"; } >"$W/next.yaml"
shunt plan "$W/next.yaml" >"$W/plan"
check "a plan warns of a larger flow table" grep -q "flow_table: holds from the next start of shuntd on" "$W/plan"
check "and of more fragments" grep -q "fragments: holds from the next start of shuntd on" "$W/plan"
check "and of a service without backends" grep -q "service new: none of its backends would be usable" "$W/plan"

mv "$W/state" "$W/kept" && : >"$W/state"
refuses "what cannot be saved is in force, and that is said" 0 \
  "warning: it is in force but not saved, so it ends with the daemon: $W/state: Not a directory; mend that folder \(state_dir\) and say it again" shunt weight web b1 7
sed -i 's/, 10.0.0.12 name=b2//' "$W/shunt.yaml"
refuses "an edit of what is gone is dropped" 0 'the edit of web/b2 is dropped: the configuration no longer has it' shunt reload
logged "which is not saved either" "runtime edits not saved in $W/state: Not a directory; mend state_dir, or they end with the daemon"
rm "$W/state" && mv "$W/kept" "$W/state"
on lb ip link del va
logged "an interface that goes" 'interface va: gone; when it is back packets are balanced there again'
check "status says so" wait_for 3 eval 'shunt status --json | grep -q "there is no such interface now"'

# ---- requests ------------------------------------------------------------------------------------

ask() { on lb curl -s --max-time 5 "${@:2}" "http://127.0.0.1:18480$1"; }
check "the page is served" wait_for 5 ask /healthz
while IFS='|' read -r request text; do
  # shellcheck disable=SC2086 # words
  refuses "HTTP $request" 0 "$text" ask $request
done <<'END'
/nonsense|there are: / /metrics /healthz /readyz /api/v1/status
/ -X POST|nothing can be changed here: GET and HEAD only
/ -H Host:example.com|this address is for this host alone: ask for it by address
/api/v1/backends?limit=many|"error": "offset and limit are numbers; limit is at most [0-9]+"
/api/v1/backends?service=nosuch|"error": "there is no service of that name"
/api/v1/history?service=web&backend=nosuch|there is no backend of that name in that service
/api/v1/history?limit=0|limit is a number from 1 to 100
/readyz?service=nosuch|not ready: there is no service of that name
END
kill -STOP "${pids[shuntd]}"
for _ in $(seq 40); do ask '/api/v1/history?service=web&backend=b1' -m 30 >>"$W/past" & done
check "a daemon that is stopped is not waited for long" wait_for 6 grep -q 'shuntd has not answered for 3 s' "$W/past"
check "nor by more than so many" grep -q 'too many ask already' "$W/past"
kill -CONT "${pids[shuntd]}"
check "it goes on" wait_for 5 ask /healthz
for _ in $(seq 33); do ask /api/v1/events -m 20 >>"$W/streams" & done
check "no more than so many listen to events" wait_for 5 grep -q 'too many listen to events already' "$W/streams"
web=$(pgrep -P "${pids[shuntd]}" -f -- ' --web ')
check "the process that serves this is ended" kill -KILL "$web"
logged "which is said" 'web: its process ended: killed by signal 9.*; started again in 1 s'
wait_for 10 ask /healthz
web=$(pgrep -P "${pids[shuntd]}" -f -- ' --web ')
check "the next one is stopped" kill -STOP "$web"
check "and replaced" wait_for 15 grep -q 'web: its process ended: it did not answer; started again' "$log"
check "shuntd stops" shuntd_stop
check "and is removed" on lb "$O/shuntd" --remove -c "$W/shunt.yaml"

# ---- backends ------------------------------------------------------------------------------------

# verify NS WORD...: what setup verify says there.
verify() { on "$1" "$O/shunt" setup verify "${@:2}" >"$W/verified" 2>&1; }
says() { check "setup verify says: $1" grep -qF -- "$2" "$W/verified"; }
on client sysctl -qw net.ipv4.conf.all.arp_ignore=0 net.ipv4.conf.eth0.arp_ignore=0 \
  net.ipv4.conf.all.arp_announce=0 net.ipv4.conf.eth0.arp_announce=0
verify client vip=$VIP4 address=10.0.0.1 forward=dsr port=80
says "its address" "10.0.0.1 is this host's own address"
says "no VIP" "$VIP4 is no address of this host: it drops what is for it"
says "how to have it" "ip address replace $VIP4/32 dev lo"
verify client vip=203.0.113.0/28 address=10.0.0.1 forward=dsr port=80
says "how to have a prefix" "ip route replace local 203.0.113.0/28 dev lo"
address client lo $VIP4/32
verify client vip=$VIP4 address=10.0.0.1 forward=dsr port=80
says "the VIP is there" "$VIP4 is delivered here"
says "ARP is answered" "this host answers ARP for the service's address"
says "what ends that" "sysctl -w net.ipv4.conf.all.arp_ignore=1"
says "ARP is asked" "this host may ask in the name of the service's address, which misleads its neighbours"
says "what ends that too" "sysctl -w net.ipv4.conf.all.arp_announce=2"
says "nobody listens" "start the server, on every address or this one, "
decap 1
verify b1 vip=$VIP4 address=10.0.0.11 forward=ipip port=80
says "tunnels end" "headers to 10.0.0.11 are taken off on eth0"
verify b1 vip=$VIP4 address=10.0.0.11 forward=dsr port=80
says "ARP is not answered" "no ARP answers for addresses on lo"
says "nor asked" "no ARP questions in the name of addresses on lo"

on client ip link add va mtu 9000 type veth peer name vb mtu 9000
many=$(seq -f '10.9.%g' 0 3 | while read -r net; do seq -f "$net.%g" 0 255; done)
# shellcheck disable=SC2086 # words
refuses "decap where native mode cannot be" 0 'shunt-decap: warning: va: .*; using generic XDP, which is slower' \
  on client "$O/shunt-decap" attach va ${many/10.9.0.0/10.9.9.9}
refuses "more addresses than it takes" 1 'shunt-decap: no room for 10.8.0.1: at most 1024 addresses; shunt decap del removes some' \
  on client "$O/shunt-decap" add va 10.8.0.1
for pins in /sys/fs/bpf/shunt-decap/*; do # of that name in this namespace
  [ "${pins##*/}" = "$(on client ip -j link show va | jq '.[0].ifindex')-$(on client stat -Lc %i /proc/self/ns/net)" ] &&
    find "$pins" -type f ! -name link -delete
done
refuses "a decap whose pins somebody removed" 1 'shunt-decap: va: pins in .* are missing or foreign; attach again' \
  on client "$O/shunt-decap" add va 10.8.0.1
finish
