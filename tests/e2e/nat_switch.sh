#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Methods mixed in one service, translating and not, by hash and by turn; and a service that is switched
# from one to the other while it is in use.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 4
companion && decap 3
for n in 1 2 3 4; do web $n; done
mixed() {
  printf '%s\n' "10.0.0.11 name=b1 forward=nat" "10.0.0.12 name=b2 forward=$1" \
    "10.0.0.13 name=b3 forward=ipip" "fd00::14 name=b4 forward=nat" >"$W/mixed.new"
  mv "$W/mixed.new" "$W/mixed.backends"
}
mixed dsr
config <<END
nat_connections: 16k
services:
$(service hash tcp $VIP4 80 "$FAST" "backends_file: mixed.backends")
$(service turns tcp $VIP6 80 "scheduler: rr" "$FAST" "backends: [10.0.0.11 name=b1 forward=nat, 10.0.0.13 name=b3 forward=ipip, 'fd00::12 name=b2 forward=dsr', 'fd00::14 name=b4 forward=nat']")
END
running 8
dropped() { shunt stats --json | jq '[.verdicts[]? | select(.name | test("^drop_")) | .packets] | add // 0'; }
# has_method BACKEND METHOD
has_method() {
  shunt backends hash --json |
    jq -e --arg name "$1" --arg by "$2" '.backends[] | select(.name == $name) | .forward == $by'
}
for url in "http://$VIP4/" "http://[$VIP6]/"; do
  spread 400 "$url" >"$W/spread"
  is "all requests to $url are answered" "$(awk '{n += $1} END {print n}' "$W/spread")" 400
  is "by backends of all methods" "$(awk '$1 > 50 {n++} END {print n}' "$W/spread")" 4
done
is "by turn each gets as many" "$(awk '$1 > 95 && $1 < 105 {n++} END {print n}' "$W/spread")" 4
load web "http://$VIP4/" 300
for method in nat dsr nat dsr nat; do
  sleep 0.5
  mixed $method
  wait_for 5 has_method b2 $method || note "b2 does not get $method"
done
sleep 0.5
stop_load web
note "requests that failed of $(loaded web total): $(loaded web failed)"
# At each of the five changes what b2 has in flight, a fourth of 16 at most, and as many again while it is told.
holds "requests go on while a method changes" "$(loaded web failed) <= 40 && $(loaded web failed) < $(loaded web total) / 8"
is "and no packet finds a table that does not fit" "$(dropped)" 0
finish
