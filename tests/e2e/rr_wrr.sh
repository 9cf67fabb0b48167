#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Round robin deals connections out evenly or by weight, and every flow stays where it began.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 3
companion && decap 1 2 3
for n in 1 2 3; do
  web $n
  udp $n 5353
  echo_server $n 7000
done
backends4 1 2 3 >"$W/even.backends"
backends4 1 2 3 | sed '/b2/s/$/ weight=2/; /b3/s/$/ weight=0/' >"$W/weighted.backends"
config <<END
services:
$(service even tcp $VIP4 80 "scheduler: rr" "forward: ipip" "$FAST" "backends_file: even.backends")
$(service weighted tcp $VIP6 80 "scheduler: wrr" "forward: ipip" "$FAST" "backends_file: weighted.backends")
$(service echo tcp $VIP4 7000 "scheduler: rr" "forward: ipip" "$FAST_TCP" "backends_file: even.backends")
$(service dns udp $VIP4 5353 "scheduler: rr" "forward: ipip" "backends_file: even.backends")
END
check "shuntd starts" shuntd_start || finish
wait_for 5 all_up 9
spread 300 "http://$VIP4/" | tee "$W/spread" | sed 's/^/# /'
is "rr gives every backend the same" "$(awk '$1 >= 97 && $1 <= 103 {n++} END {print n}' "$W/spread")" 3
spread 300 "http://[$VIP6]/" | tee "$W/spread" | sed 's/^/# /'
is "wrr gives b2 twice as much and b3, of weight 0, nothing" \
  "$(awk '$2 == "b1" && $1 >= 97 && $1 <= 103 || $2 == "b2" && $1 >= 197 && $1 <= 203 {n++} END {print n, NR}' \
    "$W/spread")" "2 2"
declare -A long=()
for n in 1 2 3 4 5 6; do
  bulk $VIP4 7000 5 2 >"$W/long$n" 2>&1 &
  long[$n]=$!
done
sleep 0.7
check "b2 is drained" shunt drain echo b2
sleep 0.3
broken=0
for n in "${!long[@]}"; do wait "${long[$n]}" || broken=$((broken + 1)); done
is "long connections stay, through a drain" $broken 0
check "UDP flows stay" ask_udp $VIP4 5353 100 5
finish
