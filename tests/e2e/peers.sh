#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Two balancers of a fleet in the middle of a change. The router moves all flows from the first to the
# second: connections that are newer than the change keep their backend if the hosts are peers, and
# break if they are not. What others send to the peers' port changes nothing.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 3
namespace lb2
plug lb2 eth0 lb2 1600
address lb2 eth0 10.0.0.3/24 fd00::3/64
on lb2 ethtool -K eth0 tx off >/dev/null
companion && companion lb2 && decap 1 2 3
for n in 1 2 3; do
  start "hold$n" "b$n" "$python" "$E2E/hold.py" serve "b$n" 7000
  start "more$n" "b$n" "$python" "$E2E/hold.py" serve "b$n" 7001
done
secret=$(openssl rand -hex 32)

# both SECRET BACKENDS-OF-7000 BACKENDS-OF-7001: the files of both balancers, of the second in another
# order; with SECRET they are peers.
both() {
  config <<END
${1:+peers: ["10.0.0.2:6082", "10.0.0.3:6082"]
peer_listen: "10.0.0.2:6082"
peer_secret: $1}
services:
$(service first tcp $VIP4 7000 "forward: ipip" "check: none" "backends: [$2]")
$(service second tcp $VIP4 7001 "forward: ipip" "check: none" "backends: [$3]")
END
  {
    echo "instance: $INSTANCE-2"
    echo "run_dir: $W/run2"
    echo "state_dir: $W/state2"
    echo "interfaces: [eth0]"
    [ -z "$1" ] || printf 'peers: ["10.0.0.2:6082"]\npeer_listen: "10.0.0.3:6082"\npeer_secret: %s\n' "$1"
    echo "services:"
    service second tcp $VIP4 7001 "forward: ipip" "check: none" "backends: [$(turned "$3")]"
    service first tcp $VIP4 7000 "forward: ipip" "check: none" "backends: [$(turned "$2")]"
  } >"$W/two.yaml"
}
turned() { tr , '\n' <<<"$1" | tac | paste -sd ,; }
two() { echo "$(addr4 1) name=b1,$(addr4 2) name=b2"; }
three() { echo "$(two),$(addr4 3) name=b3"; }
shunt2() { on lb2 "$O/shunt" -i "$INSTANCE-2" --run-dir "$W/run2" "$@"; }
# shellcheck disable=SC2317
reload_both() { shunt reload && shunt2 reload; }
# of FILE COLUMN: sum over its lines.
of() { awk -v c="$2" '{ n += $c } END { print n + 0 }' "$W/$1"; }
hold() { start "hold-$1" client "$python" "$E2E/hold.py" run $VIP4 "$2" "$3" "$W/$1"; }
# shellcheck disable=SC2317
is_open() { [ "$(of "$1" 2)" -eq "$2" ]; }
route() { on client ip route replace $VIP4/32 via "$1"; }
fingerprint() { "$1" fingerprint | head -n 2 | xargs; }
# shellcheck disable=SC2317 # run by check and wait_for
have_met() { [ "$(status shunt good)" -gt 0 ] && [ "$(status shunt2 good)" -gt 0 ]; }
# shellcheck disable=SC2317
waits() { [ "$(status shunt2 waiting)" -ge "$1" ]; }
status() { "$1" status --json | jq ".peers.$2"; }
# Whether the second balancer has heard all that the first one has to say, of which it says most at once.
# shellcheck disable=SC2317
is_told() {
  local before
  before="$(status shunt2 taken) $(status shunt2 waiting)"
  sleep 1
  [ "$(status shunt2 taken) $(status shunt2 waiting)" = "$before" ]
}

mkdir -p "$W/run2" "$W/state2"
both "" "$(two)" "$(two)"
check "the first balancer starts" shuntd_start || finish
start shuntd2 lb2 "$O/shuntd" -c "$W/two.yaml"
check "and the second" wait_for 10 shunt2 status || finish
is "files in another order make the same fingerprint" "$(fingerprint shunt2)" "$(fingerprint shunt)"
before=$(fingerprint shunt)

# ---- not peers -----------------------------------------------------------------------------------
hold old1 7000 60
wait_for 5 is_open old1 60
both "" "$(three)" "$(two)"
check "b3 is added to both" reload_both
holds "the fingerprints are others" "\"$(fingerprint shunt)\" != \"$before\""
is "and the same" "$(fingerprint shunt2)" "$(fingerprint shunt)"
hold new1 7000 120
check "connections are open" wait_for 5 is_open new1 120
moved=$(awk '$1 == "b3" { print $2 }' "$W/new1")
sleep 0.5
route 10.0.0.3
sleep 2
is "a connection from before the change survives the move" "$(of old1 3)" 0
# shellcheck disable=SC2317
have_broken() { [ "$(of new1 3)" -ge "${moved:-0}" ]; }
wait_for 5 have_broken
broken=$(of new1 3)
# and what few slots the change moved between the others
holds "without peers all breaks that the change gave to b3" "$broken >= ${moved:-0} && $moved > 10"
stop hold-old1 INT
stop hold-new1 INT
route 10.0.0.2

