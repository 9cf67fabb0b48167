#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# UDP by tunnel and by direct return: no datagram is lost and no flow changes its backend.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 3
companion && decap 1 2 3
for n in 1 2 3; do
  web $n
  udp $n 5353
done
backends4 1 2 3 >"$W/v4.backends"
backends6 1 2 3 >"$W/v6.backends"
check_web='check: { type: http, port: 80, path: /healthz, interval: 250ms, timeout: 200ms }'
config <<END
services:
$(service tunnel4 udp $VIP4 5353 "forward: ipip" "$check_web" "backends_file: v4.backends")
$(service tunnel6 udp $VIP6 5353 "forward: ipip" "$check_web" "backends_file: v6.backends")
END
running 6
for vip in $VIP4 $VIP6; do
  check "flows to $vip stay and lose nothing, by tunnel" ask_udp "$vip" 5353 200 4
  is "all backends take part" "$(ask_udp "$vip" 5353 200 | awk '$1 > 30' | wc -l)" 3
done
config <<END
services:
$(service direct4 udp $VIP4 5353 "forward: dsr" "scheduler: rr" "$check_web" "backends_file: v4.backends")
$(service direct6 udp $VIP6 5353 "forward: dsr" "$check_web" "backends_file: v6.backends")
END
check "the services are exchanged for others" shunt reload
wait_for 5 all_up 6
check "flows stay and lose nothing, by direct return and round robin" ask_udp $VIP4 5353 200 4
check "flows stay and lose nothing, by direct return over IPv6" ask_udp $VIP6 5353 200 4
finish
