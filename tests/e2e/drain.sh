#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Connections are held open while their backend is drained by hand or taken out of the file, with
# deadlines, taken back midway, and with the daemon killed in the middle.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 3
companion && decap 1 2 3
for n in 1 2 3; do start "hold$n" b$n "$python" "$E2E/hold.py" serve b$n 7000; done
configured() { # LINE...: of the service
  config <<END
services:
$(service turns tcp $VIP4 7000 "scheduler: rr" "flow_timeout: 1s" "$FAST_TCP" "backends_file: b" "$@")
END
}
backends4 1 2 3 >"$W/b"
configured
running 3

# hold N: N connections more are held, of which each of the backends up has some; held BACKEND: "OPEN BROKEN"
# of those of the last hold.
holds=0
declare -A had=()
hold() {
  local n
  stop "client$holds"
  holds=$((holds + 1))
  start "client$holds" client "$python" "$E2E/hold.py" run $VIP4 7000 "$1" "$W/held$holds"
  wait_for 5 test -e "$W/held$holds"
  had=()
  for n in b1 b2 b3; do had[$n]=$(held $n); done
  note "held: b1 ${had[b1]}, b2 ${had[b2]}, b3 ${had[b3]}"
}
held() { awk -v name="$1" '$1 == name { print $2, $3 }' "$W/held$holds"; }
close_at() { echo "$1" >"$W/held$holds.close"; }
# kept BACKEND...: each still has what it had, and it had some.
kept() {
  local n
  for n; do
    [ "${had[$n]%% *}" -ge 3 ] && [ "$(held "$n")" = "${had[$n]}" ] || { held "$n" && return 1; }
  done
}
# intact BACKEND...: in the next two seconds none of theirs breaks.
intact() { sleep 2 && kept "$@"; }
# broken BACKEND: all that it had are.
broken() { [ "$(held "$1")" = "0 ${had[$1]%% *}" ]; }
new_at() { on client "$python" "$E2E/hold.py" ask $VIP4 7000 30 | awk '{print $2}' | xargs; }
field() { shunt backends turns --json | jq -r --arg name "$1" ".backends[] | select(.name == \$name).$2"; }
gone() { [ -z "$(field "$1" name)" ]; }

hold 30
check "each backend has some" kept b1 b2 b3

note "by hand"
check "b1 is drained" shunt drain turns b1 --deadline 60s
is "it gets no new connections" "$(new_at)" "b2 b3"
check "and keeps those that it has" intact b1 b2 b3
is "its drain goes on" "$(field b1 state) $(field b1 drain)" "drained going"
holds "with the deadline that was given" "$(field b1 deadline_ms) > 50000 && $(field b1 deadline_ms) <= 60000"
holds "and the packets of a moment ago" "$(field b1 idle_ms) < 1000 && $(field b1 quiet_ms) == 1000"
start wait lb "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" drain turns b1 --wait
sleep 1.5
stop wait INT
is "a wait that is interrupted leaves the drain going" "$(field b1 drain)" going
check "what it showed" grep -q "turns/b1: quiet for .* of 1 s, the rest moves in" "$W/wait.log"
close_at b1
timeout 10 nsenter --net="/run/netns/$P-lb" -- "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" \
  drain turns b1 --wait >"$W/waited" 2>&1
is "a wait ends with 0 when the connections have ended" $? 0
check "and says so" grep -q "turns/b1: its flows have ended" "$W/waited"
check "the others noticed nothing" kept b2 b3
check "b1 is enabled" shunt enable turns b1
is "and gets connections again" "$(new_at)" "b1 b2 b3"

note "taken back midway"
hold 30
check "b1 is drained again" shunt drain turns b1 --deadline 60s
sleep 1
check "and enabled midway" shunt enable turns b1
is "it gets new connections" "$(new_at)" "b1 b2 b3"
check "and no connection breaks" intact b1 b2 b3

note "with a deadline, and the daemon killed"
check "b1 is drained for a while" shunt drain turns b1 --deadline 6s
sleep 1
shuntd_stop KILL
check "a new daemon starts" shuntd_start
check "it goes on with the drain" is_state turns b1 drained
is "with nothing new" "$(new_at)" "b2 b3"
holds "and the deadline that was given" "$(field b1 deadline_ms) > 500 && $(field b1 deadline_ms) < 5500"
check "and b1's connections are there" kept b1
timeout 20 nsenter --net="/run/netns/$P-lb" -- "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" \
  drain turns b1 --wait >"$W/waited" 2>&1
is "a wait ends with 3 when the deadline has come" $? 3
check "and says so" grep -q "the deadline has come: flows that were left have moved" "$W/waited"
check "b1's connections have moved, and so are broken" wait_for 5 broken b1
check "the others noticed nothing" kept b2 b3
check "b1 is enabled" shunt enable turns b1

note "out of the file"
hold 30
backends4 1 3 >"$W/b"
check "b2 leaves when it is no longer in the file" wait_for 5 is_state turns b2 leaving
is "it gets no new connections" "$(new_at)" "b1 b3"
check "and keeps those that it has" intact b1 b2 b3
refuses "it cannot be drained by hand" 1 'leaves service "turns"' shunt drain turns b2
check "a reload changes nothing of that" shunt reload
is "it still leaves" "$(field b2 state)" leaving
shuntd_stop KILL
check "a daemon that is killed comes back" shuntd_start
is "it still leaves then" "$(field b2 state)" leaving
is "with nothing new" "$(new_at)" "b1 b3"
check "and its connections" intact b1 b2 b3
backends4 1 2 3 >"$W/b"
check "b2 stays when it is in the file again" wait_for 5 is_state turns b2 up
is "it gets new connections" "$(new_at)" "b1 b2 b3"
check "and no connection breaks" intact b1 b2 b3
shuntd_stop KILL
backends4 1 3 >"$W/b"
check "a daemon that finds b2 out of the file" shuntd_start
check "has it leave" wait_for 5 is_state turns b2 leaving
check "with its connections" intact b1 b2 b3
close_at b2
check "b2 is gone when these have ended" wait_for 5 gone b2
check "the others noticed nothing" kept b1 b3

note "dead, late, and at once"
backends4 1 2 3 >"$W/b"
wait_for 5 is_state turns b2 up
hold 30
backends4 1 3 >"$W/b"
wait_for 5 is_state turns b2 leaving
stop hold2 KILL
check "one that dies while it leaves is gone" wait_for 5 gone b2
configured "drain_deadline: 2s"
check "a short deadline is configured" shunt reload
backends4 1 >"$W/b"
check "b3 leaves" wait_for 5 is_state turns b3 leaving
sleep 1
check "with its connections" kept b3
check "until the deadline" wait_for 5 gone b3
check "when they move, and so break" wait_for 5 broken b3
check "b1 noticed nothing" kept b1
configured "remove: now"
backends4 1 3 >"$W/b"
shunt reload >/dev/null
check "b3 is configured again" wait_for 5 is_state turns b3 up
hold 20
backends4 1 >"$W/b"
check "with remove: now it goes" wait_for 5 gone b3
check "and its connections break at once" wait_for 2 broken b3
check "b1 still noticed nothing" kept b1
finish
