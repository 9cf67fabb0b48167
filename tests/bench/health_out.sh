#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make bench-health: how soon a dead backend gets no more requests, by each way of dying, measured by the
# requests that are lost: one every two milliseconds, each a connection of its own, to two backends of which one
# dies. ROUNDS (3) of each; the slowest counts. Then 10,000 backends of which a rack of 1,000 dies and
# returns at once: how long the daemon takes to answer meanwhile, and what becomes of the events.
# shellcheck source-path=SCRIPTDIR/../e2e
. "$(dirname "$0")/../e2e/lib.sh"
ROUNDS=${ROUNDS:-3} BACKENDS=${BACKENDS:-10000} RACK=1000
INTERVAL=500 FAST=200 TIMEOUT=150 FALL=3 # ms
over=0
stage 2
companion && decap 1 2

# row WORDS VALUE LIMIT UNIT
row() {
  local word=PASS
  [ "$2" -le "$3" ] || { word=FAIL && over=1; }
  printf '%-62s %6s %-2s (at most %s)  %s\n' "$1" "$2" "$4" "$3" $word
}

server() { start "server$1" "b$1" "$python" tests/bench/health_out.py serve 80 "$W/how$1"; }
answers() { [ "$(on "b$1" curl -s --max-time 1 http://127.0.0.1/)" = ok ]; }
die() {
  case $1 in
  refused) stop server1 KILL ;;
  silent) for a in 10.0.0.1 10.0.0.2; do on b1 ip route add blackhole $a/32; done ;;
  *) echo "$1" >"$W/how1" ;;
  esac
}
revive() {
  on b1 ip route flush type blackhole 2>/dev/null
  echo ok >"$W/how1"
  [ -n "${pids[server1]:-}" ] || server 1
}

# out_after WAY: milliseconds from its death until the last request that was lost began.
out_after() {
  local died last
  wait_for 10 all_up 2 || { echo 99999 && return; }
  sleep 0.$((RANDOM % 9 + 1)) # anywhere between two probes
  died=$(now_ms)
  die "$1"
  wait_for 5 is_state web b1 down
  sleep 1.3
  last=$(tail -n 1 "$W/lost")
  echo $((${last:-0} > died ? last - died : 0)) >"$W/took"
  revive
}

for n in 1 2; do echo ok >"$W/how$n" && server "$n" && wait_for 10 answers "$n"; done
for fast in ${FASTS-$INTERVAL $FAST}; do
  config <<END
services:
$(service web tcp $VIP4 80 "forward: ipip" "backends: [\"$(addr4 1) name=b1\", \"$(addr4 2) name=b2\"]" \
  "check: { type: http, interval: ${INTERVAL}ms, fast_interval: ${fast}ms, timeout: ${TIMEOUT}ms, rise: 2, fall: $FALL }")
END
  shuntd_start && wait_for 10 all_up 2 || exit 1
  echo "a dead backend, checked by HTTP every $INTERVAL ms, $fast ms in doubt, timeout $TIMEOUT ms, fall $FALL:"
  for way in refused closes 503 silent hangs; do
    limit=$((INTERVAL + (FALL - 1) * fast + 20)) worst=0
    case $way in silent | hangs) limit=$((limit + TIMEOUT)) ;; esac
    for _ in $(seq "$ROUNDS"); do
      : >"$W/lost"
      start ask client "$python" tests/bench/health_out.py ask $VIP4 80 "$W/lost"
      out_after "$way"
      stop ask
      took=$(cat "$W/took")
      [ "$took" -le "$worst" ] || worst=$took
    done
    row "  $way: the last request that was lost" "$worst" "$limit" ms
  done
  shuntd_stop
done

# ---- a rack --------------------------------------------------------------------------------------

for n in 1 2; do stop "server$n" KILL; web $n 80; done
for n in 1 2; do on b$n ip route add local 10.$n.0.0/16 dev lo; done
for n in 1 2; do on lb ip route add 10.$n.0.0/16 via "$(addr4 $n)"; done
# addresses HOST COUNT
addresses() { seq 0 $(($2 - 1)) | awk -v h="$1" '{ printf "10.%d.%d.%d name=n%d-%d\n", h, $1 / 250, $1 % 250 + 1, h, $1 }'; }
addresses 1 $RACK >"$W/rack"
services=$(((BACKENDS - RACK) / 1000))
for n in $(seq $services); do addresses 2 $((n * 1000)) | tail -n 1000 >"$W/b$n"; done
config <<END
services:
$(for n in $(seq 0 $services); do
  service "s$n" tcp $VIP4 $((80 + n)) "forward: ipip" "backends_file: $([ "$n" = 0 ] && echo rack || echo "b$n")" \
    "check: { type: tcp, port: 80, via: direct, interval: 2s, timeout: 1s, rise: 2, fall: 3, fast_interval: 500ms }"
done)
END
READY_WITHIN=60
shuntd_start || exit 1
wait_for 60 all_up "$BACKENDS" || { note "not all are up" && shunt backends | grep -v " up " | head -n 5; exit 1; }
start events lb "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" events --follow --json
# The time of an answer is that of the daemon's loop, and of a process on top.
start pace lb bash -c "while :; do a=\${EPOCHREALTIME/./}; '$O/shunt' -i $INSTANCE --run-dir '$W/run' status >/dev/null; echo \$(((\${EPOCHREALTIME/./} - a) / 1000)); sleep 0.05; done"
sleep 2
idle=$(sort -n "$W/pace.log" | tail -n 1)
: >"$W/pace.log"
heard() { grep -c "\"to\": *\"$1\"" "$W/events.log"; }
heard_all() { [ "$(heard "$1")" -ge "$RACK" ]; }
cpu() { awk '{ print ($14 + $15) * 10 }' "/proc/${pids[shuntd]}/stat"; } # ms, at 100 ticks a second
busy_before=$(cpu)
began=$(now_ms)
stop web1 KILL
wait_for 15 heard_all down
down=$(($(now_ms) - began))
began=$(now_ms)
web 1 80
wait_for 15 heard_all up
up=$(($(now_ms) - began))
busy=$(sort -n "$W/pace.log" | tail -n 1)
cpu=$(($(cpu) - busy_before))
lost=$(grep -ci 'lost\|missed' "$W/events.log")
echo "$BACKENDS backends, of which $RACK die and return at once, checked every 2 s, 500 ms in doubt, fall 3, rise 2:"
row "  until all have been told of as down" $down 3600 ms
row "  until all have been told of as up" $up 3600 ms
row "  events of them that did not come, and were not said to be lost" \
  $((lost ? 0 : 2 * RACK - $(heard down) - $(heard up))) 0 ""
echo "  the daemon's own CPU time meanwhile: $cpu ms"
row "  the slowest answer meanwhile (without events $idle ms)" "$busy" $((idle + 100)) ms
[ -z "${KEEP-}" ] || cp "$W/events.log" "$KEEP"
exit $over
