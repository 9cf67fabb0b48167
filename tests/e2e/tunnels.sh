#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# GUE and GRE: real clients talk TCP and UDP through each, over IPv4 and IPv6 and from one to the other,
# to backends that take the tunnel off with shunt decap.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 2
companion && decap 1 2
for n in 1 2; do
  web $n 80 81 82 83 && udp $n 5353 && echo_server $n 7000
  start "udp-more$n" "b$n" "$python" "$E2E/udp.py" serve "b$n" 5354 # udp knows of one
  wait_for 5 on "b$n" "$python" "$E2E/udp.py" ask 127.0.0.1 5354 1
done
backends4 1 2 >"$W/v4.backends"
backends6 1 2 >"$W/v6.backends"
for method in gue gre; do
  config <<END
services:
$(service w44 tcp $VIP4 80 "forward: $method" "$FAST" "backends_file: v4.backends")
$(service w46 tcp $VIP4 81 "forward: $method" "$FAST" "backends_file: v6.backends")
$(service w64 tcp $VIP6 82 "forward: $method" "$FAST" "backends_file: v4.backends")
$(service w66 tcp $VIP6 83 "forward: $method" "$FAST" "backends_file: v6.backends")
$(service u44 udp $VIP4 5353 "forward: $method" "check: none" "backends_file: v4.backends")
$(service u46 udp $VIP4 5354 "forward: $method" "check: none" "backends_file: v6.backends")
$(service u64 udp $VIP6 5353 "forward: $method" "check: none" "backends_file: v4.backends")
$(service u66 udp $VIP6 5354 "forward: $method" "check: none" "backends_file: v6.backends")
$(service echo6 tcp $VIP6 7000 "forward: $method" "check: none" "backends_file: v6.backends")
END
  check "shuntd starts with forward: $method" shuntd_start || finish
  check "$method: all backends are up" wait_for 5 all_up 18 || { shunt backends | sed 's/^/# /' && finish; }
  for url in http://$VIP4:80/ http://$VIP4:81/ "http://[$VIP6]:82/" "http://[$VIP6]:83/"; do
    spread 100 "$url" >"$W/spread"
    is "$method: both backends answer $url" "$(awk '{print $2}' "$W/spread" | xargs)" "b1 b2"
    is "$method: no request to $url fails" "$(awk '{n += $1} END {print n}' "$W/spread")" 100
  done
  for vip in $VIP4 $VIP6; do
    for port in 5353 5354; do
      said=$(ask_udp "$vip" $port 40 40)
      is "$method: every datagram to $vip port $port is answered" \
        "$(awk '{n += $1} END {print n}' <<<"$said")" 40
    done
  done
  check "$method: every byte of a long transfer comes back" bulk $VIP6 7000 50 1
  said=$(shunt stats --json | jq -r '.verdicts[] | select(.packets > 0) | .name' | grep -i "^drop" | xargs)
  is "$method: nothing was dropped" "$said" ""
  check "$method: shuntd stops" shuntd_stop
  on lb "$O/shuntd" --remove -c "$W/shunt.yaml" >/dev/null 2>&1
done
bad=$(on b1 "$O/shunt-decap" status eth0 --json | jq '.[0].bad')
is "no backend saw a malformed tunnel packet" "$bad" 0
finish
