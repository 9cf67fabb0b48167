#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Datagrams of 8000 bytes, which the client's host cuts into pieces: by every method that shunt does not
# translate for, every piece goes to the backend that has the flow, and no byte is lost.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 3
companion && decap 1 2 3
for n in 1 2 3; do udp $n 5353; done
backends4 1 2 3 >"$W/v4.backends"
backends6 1 2 3 >"$W/v6.backends"

# big WORDS VIP: 40 flows of large datagrams beside small ones; all backends have some of them.
big() {
  big_udp "$2" 5353 40 8000 >"$W/big"
  is "$1: nothing is lost, moved or broken" "$(grep -E 'lost|moved|broken' "$W/big" | xargs)" ""
  is "$1: the flows are all answered" "$(awk '/ b/ {n += $1} END {print n}' "$W/big")" 40
  [ -z "${3:-}" ] || is "$1: by all backends" "$(grep -c ' b' "$W/big")" "$3"
}
verdicts() { shunt stats --json | jq -r '.verdicts[] | select(.packets > 0) | .name' | grep -E "$1" | xargs; }

for method in ipip gre gue dsr; do
  config <<END
services:
$(service big4 udp $VIP4 5353 "forward: $method" "check: none" "backends_file: v4.backends")
$(service big6 udp $VIP6 5353 "forward: $method" "check: none" "backends_file: v6.backends")
END
  check "shuntd starts with forward: $method" shuntd_start || finish
  wait_for 5 all_up 6
  wait_for 5 ask_udp $VIP4 5353 6 1
  wait_for 5 ask_udp $VIP6 5353 6 1
  big "$method, IPv4" $VIP4
  big "$method, IPv6" $VIP6
  is "$method: nothing was dropped, and no fragment was the stack's" "$(verdicts '^drop|^DROP|fragment')" ""
  check "$method: shuntd stops" shuntd_stop
  on lb "$O/shuntd" --remove -c "$W/shunt.yaml" >/dev/null 2>&1
done

for method in ipip gre gue; do
  config <<END
fragments: 1k
services:
$(service turns4 udp $VIP4 5353 "forward: $method" "scheduler: rr" "check: none" "backends_file: v6.backends")
$(service turns6 udp $VIP6 5353 "forward: $method" "scheduler: rr" "check: none" "backends_file: v4.backends")
END
  check "shuntd starts with round robin, and $method of the other family" shuntd_start || finish
  wait_for 5 ask_udp $VIP4 5353 6 1
  wait_for 5 ask_udp $VIP6 5353 6 1
  big "round robin, IPv4 by $method in IPv6" $VIP4 3
  big "round robin, IPv6 by $method in IPv4" $VIP6 3
  is "nothing was dropped" "$(verdicts '^drop|^DROP')" ""
  check "$method: shuntd stops" shuntd_stop
  on lb "$O/shuntd" --remove -c "$W/shunt.yaml" >/dev/null 2>&1
done
finish
