#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt plan tells what a reload would do, touches nothing, and a reload then does just that.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 3
companion && decap 1 2 3
for n in 1 2 3; do web $n 80 81 82; done
backends4 1 2 >"$W/web.backends"
config <<END
services:
$(service web tcp $VIP4 80 "forward: ipip" "$FAST" "backends_file: web.backends")
$(service turns tcp $VIP6 80 "scheduler: rr" "forward: ipip" "$FAST" "backends_file: web.backends")
$(service old tcp $VIP4 81 "forward: ipip" "$FAST_TCP" "backends: [10.0.0.11]")
END
refuses "without a daemon it says so" 1 'shuntd' shunt plan "$W/shunt.yaml"
running 5
spread 20 "http://[$VIP6]/" >/dev/null
counted() {
  shunt stats --json | jq -e '[.services[] | select(.name == "turns") | .backends[].flows_now] | add >= 20'
}
check "flows are counted" wait_for 10 counted
check "a weight edited by hand" shunt weight turns b1 7

# field JQ: of the plan that was made last.
field() { jq -r "$1" "$W/plan.json"; }
plan() { shunt plan --json "$@" >"$W/plan.json"; }
# as_it_is: what is in force, and how often anything has happened.
as_it_is() {
  shunt fingerprint --json
  shunt backends --json | jq -c '.backends[] | [.service, .name, .weight, .slots, .edited]'
  shunt status --json | jq -c '[.events, .services, .edits, .config_error]'
  shunt services --json | jq -c '.services[] | [.name, .slots, .moving]'
}

check "the file in force changes nothing" shunt plan --exit-code
refuses "and that is said" 0 'nothing would change' shunt plan "$W/shunt.yaml"

mkdir "$W/next"
{
  backends4 1 3
  echo "10.0.0.12 name=b2 weight=3"
} >"$W/next/web.backends"
config <<END
icmp_rate: 50
flow_table: 2M
services:
$(service web tcp $VIP4 80 "forward: ipip" "$FAST" "backends_file: web.backends")
$(service turns tcp $VIP6 80 "scheduler: rr" "forward: ipip" "flow_timeout: 20s" "$FAST" \
  "backends: [{ address: 10.0.0.11, name: b1, weight: 2 }]")
$(service new tcp $VIP4 82 "forward: ipip" "$FAST" "backends: [10.0.0.11, 10.0.0.12]")
END
mv "$W/shunt.yaml" "$W/next/shunt.yaml"
before=$(as_it_is)
check "a plan of another file" plan "$W/next/shunt.yaml"
refuses "ends with 4 where that is asked for" 4 '' shunt plan --exit-code "$W/next/shunt.yaml"
check "and is for people, too" grep -q '^+ service new, ' <(shunt plan "$W/next/shunt.yaml")
check "in 80 columns" [ "$(on lb script -qec "stty cols 80; $O/shunt -i $INSTANCE --run-dir $W/run \
  plan $W/next/shunt.yaml" /dev/null | sed 's/\x1b\[[0-9]*m//g; s/\r//' |
  awk 'length > 80 {n++} END {print n + 0}')" = 0 ]
check "relative to where one stands" env -C "$W/next" nsenter --net="/run/netns/$P-lb" -- \
  "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" plan shunt.yaml
is "nothing is touched" "$(as_it_is)" "$before"
is "settings" "$(field '.settings | map("\(.key) \(.from) \(.to)") | join(", ")')" \
  "flow_table 1M 2M, icmp_rate 100 50"
is "services" "$(field '.services | map("\(.name) \(.change)") | join(", ")')" \
  "web changed, turns changed, new added, old removed"
is "a service's keys" "$(field '.services[1].settings[] | "\(.key) \(.from) \(.to)"')" \
  "flow_timeout 5m 20s"
is "its backends" "$(field '.services[1].backends | map("\(.name) \(.change)") | join(", ")')" \
  "b1 changed, b2 leaves"
is "a backend's keys" \
  "$(field '.services[0].backends[] | select(.name == "b2") | .settings[] | "\(.key) \(.from) \(.to)"')" \
  "weight 1 3"
holds "flows are known where they are remembered" "$(field '.services[1].flows') >= 20"
is "those of a backend that leaves stay" "$(field '.services[1].flows_moved_ppm')" 0
is "those of a service that is removed do not" "$(field '.services[3].flows_moved_ppm')" 1000000
check "an edit that is overruled is a warning" grep -q 'turns/b1' <(field '.warnings[]')
check "so is what waits for a restart" grep -q '^flow_table: ' <(field '.warnings[]')

