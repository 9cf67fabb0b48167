#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A backend that dies is out and costs nothing after its detection, comes back, and a service without
# any healthy backend does what on_empty says.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 3
companion && decap 1 2 3
for n in 1 2 3; do web $n; done
backends4 1 2 3 >"$W/web.backends"
never='check: { type: http, path: /healthz, status: 404, interval: 250ms, timeout: 200ms }'
doubt='check: { type: http, path: /healthz, interval: 1s, fast_interval: 100ms, timeout: 90ms, jitter: 0% }'
vip lb 203.0.113.99
for last in 11 12 13 14 99; do route_vip 203.0.113.$last; done
for n in 1 2 3; do vip b$n 203.0.113.11 && vip b$n 203.0.113.12 && vip b$n 203.0.113.13 && vip b$n 203.0.113.14; done
event_is() { jq -es "any(.[]; .service == \"web\" and .backend == \"b2\" and ($1))" "$W/events.log"; }
config <<END
services:
$(service web tcp $VIP4 80 "forward: ipip" "$FAST" "backends_file: web.backends")
$(service turns tcp $VIP6 80 "scheduler: rr" "forward: ipip" "$FAST" "backends_file: web.backends")
$(service open tcp 203.0.113.11 80 "forward: ipip" "$never" "backends_file: web.backends")
$(service shut tcp 203.0.113.12 80 "forward: ipip" "$never" "on_empty: drop" "backends_file: web.backends")
$(service panic tcp 203.0.113.14 80 "forward: ipip" "$never" "on_empty: drop" "panic: 50%" "backends_file: web.backends")
$(service doubt tcp 203.0.113.13 80 "forward: ipip" "$doubt" "backends_file: web.backends")
$(service aside tcp 203.0.113.99 80 "forward: ipip" "$never" "on_empty: pass" "backends_file: web.backends")
END
check "shuntd starts" shuntd_start || finish
wait_for 5 all_up 9

start events lb "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" events --follow --json
load doubt "http://203.0.113.13/" 200
load web "http://$VIP4/" 200
load turns "http://[$VIP6]/" 200
sleep 1
died=$(now_ms)
stop web2 KILL
check "a dead backend is detected" wait_for 5 is_state web b2 down
said=$(now_ms)
check "by each service" wait_for 5 is_state turns b2 down
detected=$(now_ms)
note "after $((said - died)) ms of at most 5 x 250 ms and a timeout"
holds "in the time of five checks" "$((said - died)) < 2000 * ${SLOW:-4}"
check "status warns of it" grep -qE '[0-9]+ backends of [0-9]+ services are not up: shunt backends' <(shunt status)
sleep 1.5
stop_load doubt
# The interval, then two intervals of doubt; what a slow machine adds besides is allowed for.
out=$("$python" "$E2E/load.py" last_failed "$W/load-doubt")
note "with fast_interval: the last request failed $((out - died)) ms after the death, of 1000 + 2 x 100 + 20"
holds "with fast_interval a dead backend is out sooner than fall times the interval" \
  "$((out - died)) < 2900 * ${SLOW:-4}"
revived=$(now_ms)
web 2
check "a revived backend is detected" wait_for 5 is_state web b2 up
sleep 1
stop_load web
stop_load turns
failures_of web
failures_of turns
note "$(loaded web total) and $(loaded turns total) requests, $(loaded web failed 0 "$detected") and" \
  "$(loaded turns failed 0 "$detected") failed before the detection"
is "maglev: no request fails after the detection" "$(loaded web failed "$detected" "$revived")" 0
is "rr: no request fails after the detection, nor by the return" "$(loaded turns failed "$detected")" 0
# maglev remembers no flow: what is in flight when slots go back is cut off.
holds "maglev: the return costs at most what is in flight" "$(loaded web failed "$revived") <= 2"
is "the revived backend serves again" "$(spread 200 "http://$VIP4/" | awk '$1 > 30' | wc -l)" 3

# history BACKEND JQ...: of the service web.
history() { shunt history web "$1" --json | jq -r "$2"; }
is "the history says what became of it, the newest first" \
  "$(history b2 '[.history[] | .from + " " + .to + " " + .code] | join(", ")')" \
  "down up L7OK, up down L4CON, starting up L7OK"
check "and why" grep -q 'refused, 5 of 5' <(history b2 '.history[1].reason')
is "and nothing of the others" "$(history b1 '.history | length')" 1
check "events tell the same" wait_for 5 event_is '.to == "up" and .from == "down"'
check "with all that the history has" event_is \
  '.kind == "health" and .to == "down" and .code == "L4CON" and (.reason | test("refused")) and .seq > 0'
stop events
shunt drain web b1 >/dev/null && shunt enable web b1 >/dev/null
is "what is done by hand is in the history, too" \
  "$(history b1 '[.history[] | .from + " " + .to + " by " + (.by // "nobody")] | join(", ")' |
    sed -E 's/[a-z0-9._-]+ \(uid 0\)/uid 0/g')" \
  "drained up by uid 0, up drained by uid 0, starting up by nobody"
refuses "the history of a backend that is not there" 1 'no backend "b9"' shunt history web b9

kill -STOP "${pids[web3]}"
check "a backend that accepts but does not answer is down" wait_for 5 is_state web b3 down
kill -CONT "${pids[web3]}"
check "and up when it answers again" wait_for 5 is_state web b3 up

is "on_empty: all, the default, uses every backend" \
  "$(spread 200 http://203.0.113.11/ | awk '$1 > 30' | wc -l)" 3
is "on_empty: drop drops" "$(get http://203.0.113.12/; echo $?)" 28
check "and counts it in words" grep -qi 'on_empty: drop' <(shunt stats)
is "panic: 50% uses every backend when less are up" \
  "$(spread 200 http://203.0.113.14/ | awk '$1 > 30' | wc -l)" 3
is "and each of them says why" "$(shunt backends panic --json | jq -r '[.backends[].gets] | unique[]')" \
  "weight 1, though its check says down: 0 of 3 are up, less than panic: 50%"
is "on_empty: pass without a server on this host refuses" "$(get http://203.0.113.99/; echo $?)" 7
start sorry lb "$python" -m http.server --bind 203.0.113.99 80 --directory "$W"
is "on_empty: pass reaches this host's own server" \
  "$(wait_for 20 get -f http://203.0.113.99/; get -o /dev/null -w '%{http_code}' http://203.0.113.99/)" 200
finish
