#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# HTTP by direct return, IPv4 and IPv6: the same as by tunnel, without decapsulation on the backends.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 3
companion
for n in 1 2 3; do web $n && echo_server $n 7000; done
backends4 1 2 3 >"$W/v4.backends"
backends6 1 2 3 >"$W/v6.backends"
config <<END
services:
$(service web4 tcp $VIP4 80 "forward: dsr" "$FAST" "backends_file: v4.backends")
$(service web6 tcp $VIP6 80 "forward: dsr" "$FAST" "backends_file: v6.backends")
$(service any4 tcp $VIP4 any "forward: dsr" "${FAST_TCP/tcp,/tcp, port: 7000,}" "backends: [10.0.0.12 name=b2]")
END
running 7
for url in "http://$VIP4/" "http://[$VIP6]/"; do
  spread 300 "$url" >"$W/spread"
  is "all requests to $url are answered" "$(awk '{n += $1} END {print n}' "$W/spread")" 300
  is "by the three backends" "$(awk '$1 > 50 {n++} END {print n}' "$W/spread")" 3
done
check "a service of any port takes the others" bulk $VIP4 7000 50 1
finish
