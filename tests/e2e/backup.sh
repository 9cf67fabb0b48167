#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Backups get traffic when nobody else is left, or when fewer than min_healthy are, and pools follow each
# other in order.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 4
companion && decap 1 2 3 4
for n in 1 2 3 4; do web $n; done
for last in 11 12; do
  route_vip 203.0.113.$last
  for n in 1 2 3 4; do vip b$n 203.0.113.$last; done
done
{ backends4 1 2 && echo "$(addr4 3) name=b3 backup"; } >"$W/last"
{ backends4 1 2 3 && echo "$(addr4 4) name=b4 backup"; } >"$W/help"
{ backends4 1 && echo "$(addr4 2) name=b2 pool=1" && echo "$(addr4 3) name=b3 pool=2" &&
  echo "$(addr4 4) name=b4 backup"; } >"$W/order"
config <<END
services:
$(service last tcp $VIP4 80 "$FAST" "backends_file: last")
$(service help tcp 203.0.113.11 80 "$FAST" "min_healthy: 60%" "backends_file: help")
$(service order tcp 203.0.113.12 80 "$FAST" "on_empty: drop" "backends_file: order")
END
check "shuntd starts" shuntd_start || finish
answers() { # SERVICE'S-ADDRESS BACKENDS...
  local address=$1
  shift
  [ "$(spread 60 "http://$address/" | awk '{print $2}' | xargs)" = "$*" ]
}
check "six are up" wait_for 5 all_up 6
is "and five stand by" "$(count_state standby)" 5
is "which is known for how long" "$(shunt backends | grep -cE "standby +[0-9]+ m?s ")" 5
check "without a need the backup gets nothing" answers $VIP4 b1 b2
check "neither does that of a service with min_healthy" answers 203.0.113.11 b1 b2 b3
check "nor do further pools" answers 203.0.113.12 b1

stop web1 KILL
check "b1 dies" wait_for 5 is_state last b1 down
check "b2 is enough where no min_healthy is" answers $VIP4 b2
check "two of three are, where it is 60 percent" answers 203.0.113.11 b2 b3
check "the second pool has it where the first was b1" wait_for 2 answers 203.0.113.12 b2
is "the view says so" "$(shunt backends order --json | jq -r '[.backends[] | .state] | join(" ")')" \
  "down up standby standby"
stop web2 KILL
check "b2 dies" wait_for 5 is_state last b2 down
check "the backup has it now" wait_for 2 answers $VIP4 b3
check "the backup helps who is left" wait_for 2 answers 203.0.113.11 b3 b4
check "the third pool has it" wait_for 2 answers 203.0.113.12 b3
stop web3 KILL
check "b3 dies" wait_for 5 is_state help b3 down
check "the backups are the last" wait_for 2 answers 203.0.113.12 b4
check "they alone" wait_for 2 answers 203.0.113.11 b4

web 2
check "b2 recovers" wait_for 5 is_state help b2 up
check "and has it back where one is enough" wait_for 2 answers $VIP4 b2
check "but still with help where two are to be" answers 203.0.113.11 b2 b4
check "the second pool has it back" wait_for 2 answers 203.0.113.12 b2
web 3
check "b3 recovers" wait_for 5 is_state help b3 up
check "two are enough not to ask for help, but not to do without" answers 203.0.113.11 b2 b3 b4
shuntd_stop KILL
check "a daemon is killed and started" shuntd_start
check "and decides the same" answers 203.0.113.11 b2 b3 b4
web 1
check "b1 recovers" wait_for 5 is_state help b1 up
check "then no help is needed" wait_for 2 answers 203.0.113.11 b1 b2 b3
check "and the first pool has it all" wait_for 2 answers 203.0.113.12 b1
check "drained ones do not count as healthy" shunt drain last b1
check "one is left" answers $VIP4 b2
check "the last one is drained" shunt drain last b2
check "the backup has it" wait_for 2 answers $VIP4 b3
finish
