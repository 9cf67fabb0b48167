#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# An interface that is shared (attach: shared): other XDP programs come and go beside the packet path, and
# so does the daemon. Where the kernel takes no extension programs, it says that it is alone.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
command -v xdp-loader >/dev/null || skip_all "there is no xdp-loader (xdp-tools)"
stage 1
companion && decap 1
web 1
config <<END
attach: shared
services:
$(service web tcp $VIP4 80 "forward: dsr" "check: none" "backends: [10.0.0.11]")
$(service web6 tcp $VIP6 80 "forward: ipip" "check: none" "backends: [10.0.0.11]")
END
filter() { on lb timeout 20 xdp-filter "$@" >"$W/filter" 2>&1; }
blocked() { get -f "http://[$VIP6]/" && ! get -f "http://$VIP4/"; }
fetch() { get -f "http://$VIP4/" && get -f "http://[$VIP6]/"; }
status() { on lb xdp-loader status; }
at_exit() { on lb xdp-loader unload eth0 --all; rm -rf /sys/fs/bpf/xdp-filter; }
trap 'at_exit >/dev/null 2>&1; cleanup' EXIT

start shuntd lb "$O/shuntd" -c "$W/shunt.yaml"
wait_for 10 shuntd_settled
if ended "${pids[shuntd]}" && grep -q 'Extension program changes packet data' "$W/shuntd.log"; then
  check "a libxdp that is too old for this kernel is told of" \
    grep -qE 'eth0: cannot be shared: .* write attach: exclusive' "$W/shuntd.log"
  unset "pids[shuntd]"
  finish
fi
check "shuntd starts" shunt status
check "and forwards" wait_for 5 fetch
if status | grep -q '^eth0.*xdp_dispatcher'; then
  check "another program joins" filter load eth0 -m native
  check "both are there" test "$(status | grep -cE 'shunt_entry|xdpfilt')" = 2
  check "shunt forwards still" fetch
  check "the other one has its say" filter ip "$VIP4" -m dst
  check "so nothing comes through" wait_for 5 blocked
  check "until it has no more" filter ip "$VIP4" -m dst -r
  check "then it does" wait_for 5 fetch
  shared=1
else
  check "it says that it is alone" grep -q 'takes no extension programs' "$W/shuntd.log"
  shared=
fi
shuntd_stop KILL
check "the daemon is killed, and forwarding goes on" fetch
check "it starts again" shuntd_start
check "and forwards" fetch
if [ -n "$shared" ]; then
  check "the other one leaves" filter unload eth0
  check "shunt is still there" fetch
  check "and back again" filter load eth0 -m native
fi
sed -i 's/^attach: shared/attach: exclusive/' "$W/shunt.yaml"
[ -z "$shared" ] || check "before it is alone again the other one leaves" filter unload eth0
check "exclusive again, by a reload" shunt reload
check "it forwards" wait_for 5 fetch
is "without libxdp" "$(status | grep -c shunt_entry)" 0
sed -i 's/^attach: exclusive/attach: shared/' "$W/shunt.yaml"
check "and shared once more" shunt reload
check "it forwards" wait_for 5 fetch
check "the daemon stops" shuntd_stop
check "all is taken off" on lb "$O/shuntd" --remove -c "$W/shunt.yaml"
is "shunt's program too" "$(status | grep -cE 'shunt_entry|shunt_xdp')" 0
finish
