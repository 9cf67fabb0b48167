#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Connections are held open while their backend is drained by hand or taken out of the file, with
# deadlines, taken back midway, and with the daemon killed in the middle.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 3
companion && decap 1 2 3
for n in 1 2 3; do start "hold$n" b$n "$python" "$E2E/hold.py" serve b$n 7000; done
# Two services: one remembers every flow, one has slots in transition.
SERVICES="turns slots"
VIP_slots=203.0.113.11
VIP_turns=$VIP4
route_vip $VIP_slots
for n in 1 2 3; do vip b$n $VIP_slots; done
configured() { # LINE...: of the services
  config <<END
services:
$(service turns tcp $VIP_turns 7000 "scheduler: rr" "flow_timeout: 2s" "$FAST_TCP" "backends_file: b" "$@")
$(service slots tcp $VIP_slots 7000 "flow_timeout: 2s" "$FAST_TCP" "backends_file: b" "$@")
END
}
backends4 1 2 3 >"$W/b"
configured
running 6

# each COMMAND...: with the name of each service behind it; all succeed.
each() {
  local s
  for s in $SERVICES; do "$@" "$s" || { echo "$s: $*" && return 1; }; done
}
# hold N: N connections more are held at each service, of which each of its backends up has some (of 60 three at
# least, but for once in 2e7).
holds=0
declare -A had=()
hold() {
  local n s
  for s in $SERVICES; do stop "$s$holds"; done
  holds=$((holds + 1))
  for s in $SERVICES; do
    vip=VIP_$s
    start "$s$holds" client "$python" "$E2E/hold.py" run "${!vip}" 7000 "$1" "$W/$s$holds"
  done
  for s in $SERVICES; do
    wait_for 5 test -e "$W/$s$holds"
    for n in b1 b2 b3; do had[$s-$n]=$(held $n "$s"); done
    note "held at $s: b1 ${had[$s-b1]}, b2 ${had[$s-b2]}, b3 ${had[$s-b3]}"
  done
}
# held BACKEND SERVICE: "OPEN BROKEN" of those of the last hold.
held() { awk -v name="$1" '$1 == name { print $2, $3 }' "$W/$2$holds"; }
close_at() { for s in $SERVICES; do echo "$1" >"$W/$s$holds.close"; done; }
kept_at() {
  [ "${had[$2-$1]%% *}" -ge 3 ] && [ "$(held "$1" "$2")" = "${had[$2-$1]}" ] && return
  echo "$1 at $2: $(held "$1" "$2"), had ${had[$2-$1]}"
  return 1
}
# kept BACKEND...: each still has what it had, and it had some.
kept() {
  local n
  for n; do each kept_at "$n" || return; done
}
# intact BACKEND...: in the next two seconds none of theirs breaks.
intact() { sleep 2 && kept "$@"; }
# broken BACKEND: all that it had are.
broken_at() { [ "$(held "$1" "$2")" = "0 ${had[$2-$1]%% *}" ]; }
broken() { each broken_at "$1"; }
# new_at BACKENDS: that is who gets new connections.
new_at_of() {
  local vip=VIP_$2
  [ "$(on client "$python" "$E2E/hold.py" ask "${!vip}" 7000 40 | awk '{print $2}' | xargs)" = "$1" ]
}
new_at() { each new_at_of "$1"; }
drain_at() { shunt drain "$3" "$1" ${2:+--deadline "$2"}; }
# drain BACKEND [TIME], enable BACKEND: at each service.
drain() { each drain_at "$1" "${2:-}"; }
enable_at() { shunt enable "$2" "$1"; }
enable() { each enable_at "$1"; }
field() { shunt backends "${3:-turns}" --json | jq -r --arg name "$1" ".backends[] | select(.name == \$name).$2"; }
says_at() { [ "$(field "$1" "$2" "$4")" = "$3" ]; }
# says BACKEND FIELD VALUE: at each service.
says() { each says_at "$@"; }
gone() { says "$1" name ""; }
# waits BACKEND SERVICE: a drain with --wait, its status.
waits() {
  timeout 60 nsenter --net="/run/netns/$P-lb" -- "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" \
    drain "$2" "$1" --wait >"$W/waited-$2" 2>&1
  echo $?
}

hold 60
check "each backend has some" kept b1 b2 b3

