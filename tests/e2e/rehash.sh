#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A service comes to find its flows otherwise: to sh and from it, with another source_prefix, with affinity
# and without. What is open stays where it is, of TCP and of UDP, while the daemon is killed on the way and
# a change is taken back.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 4
companion && decap 1 2 3 4
for n in 1 2 3 4; do
  start "hold$n" b$n "$python" "$E2E/hold.py" serve b$n 7000
  udp $n 5000
done
backends4 1 2 3 4 >"$W/b"
configured() { # LINE...: of both services
  config <<END
services:
$(service held tcp $VIP4 7000 "forward: ipip" "flow_timeout: 3s" "check: none" "backends_file: b" "$@")
$(service asked udp $VIP4 5000 "forward: ipip" "flow_timeout: 3s" "check: none" "backends_file: b" "$@")
END
}
# Sources of different networks of 24 bits and of the same.
sources=$(for n in $(seq 101 112); do echo "10.0.0.$n"; done | xargs)
for s in $sources; do on client ip addr add "$s/24" dev eth0; done

clients=""
# hold NAME: connections from all sources, and UDP flows, until the end of the story.
hold() { # shellcheck disable=SC2086 # words
  start "tcp-$1" client "$python" "$E2E/hold.py" run $VIP4 7000 4 "$W/tcp-$1" $sources
  start "udp-$1" client "$python" "$E2E/udp.py" hold $VIP4 5000 60 600 "$W/udp-$1"
  wait_for 10 test -e "$W/tcp-$1" -a -e "$W/udp-$1"
  clients+=" $1"
}
lost() { # TCP connections that broke and UDP flows that moved
  local name
  for name in $clients; do
    awk '{ n += $3 } END { printf "%d ", n }' "$W/tcp-$name"
    awk '$1 == "moved" { n = $2 } END { printf "%d ", n }' "$W/udp-$name"
  done | tr ' ' '\n' | awk '{ n += $1 } END { print n + 0 }'
}
from_all() { # shellcheck disable=SC2086 # words
  on client "$python" "$E2E/hold.py" ask $VIP4 7000 1 $sources | wc -l
}
switches() { grep -c 'are found by .* from now on' "$W/shuntd.log"; }
before=0
switched() { [ "$(switches)" -ge $((before + 2)) ]; } # both services
# to LINE...: a change that takes its time.
to() {
  before=$(switches)
  configured "$@"
  is "to '$*': it is said when" "$(shunt reload | grep -c 'are noted, so that they stay')" 2
}
# at_once LINE...: one that does not, since all flows are remembered.
at_once() {
  configured "$@"
  is "to '$*': at once" "$(shunt reload | grep -c 'are remembered and stay')" 2
  sleep 8 # longer than idle slots take to settle
  is "nothing breaks, nothing moves" "$(lost)" 0
}
has_come() {
  check "and so it comes" wait_for 12 switched
  sleep 1
  is "nothing breaks, nothing moves" "$(lost)" 0
}

configured
check "shuntd starts" shuntd_start
sleep 2 # a service of two seconds ago takes its first backends as they come
hold maglev
holds "connections are held at several backends" "$(awk '$2 > 0' "$W/tcp-maglev" | wc -l) >= 3"
to "scheduler: sh"
has_come
holds "sources have each their backend" "$(from_all) > 1"
hold sh
to "scheduler: sh" "source_prefix: 24"
has_come
is "networks have one" "$(from_all)" 1
hold networks

note "affinity, with the daemon killed on the way"
to "affinity: source" "affinity_timeout: 3s"
sleep 1
shuntd_stop KILL
sleep 1.5
hold killed
sleep 1.5 # all who are open have been seen since the change, with no daemon
check "the daemon starts again" shuntd_start
has_come
hold affine
to "scheduler: rr" "affinity: source" "affinity_timeout: 3s" "source_prefix: 24"
has_come
is "a network's connections go to one backend" "$(from_all)" 1
hold together
to "scheduler: rr"
has_come
holds "and now to several" "$(from_all) > 1"
hold apart
at_once "scheduler: rr" "affinity: source" "affinity_timeout: 3s"

note "a change that is taken back, and one that becomes another"
to "scheduler: maglev"
configured "scheduler: rr" "affinity: source" "affinity_timeout: 3s"
is "it is taken back: there is nothing to be said" "$(shunt reload | grep -c 'are found by')" 0
hold back
to "scheduler: sh"
sleep 1
to "scheduler: lc" "affinity: source" "affinity_timeout: 3s" "source_prefix: 24"
has_come
hold loads
at_once "scheduler: maglev"
finish
