#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Connections that compare every byte, while their backends come, go, weigh more and less, fail and recover,
# while the daemon is killed, reloaded and started anew, and with floods of SYNs and ACKs beside: only
# those of a backend that failed may break.  CONNECTIONS (300), PAUSE (0.5 s between two of their messages)
# and REST (1 s between two events) make it longer: make prove.  No connection is idle for TIMEOUT.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
CONNECTIONS=${CONNECTIONS:-300} PAUSE=${PAUSE:-0.5} REST=${REST:-1} RATE=${RATE:-1000} TIMEOUT=${TIMEOUT:-5s}
CHECK='check: { type: tcp, interval: 500ms, timeout: 450ms, rise: 2, fall: 6 }' # servers may be busy
ulimit -n 65536
stage 6
companion && decap 1 2 3 4 5 6
on client ip route add blackhole 10.66.0.0/16 # where the floods say that they come from
server() { start "server$1" "b$1" "$python" "$E2E/unbroken.py" serve "b$1" 7000; }
for n in 1 2 3 4 5 6; do
  on b$n ip route add blackhole 10.66.0.0/16
  on b$n sysctl -qw net.ipv4.tcp_max_syn_backlog=65536 net.core.somaxconn=8192
  server $n
done
configured() { # WORDS OF B1, then the numbers of the backends
  local words=$1
  shift
  backends4 "$@" | sed "1s/\$/ $words/" >"$W/b"
  config <<END
services:
$(service web tcp $VIP4 7000 "forward: ipip" "flow_timeout: $TIMEOUT" "$CHECK" "backends_file: b")
END
}
configured "" 1 2 3 4
running 4
load_dir=$W/load
mkdir "$load_dir"
start clients client "$python" "$E2E/unbroken.py" run $VIP4 7000 "$CONNECTIONS" "$PAUSE" 20 "$load_dir"
count() { awk -v word="$1" '$1 == word { print $2 }' "$load_dir/${2:-count}"; }
all_open() { [ "$(count open)" -ge $((CONNECTIONS * 95 / 100)) ]; }
check "$CONNECTIONS connections open" wait_for 60 all_open
for kind in syn ack; do
  start $kind client "$python" "$E2E/unbroken.py" flood $kind $VIP4 7000 "$RATE"
done

# event WORDS COMMAND...: it does, and nobody breaks but those of backends that failed.
event() {
  local words=$1
  shift
  check "$words" "$@"
  check "  and nobody's connection breaks" unharmed
}
unharmed() {
  sleep "$REST"
  [ "$(count broken) $(count wrong)" = "0 0" ] && return
  xargs <"$load_dir/count"
  return 1
}
changed() { configured "$@" && shunt reload; }
fails() { # N: its server is killed
  echo "b$1" >>"$load_dir/failed"
  stop "server$1" KILL
  wait_for 15 is_state web "b$1" down
}
recovers() { # N
  server "$1"
  wait_for 15 is_state web "b$1" up
}
drains() { shunt drain web "b$1" --deadline 1h; }
anew() { # SIGNAL: the daemon ends by it, and another one starts
  shuntd_stop "$1"
  shuntd_start && wait_for 10 all_up "$2"
}

event "a backend is added" changed "" 1 2 3 4 5
event "one weighs three times as much" changed "weight=3" 1 2 3 4 5
event "one is drained" drains 2
event "another one is added" changed "weight=3" 1 2 3 4 5 6
event "the one that was drained is enabled" shunt enable web b2
event "the daemon is killed and started" anew KILL 6
event "one weighs as much as the others again" changed "" 1 2 3 4 5 6
event "one fails" fails 4
event "one is taken out of the file meanwhile" changed "" 1 2 3 4 5
event "the one that failed recovers" recovers 4
event "the daemon is stopped and started" anew TERM 5
event "the one that was taken out is back" changed "" 1 2 3 4 5 6
event "one weighs a little more" shunt weight web b3 2
event "and a little more" shunt weight web b3 3
event "one is drained while the daemon is killed" drains 5
event "and started" anew KILL 5

touch "$load_dir/stop"
check "all connections end" wait_for 60 test -e "$load_dir/result"
stop syn KILL
stop ack KILL
sed 's/^/#   /' "$W/clients.log" | head -n 20
result_of() { count "$1" result; }
note "unbroken: $(result_of opened) connections, $(result_of bytes) bytes," \
  "broken $(result_of broken), of failed backends $(result_of failed)," \
  "unanswered $(result_of unanswered)"
note "of the flow table: $(shunt stats 2>/dev/null | grep -i -m 1 'flow' | xargs)"
is "no byte was wrong" "$(result_of wrong)" 0
is "no connection of a living backend broke" "$(result_of broken)" 0
holds "those of the one that failed did" "$(result_of failed) > 0"
holds "there were many" "$(result_of opened) > $CONNECTIONS * 1.3 && $(result_of bytes) > 1000000"
finish