note "by hand"
check "b1 is drained" drain b1 600s
check "it gets no new connections" new_at "b2 b3"
check "and keeps those that it has" intact b1 b2 b3
check "its state says so" says b1 state drained
check "its drain goes on" says b1 drain going
holds "with the deadline that was given" "$(field b1 deadline_ms) > 500000 && $(field b1 deadline_ms) <= 600000"
holds "and the packets of a moment ago" "$(field b1 idle_ms) < 2000 && $(field b1 quiet_ms) == 2000"
have=${had[slots-b1]%% *}
holds "and about as many flows as there are" "$(field b1 flows_left slots) >= $have / 2 && $(field b1 flows_left slots) <= $have * 2"
start wait lb "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" drain turns b1 --wait
check "a wait shows it" wait_for 5 grep -q "turns/b1: .*quiet for .* of 2 s, the rest moves in" "$W/wait.log"
stop wait INT
check "a wait that is interrupted leaves the drain going" says b1 drain going
close_at b1
is "a wait ends with 0 when the connections have ended" "$(waits b1 turns) $(waits b1 slots)" "0 0"
check "and says so" grep -q "turns/b1: its flows have ended" "$W/waited-turns"
check "the others noticed nothing" kept b2 b3
check "b1 is enabled" enable b1
check "and gets connections again" new_at "b1 b2 b3"

note "taken back midway"
hold 60
check "b1 is drained again" drain b1 600s
sleep 1
check "and enabled midway" enable b1
check "it gets new connections" new_at "b1 b2 b3"
check "and no connection breaks" intact b1 b2 b3

note "with a deadline, and the daemon killed"
check "b1 is drained for a while" drain b1 12s
sleep 1
shuntd_stop KILL
check "a new daemon starts" shuntd_start
check "it goes on with the drain" wait_for 5 says b1 state drained
check "with nothing new" new_at "b2 b3"
holds "and the deadline that was given" "$(field b1 deadline_ms) > 500 && $(field b1 deadline_ms) < 11500"
check "and b1's connections are there" kept b1
is "a wait ends with 3 when the deadline has come" "$(waits b1 turns) $(waits b1 slots)" "3 3"
check "and says so" grep -q "the deadline has come: flows that were left have moved" "$W/waited-turns"
check "b1's connections have moved, and so are broken" wait_for 5 broken b1
check "the others noticed nothing" kept b2 b3
check "b1 is enabled" enable b1

note "out of the file"
hold 60
backends4 1 3 >"$W/b"
check "b2 leaves when it is no longer in the file" wait_for 5 says b2 state leaving
check "which is known for how long" grep -qE "b2 .*leaving +[0-9]+ m?s " <(shunt backends turns)
check "it gets no new connections" new_at "b1 b3"
check "and keeps those that it has" intact b1 b2 b3
refuses "it cannot be drained by hand" 1 'leaves service "turns"' shunt drain turns b2
check "a reload changes nothing of that" shunt reload
check "it still leaves" says b2 state leaving
shuntd_stop KILL
check "a daemon that is killed comes back" shuntd_start
check "it still leaves then" says b2 state leaving
check "with nothing new" new_at "b1 b3"
check "and its connections" intact b1 b2 b3
backends4 1 2 3 >"$W/b"
check "b2 stays when it is in the file again" wait_for 5 says b2 state up
check "it gets new connections" new_at "b1 b2 b3"
check "and no connection breaks" intact b1 b2 b3
shuntd_stop KILL
backends4 1 3 >"$W/b"
check "a daemon that finds b2 out of the file" shuntd_start
check "has it leave" wait_for 5 says b2 state leaving
check "with its connections" intact b1 b2 b3
close_at b2
check "b2 is gone when these have ended" wait_for 5 gone b2
check "the others noticed nothing" kept b1 b3

note "dead, late, and at once"
backends4 1 2 3 >"$W/b"
wait_for 5 says b2 state up
hold 60
backends4 1 3 >"$W/b"
wait_for 5 says b2 state leaving
stop hold2 KILL
check "one that dies while it leaves is gone" wait_for 5 gone b2
configured "drain_deadline: 8s"
check "a short deadline is configured" shunt reload
backends4 1 >"$W/b"
check "b3 leaves" wait_for 5 says b3 state leaving
sleep 1
check "with its connections" kept b3
check "until the deadline" wait_for 12 gone b3
check "when they move, and so break" wait_for 5 broken b3
check "b1 noticed nothing" kept b1
configured "remove: now"
backends4 1 3 >"$W/b"
shunt reload >/dev/null
check "b3 is configured again" wait_for 5 says b3 state up
hold 60
backends4 1 >"$W/b"
check "with remove: now it goes" wait_for 5 gone b3
check "and its connections break at once" wait_for 2 broken b3
check "b1 still noticed nothing" kept b1
configured "settle_within: 5s"
check "slots may keep flows for five seconds" shunt reload
check "b1 is drained without a deadline" drain b1
is "there is none where every flow is remembered" "$(field b1 deadline_ms)" null
holds "and that of the slots where they keep them" "$(field b1 deadline_ms slots) > 3000 && $(field b1 deadline_ms slots) <= 5000"
finish