# ---- peers ---------------------------------------------------------------------------------------
both "$secret" "$(three)" "$(two)"
check "they become peers" reload_both
check "and greet each other" wait_for 5 have_met
hold old2 7001 60
wait_for 5 is_open old2 60
both "$secret" "$(three)" "$(three)"
check "b3 is added to the other service, on the first balancer" shunt reload
hold new2 7001 60
check "connections are open" wait_for 5 is_open new2 60
check "and told before the second one is changed" wait_for 3 waits 1
check "which is then" shunt2 reload
hold new3 7001 60
check "more connections are open" wait_for 5 is_open new3 60
given=$(cat "$W/new2" "$W/new3" | awk '$1 == "b3" { n += $2 } END { print n + 0 }')
on client "$python" "$E2E/peers.py" noise
wait_for 5 is_told
route 10.0.0.3
sleep 2
holds "some connections were given to b3" "$given > 10"
is "with peers none of them breaks" "$(cat "$W/new2" "$W/new3" | awk '{ n += $3 } END { print n + 0 }')" 0
is "nor an older one" "$(of old2 3)" 0
note "of $moved flows that moved without peers $broken broke, of $given with peers none"
holds "strangers are counted and not heard" "$(status shunt2 stranger) > 500"
holds "no flow was lost on the way" "$(status shunt2 unknown) + $(status shunt2 no_room) + $(status shunt lost) == 0"
shunt2 status | sed -n 's/^peers/# &/p'

# ---- bad words -----------------------------------------------------------------------------------
route 10.0.0.2
start catch lb2 "$python" "$E2E/peers.py" catch "$W/caught"
sleep 0.3
hold new4 7001 20
check "a datagram of the peer's is caught" wait_for 5 test -s "$W/caught"
wait_for 5 is_open new4 20
wait_for 5 is_told
taken=$(status shunt2 taken)
on client "$python" "$E2E/peers.py" abuse "$W/caught" "$(on lb2 ip -j link show eth0 | jq -r ".[0].address")"
# shellcheck disable=SC2317
are_counted() { [ "$(status shunt2 'replayed,.peers.malformed,.peers.other_version,.peers.forged' | xargs)" = "10 30 10 10" ]; }
wait_for 5 are_counted
is "what came before is dropped, and counted" "$(status shunt2 replayed)" 10
is "so is what is cut, too long or anything" "$(status shunt2 malformed)" 30
is "and what is of another version" "$(status shunt2 other_version)" 10
is "and what was changed" "$(status shunt2 forged)" 10
# A flow may have been told again in the meantime; each of these would have been taken ten times.
holds "nothing of it is taken" "$(status shunt2 taken) < $taken + 8"
shunt2 status | sed -n '/^peers/,+1s/^/# /p'

# ---- a host that starts anew in the middle of it --------------------------------------------------
shuntd_stop KILL
# What the packet path keeps for the daemon is a ring, in which others may have come since.
# shellcheck disable=SC2317,SC2046 # run by check; words
forget_news() {
  local cpu zeros
  zeros=$(printf '00 %.0s' $(seq $((64 + 2048 * 16))))
  for cpu in $(seq 0 $(($(bpftool map show pinned "$1" -j | jq .max_entries) - 1))); do # shellcheck disable=SC2086 # words
    bpftool map update pinned "$1" key hex $(printf '%02x 00 00 00' "$cpu") value hex $zeros || return
  done
}
check "its news are written over" forget_news "$(find "/sys/fs/bpf/shunt/$INSTANCE" -name news | head -n 1)"
check "the first one's daemon is killed and comes back" shuntd_start || finish
stop shuntd2
rm -rf "/sys/fs/bpf/shunt/$INSTANCE-2"
both "$secret" "$(two)" "$(two)"
start shuntd2 lb2 "$O/shuntd" -c "$W/two.yaml"
check "the second balancer starts without tables" wait_for 10 shunt2 status
check "and is told of all flows" wait_for 5 waits "$given"
both "$secret" "$(three)" "$(three)"
check "it is changed, too" shunt2 reload
route 10.0.0.3
sleep 2
is "connections that it had never seen keep their backend" "$(cat "$W/new2" "$W/new3" | awk '{ n += $3 } END { print n + 0 }')" 0
stop shuntd2
rm -rf "/sys/fs/bpf/shunt/$INSTANCE-2"
finish
