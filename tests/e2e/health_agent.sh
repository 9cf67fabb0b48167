#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a backend's agent says is done, while connections are held open: drain and maint, a percentage of its
# weight, taken back by ready; by hand wins; a restart forgets nothing; one that changes its mind with each
# probe moves little.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 2
companion && decap 1 2
says() { echo "$2" >"$W/agent$1.new" && mv "$W/agent$1.new" "$W/agent$1"; }
agent() { start "agent$1" "b$1" "$python" "$E2E/agent.py" 7001 "$W/agent$1"; }
for n in 1 2; do
  start "hold$n" b$n "$python" "$E2E/hold.py" serve b$n 7000
  says $n ready
  agent $n
  wait_for 10 on b$n bash -c 'exec 3<>/dev/tcp/127.0.0.1/7001'
  wait_for 10 on b$n bash -c 'exec 3<>/dev/tcp/127.0.0.1/7000'
done
config <<END
checks:
  port: { type: tcp, interval: 250ms, timeout: 200ms, fall: 10 }
  word: { type: agent, port: 7001, interval: 200ms, timeout: 190ms, rise: 1, fall: 4 }
services:
$(service web tcp $VIP4 7000 "flow_timeout: 5s" "checks: { all: [port, word] }" "forward: ipip" \
  "backends: [\"$(addr4 1) name=b1 weight=10\", \"$(addr4 2) name=b2 weight=10\"]")
END
running 2
start hold client "$python" "$E2E/hold.py" run $VIP4 7000 60 "$W/held"
check "connections are held" wait_for 10 test -s "$W/held"
had=$(sort "$W/held")
holds "by both backends" "$(awk '$2 > 5' <<<"$had" | wc -l) == 2"
kept() { # all that were there still move their bytes
  sleep 0.6
  is "$1" "$(sort "$W/held")" "$had"
}
new() { on client "$python" "$E2E/hold.py" ask $VIP4 7000 "${1:-30}" | awk '{print $2}' | sort | xargs; }
both() { [ "$(new)" = "b1 b2" ]; }
field() { shunt backends web --json | jq -r ".backends[] | select(.name == \"b1\").$1"; }
has() { [ "$(field "$1")" = "$2" ]; }
last() { shunt history web b1 --json | jq -r '.history[0] | .from + " " + .to + ", " + .reason + ", " + .by'; }

says 1 drain
check "drain drains" wait_for 5 has state drained
is "what it has said is why" "$(field edit_reason), $(field edited_by)" 'agent says "drain", its agent'
check "in the table, too" grep -q 'drained .*agent says "drain"; by its agent' <(shunt backends)
is "and in its history" "$(last)" 'up drained, agent says "drain", its agent'
is "new connections go to the other" "$(new)" b2
kept "those that it had stay"
says 1 ready
check "ready takes it back" wait_for 5 has state up
check "and it gets new ones again" wait_for 5 both

says 1 "up 30%"
check "a percentage is one of its weight" wait_for 8 has weight 3
is "which is told once" "$(last)" 'up up, weight 3, 30% of 10: agent says "up 30%", its agent'
holds "its part of the slots is smaller" "$(field slots) < 0.3 * $(shunt services --json | jq '.services[0].slots')"
check "the table says why" grep -q 'b1.* 3 .*up.*weight 3 of 10: agent says "up 30%"' <(shunt backends)
kept "no connection breaks"
shunt weight web b1 8 >/dev/null
is "a weight by hand wins" "$(field weight)" 8
says 1 "up 60%" && sleep 0.7
is "whatever the agent says then" "$(field weight)" 8
shunt weight web b1 10 >/dev/null
check "until it is taken back" wait_for 5 has weight 6
shuntd_stop KILL
says 1 "down" # so that nothing new is asked for
check "the daemon starts again" shuntd_start
is "with the weight that there was" "$(field weight)" 6
check "down takes it out" wait_for 5 has state down
is "for what it says" "$(field reason)" 'agent says "down"'
says 1 "up 100%"
check "up brings it back" wait_for 5 has state up
check "with all of its weight" wait_for 8 has weight 10

stop hold
rm -f "$W/held"
start hold2 client "$python" "$E2E/hold.py" run $VIP4 7000 60 "$W/held"
check "connections are held again" wait_for 10 test -s "$W/held"
had=$(sort "$W/held")
says 1 drain
check "it drains again" wait_for 5 has state drained
shunt enable web b1 --reason "needed" >/dev/null
is "by hand it is enabled all the same" "$(field state) $(field edit_reason)" "up needed"
check "and gets new connections" wait_for 5 both
says 1 ready
check "which is over when its agent is ready itself" wait_for 5 has edit_reason null
says 1 drain
check "it drains anew then" wait_for 5 has state drained
shuntd_stop
stop agent1 KILL
check "a daemon that comes back" shuntd_start
is "has it drained, though its agent says nothing" "$(field state)" drained
is "and new connections go to the other" "$(new)" b2
says 1 ready && agent 1
check "until that is there again" wait_for 5 has state up

stop hold2
rm -f "$W/held"
start hold3 client "$python" "$E2E/hold.py" run $VIP4 7000 60 "$W/held"
check "and connections are held again" wait_for 10 test -s "$W/held"
had=$(sort "$W/held")
lines=$(shunt history web b1 --json | jq '.history | length')
says 1 $'10%\n100%'
least=10
for _ in $(seq 30); do
  weight=$(field weight)
  [ "$weight" -ge "$least" ] || least=$weight
  sleep 0.05
done
holds "one that changes its mind with each probe moves a step or two, not more" "$least >= 5"
holds "and is not told of each time" "$(shunt history web b1 --json | jq '.history | length') - $lines <= 6"
kept "and breaks nothing"
mv "$W/state" "$W/kept" && : >"$W/state"
says 1 "maint 100%"
check "maint is maintenance" wait_for 5 has state maintenance
check "what cannot be kept is said" wait_for 5 \
  grep -q "what agents ask for is not kept over a restart: $W/state/.*: Not a directory" "$W/shuntd.log"
rm "$W/state" && mv "$W/kept" "$W/state"
is "it gets nothing new" "$(new)" b2
gone() { [ "$(awk '$1 == "b1" {print $2}' "$W/held")" = 0 ]; }
check "nor anything else" wait_for 10 gone
finish
