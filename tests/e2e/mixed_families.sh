#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Tunnels across families: IPv4 services on IPv6 backends and the reverse, and both in one pool.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 4
companion && decap 1 2 3 4
for n in 1 2 3 4; do web $n && echo_server $n 7000; done
{ backends4 1 2; backends6 3 4; } >"$W/both.backends"
backends4 1 2 >"$W/v4.backends"
backends6 3 4 >"$W/v6.backends"
config <<END
services:
$(service both4 tcp $VIP4 80 "forward: ipip" "$FAST" "backends_file: both.backends")
$(service both6 tcp $VIP6 80 "forward: ipip" "$FAST" "backends_file: both.backends")
$(service in6 tcp $VIP4 7000 "forward: ipip" "$FAST_TCP" "backends_file: v6.backends")
$(service in4 tcp $VIP6 7000 "forward: ipip" "$FAST_TCP" "backends_file: v4.backends")
END
running 12
for url in "http://$VIP4/" "http://[$VIP6]/"; do
  spread 400 "$url" >"$W/spread"
  is "all requests to $url are answered" "$(awk '{n += $1} END {print n}' "$W/spread")" 400
  is "by backends of both families" "$(awk '$1 > 60 {n++} END {print n}' "$W/spread")" 4
done
check "full frames of IPv4 in IPv6" bulk $VIP4 7000 100 1
check "full frames of IPv6 in IPv4" bulk $VIP6 7000 100 1
finish
