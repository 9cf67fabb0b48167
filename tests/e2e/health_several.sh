#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Several checks of a backend, all or any of which have to be up, and what they need besides: a gateway
# whose end is not held against backends that do not answer behind it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 3
companion && decap 1 2
second() {
  start "second$1" "b$1" "$python" "$E2E/bulk.py" serve 81
  wait_for 10 on "b$1" bash -c 'exec 3<>/dev/tcp/127.0.0.1/81'
}
for n in 1 2; do web $n && second $n; done
web 3 179 180 # the gateway, and what else the rack needs
for last in 11 12; do route_vip 203.0.113.$last; for n in 1 2; do vip b$n 203.0.113.$last; done; done
both="backends: [$(addr4 1) name=b1, $(addr4 2) name=b2]"
config <<END
defaults: { check: { interval: 250ms, timeout: 240ms, rise: 2, fall: 5, jitter: 0% }, forward: ipip }
checks:
  page: { type: http, path: /healthz }
  second: { type: tcp, port: 81 }
  wrong: { type: http, path: /, status: 404 }
  power: { type: tcp, address: $(addr4 3), port: 180, fall: 1, rise: 1 }
  gateway: { type: tcp, address: $(addr4 3), port: 179, fall: 1, rise: 1 }
services:
$(service all tcp $VIP4 80 "checks: { all: [page, second] }" "$both")
$(service any tcp 203.0.113.11 80 "checks: { any: [page, wrong] }" "$both")
$(service behind tcp 203.0.113.12 80 "check: page" "needs: [gateway, power]" "$both")
END
running 6
field() { shunt backends "$1" --json | jq -r ".backends[] | select(.name == \"$2\") | .$3"; }
has() { [[ $(field "$1" "$2" "$3") =~ $4 ]]; }
changes() { shunt history "$1" "$2" --json | jq -r '[.history[] | .from + " " + .to] | join(", ")'; }

is "any: one check that fails does no harm" "$(field any b1 state) $(field any b1 check)" "up page"
wrong_failed() { shunt history any b1 | grep -q 'check wrong'; }
check "and is in the history" wait_for 3 wrong_failed

stop second2 KILL
check "all: one check that fails is enough" wait_for 5 is_state all b2 down
is "and said to be the one" "$(field all b2 check): $(field all b2 code)" "second: L4CON"
is "the others do not mind" "$(field any b2 state), $(field behind b2 state)" "up, up"
second 2
check "it is up when all are" wait_for 5 is_state all b2 up

stop web3 KILL
wait_for 5 grep -q 'check gateway: down' "$W/shuntd.log"
is "without its gateway who answers is up" "$(field behind b1 state)" up
stop web2 KILL
check "who does not is down, because of the gateway" wait_for 3 has behind b2 reason 'needs gateway, which is down'
check "elsewhere by itself" wait_for 3 has any b2 state down
web 3 179
web 2
check "and back at once when it answers" wait_for 3 is_state behind b2 up
is "nothing was held against it" "$(changes behind b2)" "down up, up down, starting up"

sed -i '/needs: gateway/d; s/all: \[page, second\]/any: [second]/' "$W/shunt.yaml"
check "checks can be changed" shunt reload
check "and all is well" wait_for 5 all_up 6
is "by the new one" "$(field all b1 check)" second
finish