# A reload does what was planned.
refuses "reload --plan asks, and wants a terminal" 2 'terminal' shunt reload --plan
asked() { # ANSWER: given at a terminal
  on lb script -qec "$O/shunt -i $INSTANCE --run-dir $W/run reload --plan" /dev/null <<<"$1"
}
cp "$W/next/web.backends" "$W/next.backends" # not yet web.backends, which is watched
sed 's/web.backends/next.backends/' "$W/next/shunt.yaml" >"$W/shunt.yaml"
refuses "no is no" 1 'not applied' asked n
is "and nothing is touched" "$(as_it_is)" "$before"
refuses "yes is yes" 0 'services: 3' asked y
check "all are up" wait_for 5 all_up 6
is "slots that change hands are as many as planned" \
  "$(shunt services --json | jq '.services[] | select(.name == "web") | .moving')" \
  "$(field '.services[0].slots_moved')"
# shellcheck disable=SC2016 # variables of jq
planned() { field '.services[] | .name as $s | .backends[] | select(.change != "leaves") | "\($s) \(.name) \(.slots)"' | sort; }
there_is() {
  shunt backends --json | jq -r '.backends[] | select(.leaving or .service == "web" and .name == "b1" | not) |
    "\(.service) \(.name) \(.slots)"' | sort
}
is "and each backend that was told of has as many as planned" "$(there_is)" "$(planned)"
check "then there is nothing left to do" shunt plan --exit-code

# Removed at once, with its share of the flows.
sed -i 's/scheduler: rr/scheduler: maglev/' "$W/shunt.yaml"
sed -i '/name: web/a\    remove: now' "$W/shunt.yaml"
check "remove: now" shunt reload
cp "$W/shunt.yaml" "$W/next/again.yaml" # which has backends of its own
sed '/name=b3/d' "$W/next.backends" >"$W/next/next.backends"
check "a backend that is removed at once" plan "$W/next/again.yaml"
is "is told" "$(field '.services[0].backends[] | "\(.name) \(.change)"')" "b3 removed"
holds "and takes its share of the flows with it" \
  "$(field '.services[0].flows_moved_ppm') == int($(shunt backends web --json |
    jq '.backends[] | select(.name == "b3").slots') * 1000000 / 1024)"
rm "$W/next/next.backends"
refuses "a backends file that is missing is told" 1 'again.yaml:[0-9]+:[0-9]+: .*next.backends' \
  shunt plan "$W/next/again.yaml"
is "once" "$(shunt plan "$W/next/again.yaml" 2>&1 | wc -l)" 1

# What is wrong is told as by shuntd --check.
printf 'services:\n  - vip: 203.0.113.99\n    port: http\n' | config
on lb "$O/shuntd" -c "$W/shunt.yaml" --check >"$W/said1" 2>&1
refuses "a bad file is refused" 1 'shunt.yaml:[0-9]+:[0-9]+: ' shunt plan "$W/shunt.yaml"
is "as shuntd --check does" "$(shunt plan "$W/shunt.yaml" 2>&1 | grep -o "$W.*")" \
  "$(grep -o "$W/shunt.yaml:.*" "$W/said1")"
refuses "a missing one too" 1 'missing.yaml' shunt plan "$W/missing.yaml"
hidden() { # a file that only the command sees
  # shellcheck disable=SC2016 # for the other shell
  unshare -m -- bash -c 'mount -t tmpfs none "$1" && cp "$2" "$1/hidden.yaml" && shift 2 && "$@"' - \
    "$W/next" "$W/shunt.yaml" nsenter --net="/run/netns/$P-lb" -- \
    "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" plan "$W/next/hidden.yaml"
}
refuses "one that the daemon does not see is told as such" 1 'shuntd does not see' hidden
sed 's/eth0/eth77/' "$W/next/shunt.yaml" >"$W/next/interface.yaml"
refuses "so is an interface that is not there" 1 'interface.yaml:[0-9]+:[0-9]+:.*eth77' \
  shunt plan "$W/next/interface.yaml"
sed 's/^instance:.*/instance: another/' "$W/next/shunt.yaml" >"$W/next/instance.yaml"
refuses "and what only a restart can change" 1 'instance.*restart' shunt plan "$W/next/instance.yaml"
finish
