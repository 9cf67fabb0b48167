#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Backends are judged by the packets that go by, without any active check: one that drops everything, one
# that refuses, one whose end of the tunnel is missing.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 4
companion && decap 1 2
for n in 1 2 3 4; do web $n; done
backends4 1 2 3 4 >"$W/web.backends"
for last in 11 12 13 14; do route_vip 203.0.113.$last; done
for n in 1 2 3 4; do vip b$n 203.0.113.12 && vip b$n 203.0.113.13 && vip b$n 203.0.113.14; done
config <<END
services:
$(service web tcp $VIP4 80 "forward: dsr" "check: none" "passive: { action: down, hold: 2s }" "backends_file: web.backends")
$(service marked tcp 203.0.113.13 80 "forward: dsr" "check: none" "passive: mark" "backends_file: web.backends")
$(service checked tcp 203.0.113.14 80 "forward: dsr" "${FAST%\}}, via: direct }" "passive: { action: down, hold: 1h }" "backends_file: web.backends")
$(service through tcp 203.0.113.12 80 "forward: ipip" "check: none" "passive: { syn_retry: 0% }" "backends: [10.0.0.11 name=b1, 10.0.0.12 name=b2, 10.0.0.13 name=b3]")
$(service refused tcp 203.0.113.11 80 "forward: nat" "check: none" "passive: { action: down, hold: 1h }" "backends: ['10.0.0.11:80 name=b1', '10.0.0.12:80 name=b2', '10.0.0.13:80 name=b3', '10.0.0.14:9 name=b4']")
END
check "shuntd starts" shuntd_start || finish
wait_for 5 all_up 19

# connects NAME ADDRESS SECONDS [LOSS]: 500 new connections a second in the background.
connects() { start "connects-$1" client "$python" "$E2E/connects.py" "$2" 80 500 "$3" "${4:-0}"; }
# of SERVICE BACKEND JQ: what `shunt backends` says of it.
of() { shunt backends "$1" --json | jq -r ".backends[] | select(.name == \"$2\") | $3"; }
# suspected SERVICE: the names of those that passive checks have anything against.
suspected() { shunt backends "$1" --json | jq -r '[.backends[] | select(.passive) | .name] | join(" ")'; }
health_is() { [ "$(of "$1" "$2" .health)" = "$3" ]; }
history_says() { shunt history "$1" "$2" | grep -q "$3"; }
suspects() { [ "$(suspected "$1")" = "$2" ]; }

# ---- one that drops everything ---------------------------------------------------------------------

connects web $VIP4 60
sleep 2
is "nobody is suspected while all answer" "$(suspected web)" ""
died=$(now_ms)
on b2 ip addr del $VIP4/32 dev lo # and what comes for it is dropped without a word
check "a backend that drops everything is taken out, without any check" wait_for 15 is_state web b2 down
note "after $(($(now_ms) - died)) ms"
is "it alone" "$(suspected web)" b2
check "with the reason in words" grep -qE \
  '^passive: [0-9]+% of [0-9]+ new connections in [0-9.]+ s repeated their SYN$' <(of web b2 .passive)
is "and it gets nothing" "$(of web b2 .gets) $(of web b2 .slots)" \
  "no packets: its passive check has taken it out 0"
check "the table says it too" grep -qE 'b2 .*down .*passive: ' <(shunt backends web)
check "so does the history" grep -qE 'up|unchecked' <(shunt history web b2 --json |
  jq -e '.history[0] | select(.to == "down" and .code == "PASSIVE" and (.reason | test("repeated their SYN; out for 2 s"))) | .from')
check "it stays out while it is silent: taken back and out again" wait_for 20 \
  history_says web b2 'out for 4 s'
address b2 lo $VIP4/32
check "it is back when it answers" wait_for 20 is_state web b2 up
check "which its history tells" history_says web b2 'passive: back after its time; [0-9]* s if it is taken out again soon'
sleep 2
is "and nobody is suspected any more" "$(suspected web)" ""
stop connects-web

# ---- one that is only marked -----------------------------------------------------------------------

connects marked 203.0.113.13 60
sleep 1
on b3 ip addr del 203.0.113.13/32 dev lo
check "with action: mark it is suspect" wait_for 15 is_state marked b3 suspect
holds "and goes on" "$(of marked b3 .slots) > 0"
is "no more than that" "$(of marked b3 .passive_out)" false
address b3 lo 203.0.113.13/32
check "until nothing speaks against it" wait_for 20 suspects marked ""
stop connects-marked

# ---- one whose check sees nothing wrong ------------------------------------------------------------

connects checked 203.0.113.14 60
sleep 1
on b1 ip addr del 203.0.113.14/32 dev lo
check "one that its check calls up is taken out too" wait_for 15 is_state checked b1 down
is "by its packets" "$(of checked b1 .health)" up
address b1 lo 203.0.113.14/32
sleep 1
check "and stays so for its time" is_state checked b1 down
stop web1
check "until its check has seen it go" wait_for 5 health_is checked b1 down
web 1
check "and come back" wait_for 10 is_state checked b1 up
check "which is why" history_says checked b1 'passive: back, as its check says up again'
stop connects-checked

# ---- one that refuses, and one without its end of the tunnel ---------------------------------------

connects refused 203.0.113.11 20
check "a backend that refuses is taken out behind nat" wait_for 15 is_state refused b4 down
is "it alone" "$(suspected refused)" b4
check "and why" grep -qE '^passive: [0-9]+% of [0-9]+ new connections in [0-9.]+ s were refused$' \
  <(of refused b4 .passive)
stop connects-refused
connects through 203.0.113.12 20
check "one whose end of the tunnel is missing is told by its ICMP errors" wait_for 15 is_state through b3 suspect
is "it alone" "$(suspected through)" b3
check "and why" grep -qE '^passive: [0-9]+ ICMP errors in 5.0 s say it cannot be reached$' \
  <(of through b3 .passive)
stop connects-through

# ---- what all have is nobody's fault ---------------------------------------------------------------

# As if a tenth of the packets were lost on each way.
connects lossy $VIP4 5 19
sleep 4
is "a fifth of all answers lost, and nobody is suspected" "$(suspected web)" ""
wait_for 5 grep -q connected "$W/connects-lossy.log"
note "$(cat "$W/connects-lossy.log")"
finish
