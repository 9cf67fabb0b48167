#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make bench-operate: what looking costs: stats and backends with 10,000 backends, idle and while a million
# packets a second run through the packet path, and whether what they say is complete then; explain when
# the daemon has just started, later, and for a translated service; top with 1,000 backends; the page.
# BACKENDS, ROUNDS (7). TIMES=no: one round of what is said, and no times.
# shellcheck source-path=SCRIPTDIR/../e2e
. "$(dirname "$0")/../e2e/lib.sh"
BACKENDS=${BACKENDS:-10000} TOP_BACKENDS=1000 SERVICES=10
export ROUNDS=${ROUNDS:-7}
[ "${TIMES:-}" != no ] || ROUNDS=1
export TIMES=${TIMES:-}
over=0
READY_WITHIN=60

namespace lb
on lb ip link add eth0 type veth peer name eth1
for i in eth0 eth1; do on lb ip link set $i up; done
address lb eth0 10.8.0.2/16
# Their next hops are known, so that the packet path sends to each of them.
seq 0 $((BACKENDS - 1)) | awk '{ printf "neigh add 10.8.%d.%d lladdr 02:00:00:00:%02x:%02x dev eth0 nud permanent\n",
  1 + $1 / 250, $1 % 250 + 1, $1 / 256, $1 % 256 }' >"$W/neighbours"
on lb ip -batch "$W/neighbours" || exit 1

# world BACKENDS: the daemon with so many of them in ten services, and one that translates.
world() {
  local s each=$(($1 / SERVICES))
  for s in $(seq 0 $((SERVICES - 1))); do
    seq $((s * each)) $((s * each + each - 1)) |
      awk '{ printf "10.8.%d.%d name=b%d\n", 1 + $1 / 250, $1 % 250 + 1, $1 }' >"$W/s$s"
  done
  config <<END
services:
$(for s in $(seq 0 $((SERVICES - 1))); do
    service "s$s" tcp $VIP4 $((80 + s)) "forward: dsr" "check: none" "backends_file: s$s"
  done)
$(service translated tcp $VIP4 9000 "forward: nat" "check: none" "backends: [10.8.1.1 name=t1]")
END
  shuntd_start || exit 1
  wait_for 60 all_up $(($1 + 1)) || exit 1
}
# bench PART BACKENDS ARGUMENT...
bench() {
  local part=$1 n=$2
  shift 2
  on lb "$O/tests/bench/bench_operate" "$part" "$O/shunt" "$INSTANCE" "$W/run" "${pids[shuntd]}" $VIP4 $((n + 1)) "$@" || over=1
}

echo "with $BACKENDS backends: median of $ROUNDS, beside it the least, and the CPU time of command and daemon"
world "$BACKENDS"
ROUNDS=1 bench explain "$BACKENDS" "explain, the first after a start" 80
bench explain "$BACKENDS" "explain, the next" 80
ROUNDS=$ROUNDS bench stats "$BACKENDS"
if [ "$TIMES" != no ]; then
  sleep 20 # until the daemon has had its idle seconds
  ROUNDS=1 bench explain "$BACKENDS" "explain, the first of a translated service, when it has been idle" 9000
  shuntd_stop
  world $TOP_BACKENDS
  echo "with $TOP_BACKENDS backends:"
  bench top $TOP_BACKENDS
  size=$(cat user/web/page/* | wc -c)
  printf '%-4s  %-66s %6d KiB  (at most 150)\n' "$([ "$size" -le 153600 ] && echo PASS || echo MISS)" "the page, all files" $((size / 1024))
  [ "$size" -le 153600 ] || over=1
fi
exit $over
