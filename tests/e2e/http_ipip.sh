#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# HTTP by tunnel, IPv4 and IPv6: every request is answered, spread over the backends, and every byte
# of a long transfer is right.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 3
companion && decap 1 2 3
for n in 1 2 3; do web $n && echo_server $n 7000; done
backends4 1 2 3 >"$W/v4.backends"
backends6 1 2 3 >"$W/v6.backends"
config <<END
services:
$(service web4 tcp $VIP4 80 "forward: ipip" "$FAST" "backends_file: v4.backends")
$(service web6 tcp $VIP6 80 "forward: ipip" "$FAST" "backends_file: v6.backends")
$(service echo4 tcp $VIP4 7000 "forward: ipip" "$FAST_TCP" "backends_file: v4.backends")
$(service echo6 tcp $VIP6 7000 "forward: ipip" "$FAST_TCP" "backends_file: v6.backends")
END
running 12
for url in "http://$VIP4/" "http://[$VIP6]/"; do
  spread 300 "$url" >"$W/spread"
  is "all requests to $url are answered" "$(awk '{n += $1} END {print n}' "$W/spread")" 300
  is "by the three backends" "$(awk '$1 > 50 {n++} END {print n}' "$W/spread")" 3
done
check "full frames pass the tunnel, IPv4" bulk $VIP4 7000 100 2
check "full frames pass the tunnel, IPv6" bulk $VIP6 7000 100 2
is "no request to another port of the VIP is answered" "$(get http://$VIP4:81/; echo $?)" 28
check "shuntd stops when told to" shuntd_stop
finish
