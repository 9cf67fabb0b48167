#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A backend that recovers or is added climbs to its share in small steps, and no connection breaks by it;
# when the daemon starts, or a reload changes nothing of it, nobody climbs.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 3
companion && decap 1 2 3
for n in 1 2 3; do web $n && start "hold$n" b$n "$python" "$E2E/hold.py" serve b$n 7000; done
route_vip 203.0.113.11
for n in 1 2 3; do vip b$n 203.0.113.11; done
backends4 1 2 >"$W/b"
config <<END
defaults: { slow_start: 12s, remove: now }
services:
$(service web tcp $VIP4 80 "$FAST" "slots: 1024" "backends_file: b")
$(service long tcp 203.0.113.11 7000 "$FAST" "backends_file: b" | sed 's/path:/port: 80, path:/')
$(service turns tcp $VIP4 7000 "scheduler: wrr" "slots: 1024" "$FAST" "backends_file: b" | sed 's/path:/port: 80, path:/')
END
running 6

slots() { shunt backends "$1" --json | jq ".backends[] | select(.name == \"$2\").slots"; }
share() { shunt backends "$1" --json | jq ".backends[] | select(.name == \"$2\").share"; }
has_share() { [ "$(share "$1" "$2")" = "$3" ]; }
climbing() { local now && now=$(share "$1" "$2") && [ "$now" -gt 0 ] && [ "$now" -lt 16 ]; }
# watch_slots FILE: all backends as JSON, ten times a second if the machine can.
watch_slots() { while shunt backends --json >>"$1"; do sleep 0.1; done; }
# watched SERVICE BACKEND: its slots, a line each time.
watched() { jq ".backends[] | select(.service == \"$1\" and .name == \"$2\").slots" "$W/watched"; }
# climbs FILE SLOTS WORDS: the file begins with few, never falls, and ends with SLOTS or one or two less.
climbs() {
  local first last steps falls
  first=$(awk '$1 > 0' "$1" | head -n 1) last=$(tail -n 1 "$1")
  steps=$(uniq "$1" | awk '$1 > 0' | wc -l)
  falls=$(awk '$1 < before { n++ } { before = $1 } END { print n + 0 }' "$1")
  note "$3: $(uniq "$1" | xargs)"
  holds "$3: it begins with little" "$first <= $2 / 4"
  holds "$3: and takes many steps" "$steps >= 8"
  is "$3: it never falls" "$falls" 0
  holds "$3: and ends with all of its share" "$last <= $2 + 2 && $last >= $2 - 2"
}

is "when the daemon starts all have all of their shares" "$(share web b1) $(share web b2)" "16 16"
before="$(slots web b1) $(slots web b2)"
own=$(slots web b2)
stop web2 KILL
check "b2 is down" wait_for 5 is_state web b2 down
# Both b1's now: of a service that remembers flows, and of one that has slots in transition.
start held client "$python" "$E2E/hold.py" run $VIP4 7000 20 "$W/held"
start held-long client "$python" "$E2E/hold.py" run 203.0.113.11 7000 40 "$W/held-long"
wait_for 5 test -e "$W/held"
wait_for 5 test -e "$W/held-long"
watch_slots "$W/watched" &
watching=$!
web 2
check "b2 is up" wait_for 5 is_state web b2 up
began=$(now_ms)
holds "and climbs, with a part of its share" "$(share web b2) < 16"
check "which the table for people says" grep -q 'b2.*climbs: [0-9]*/16 of its share' <(shunt backends web)
check "until it has all" wait_for 24 has_share web b2 16
took=$(($(now_ms) - began))
holds "and not at once" "$took > 4000"
wait_for 2 has_share turns b2 16
looked=$(stat -c %s "$W/watched")
twice() { [ "$(tail -c "+$((looked + 1))" "$W/watched" | grep -c '"schema"')" -ge 2 ]; } # one began before
wait_for 5 twice
kill $watching
wait $watching 2>/dev/null
watched web b2 >"$W/web"
watched turns b2 >"$W/turns"
climbs "$W/web" "$own" maglev
climbs "$W/turns" 512 wrr
is "the table is what it was before" "$(slots web b1) $(slots web b2)" "$before"
is "and requests go to both" "$(spread 100 "http://$VIP4/" | awk '$1 > 20' | wc -l)" 2
held() { awk '{ open += $2; broken += $3 } END { print open, broken }' "$W/held" "$W/held-long"; }
is "of the held connections none has broken" "$(held)" "60 0" || shunt events | sed 's/^/# /'

backends4 1 2 3 >"$W/b"
check "one that is added climbs too" wait_for 5 climbing web b3
check "and the reload makes no other climb" has_share web b2 16
shuntd_stop KILL
check "a daemon that comes back" shuntd_start
check "has everybody at all of its share" wait_for 5 has_share web b3 16
is "and again none of the held connections" "$(held)" "60 0"
finish
