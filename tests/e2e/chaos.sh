#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Everything that does not concern a service happens at once, for a quarter of a minute: other services
# come, go, grow and are weighed anew, signals storm, files are replaced, the daemon and its child are
# killed, links and routes come and go. The service's connections see nothing of it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 3
companion && decap 1 2 3
for n in 1 2 3; do web $n && echo_server $n 7000; done
backends4 1 2 3 >"$W/web.backends"
backends4 1 2 >"$W/other.backends"

# chaos_config N: what is under load, and N services that are not, with policies by chance.
chaos_config() {
  local i schedulers=(maglev rr wrr) methods=(ipip dsr) checks=("check: none" "${FAST_TCP/tcp,/tcp, via: direct, port: 7000,}")
  config <<END
services:
$(service maglev tcp $VIP4 80 "forward: ipip" "$FAST" "backends_file: web.backends")
$(service turns tcp $VIP6 80 "scheduler: rr" "forward: ipip" "$FAST" "backends_file: web.backends")
$(service echo tcp $VIP4 7000 "forward: dsr" "$FAST_TCP" "backends_file: web.backends")
$(service echo6 tcp $VIP6 7000 "scheduler: rr" "forward: ipip" "$FAST_TCP" "backends_file: web.backends")
$(for ((i = 0; i < $1; i++)); do
    service "other$i" tcp 203.0.113.99 $((1000 + i)) "scheduler: ${schedulers[RANDOM % 3]}" \
      "forward: ${methods[RANDOM % 2]}" "${checks[RANDOM % 2]}" "slots: $((256 << RANDOM % 9))" \
      "backends_file: other.backends"
  done)
END
}
chaos_config 3
running 18 # of 4 x 3 and 3 x 2

load maglev "http://$VIP4/" 150
load turns "http://[$VIP6]/" 150
start keep-maglev client "$python" "$E2E/load.py" keep "http://$VIP4/" 50 "$W/load-kept4"
start keep-turns client "$python" "$E2E/load.py" keep "http://[$VIP6]/" 50 "$W/load-kept6"
bulk $VIP4 7000 10 16 >"$W/bulk4.log" 2>&1 &
bulk4=$!
bulk $VIP6 7000 10 16 >"$W/bulk6.log" 2>&1 &
bulk6=$!

others() { # other backends: none, or up to ten of addresses where nobody is, with weights by chance
  local i
  for ((i = RANDOM % 11; i > 0; i--)); do echo "10.0.0.$((100 + RANDOM % 50)) weight=$((RANDOM % 5))"; done |
    sort -u -k 1,1
}
done_of=() # what happened, to be shown and to have happened
did() { done_of+=("$1"); }
again() { # a daemon does not start with a file that is broken
  others >"$W/other.backends"
  shuntd_stop "$1"
  sleep 0.$((RANDOM % 5))
  shuntd_start
}
edit() {
  local name
  name=$(shunt backends other0 --json | jq -er '.backends[0].name') &&
    shunt weight other0 "$name" $((RANDOM % 5)) && shunt drain other0 "$name" && shunt enable other0 "$name"
}
happens() {
  case $((RANDOM % 10)) in
  0) chaos_config $((RANDOM % 12)) && kill -HUP "${pids[shuntd]}" && did reload ;;
  1) for _ in $(seq 20); do kill -HUP "${pids[shuntd]}"; done && did storm ;;
  2) others >"$W/other.backends" && did written ;;
  3) others >"$W/new" && mv "$W/new" "$W/other.backends" && did moved ;;
  4) echo "10.0.0.999" >"$W/other.backends" && did broken ;;
  5) again KILL && did killed ;;
  6) again TERM && did restarted ;;
  7) kill -KILL "$(pgrep -P "${pids[shuntd]}" | shuf -n 1)" && did child ;;
  8) edit && did edited ;;
  9)
    on lb ip link add un0 type veth peer name un1 && on lb ip link set un0 up &&
      on lb ip addr add 192.0.2.1/24 dev un0 && on lb ip link set un1 up &&
      on lb ip route add 198.51.100.0/24 via 192.0.2.2 && on lb ip link del un0 && did links
    ;;
  esac
} >/dev/null 2>&1
# Thirteen seconds, and longer on a machine that does little in them.
goes_on() {
  local ms=$(($(now_ms) - began))
  [ $ms -lt 13000 ] || { [ ${#done_of[@]} -le 20 ] && [ $ms -lt 60000 ]; }
}
sleep 1
began=$(now_ms)
while goes_on; do
  happens
  sleep 0.$((RANDOM % 4))
done
note "$(printf '%s\n' "${done_of[@]}" | sort | uniq -c | xargs)"
holds "a lot happened" "${#done_of[@]} > 20"
wait $bulk4
is "a connection by maglev through all of it lost no byte" "$? $(tail -n 1 "$W/bulk4.log" | grep -c '^[0-9]*$')" "0 1"
wait $bulk6
is "one by rr neither" "$? $(tail -n 1 "$W/bulk6.log" | grep -c '^[0-9]*$')" "0 1"
stop_load maglev
stop_load turns
stop keep-maglev INT
stop keep-turns INT
for name in maglev turns kept4 kept6; do
  failures_of $name
  note "$(loaded $name total) requests: $name"
  holds "the load ran ($name)" "$(loaded $name total) > 200"
  is "no request failed ($name)" "$(loaded $name failed)" 0
done
backends4 1 2 >"$W/other.backends"
chaos_config 3
check "a last reload takes effect" shunt reload
check "all backends are up in the end" wait_for 10 all_up 18
finish
