#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Echo requests: by raw sockets that the daemon opens, by ping sockets where it may not, and by neither.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 1
config <<END
services:
$(service four tcp $VIP4 80 "forward: ipip" "check: { type: icmp, interval: 200ms, timeout: 190ms, fall: 10, rise: 1 }" \
  "backends: [\"$(addr4 1) name=b1\"]")
$(service six tcp $VIP6 80 "forward: ipip" "check: { type: icmp, interval: 200ms, timeout: 190ms, fall: 10, rise: 1 }" \
  "backends: [\"$(addr6 1) name=b1\"]")
END
reasons() { shunt backends --json | jq -r '.backends[] | .state + " " + .reason' | sort -u; }
sockets() { # RAW or PING: what the probing process has of them
  local child
  child=$(pgrep -P "${pids[shuntd]}" -f -- --probe-child)
  find "/proc/$child/fd" -lname 'socket:*' -printf '%l\n' | tr -dc '0-9\n' | while read -r inode; do
    on lb grep -lw "$inode" /proc/net/raw /proc/net/raw6 /proc/net/icmp /proc/net/icmp6
  done | xargs -rn 1 basename | sort -u | xargs
}
on lb sysctl -qw net.ipv4.ping_group_range="1 0"
running 2
is "raw sockets do where no group has ping sockets" "$(reasons)" "up echo reply"
is "and are the daemon's to open" "$(sockets)" "raw raw6"
shuntd_stop

# shellcheck disable=SC2034 # of shuntd_start
SHUNTD_ENV=(setpriv --inh-caps -net_raw --bounding-set -net_raw)
on lb sysctl -qw net.ipv4.ping_group_range="0 2147483647"
running 2
is "ping sockets do without CAP_NET_RAW" "$(reasons)" "up echo reply"
is "and there are no others" "$(sockets | tr ' ' '\n' | grep -c raw)" 0
shuntd_stop
on lb sysctl -qw net.ipv4.ping_group_range="1 0"
check "with neither the daemon starts" shuntd_start
told() { [ "$(shunt backends --json | jq '[.backends[] | select(.reason | test("ping_group_range"))] | length')" = 2 ]; }
check "and the reason says what is lacking" wait_for 5 told
is "which is not held against backends" "$(count_state down)" 0
finish
