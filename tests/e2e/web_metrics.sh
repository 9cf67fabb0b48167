#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Metrics in both formats, whether the daemon lives and is ready, over HTTP from a process without
# privileges: what it says, what it takes from strangers, and that its end hurts nobody.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 2
companion
web 1
web 2
udp 1 53
backends4 1 2 >"$W/web.backends"
write_config() {
  config <<END
web: $1
flow_table: 1k
services:
$(service web tcp $VIP4 80 "forward: dsr" "$FAST" "backends_file: web.backends")
$(service names udp $VIP4 53 "forward: dsr" "scheduler: rr" "check: none" "backends: [$(addr4 1) name=b1]")
$(service empty tcp $VIP4 81 "forward: dsr" "on_empty: drop" "backends: [10.0.0.99]")
END
}
write_config '{}'
here=http://127.0.0.1:9466
ask() { on lb curl -s --max-time 20 "$@"; }
status_of() { ask -o /dev/null -w '%{http_code}' "$@"; }
metric() { ask $here/metrics | awk -v m="$1" '$1 == m { print $2 }'; }
reaches() { [ "$(metric "$1")" = "$2" ]; }

running 3
is "status says where" "$(shunt status --json | jq -r .web)" "$here/"
ask $here/metrics >"$W/metrics"
check "promtool finds nothing wrong" promtool check metrics <"$W/metrics"
for n in $(seq 20); do get http://$VIP4/ >"$W/page$n"; done
for n in $(seq 5); do ask_udp $VIP4 53 1 >/dev/null; done
sleep 1.1 # a snapshot is kept for a moment
is "flows are counted" "$(metric 'shunt_service_flows_total{service="web"}')" 20
is "backends are up" "$(ask $here/metrics | grep -c '^shunt_backend_up{service="web",.*} 1$')" 2
is "one that has no next hop is not" "$(metric 'shunt_backend_up{service="empty",backend="10.0.0.99"}')" 0
is "flows of rr are in the flow table" "$(metric shunt_flow_table_places_taken)" 5
is "each verdict is there" "$(ask $here/metrics | grep -c '^shunt_verdict_packets_total{')" \
  "$(shunt stats --all --json | jq '.verdicts | length')"
openmetrics() { ask -H 'Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5' "$@"; }
is "who likes OpenMetrics better gets it" "$(openmetrics $here/metrics | tail -n 1)" "# EOF"
is "and is told so" "$(openmetrics -o /dev/null -w '%{content_type}' $here/metrics)" \
  "application/openmetrics-text; version=1.0.0; charset=utf-8"

is "it lives" "$(status_of "$here"/healthz)" 200
check "in words" grep -q '^ok: shuntd ' <(ask $here/healthz)
ready_is() { [ "$(status_of "$here"/readyz)" = "$1" ]; }
check "it is ready" wait_for 5 ready_is 200
check "with reasons" grep -q '^ok: interface eth0: XDP native, link up' <(ask $here/readyz)
is "so is a service" "$(status_of "$here/readyz?service=web")" 200
is "one without backends is not" "$(status_of "$here/readyz?service=empty")" 503
is "nor one that there is not" "$(status_of "$here/readyz?service=nonsense")" 404
on lb ip link set eth0 down
check "without its link it is not ready" wait_for 5 ready_is 503
check "and says why" grep -q '^not ready: interface eth0: .*link down' <(ask $here/readyz)
on lb ip link set eth0 up
on lb ip route replace 10.0.0.0/24 dev eth0
check "with it, it is again" wait_for 5 ready_is 200
check "all are up again" wait_for 5 all_up 3
check "which the metrics know" wait_for 5 reaches 'shunt_backend_state{service="web",backend="b2",state="up"}' 1

before=$(metric shunt_health_transitions_total)
stop web2
check "a dead backend is seen" wait_for 5 reaches 'shunt_backend_state{service="web",backend="b2",state="down"}' 1
is "as not up" "$(metric 'shunt_backend_up{service="web",backend="b2"}')" 0
holds "and counted" "$(metric shunt_health_transitions_total) > $before"

# Strangers.
is "nothing can be changed" "$(status_of -X POST -d x $here/metrics)" 405
is "nor is there anything else" "$(status_of "$here"/../../etc/passwd --path-as-is)" 404
is "a name that means this host is refused" "$(status_of -H 'Host: evil.example' $here/metrics)" 421
is "localhost is not" "$(status_of -H 'Host: localhost:9466' $here/metrics)" 200
is "headers without end are refused" "$(status_of -H "X: $(head -c 20000 /dev/zero | tr '\0' x)" $here/metrics)" 400
is "so is a body" "$(head -c 100000 /dev/zero | status_of -X POST --data-binary @- -H Expect: $here/metrics)" 413
check "garbage and ten thousand connections leave it well" on lb "$python" "$E2E/strangers.py" 127.0.0.1 9466
many_away() { [ "$(metric shunt_web_turned_away_total)" -gt 1000 ]; }
check "it has turned many away" wait_for 5 many_away
few() { [ "$(metric shunt_web_connections)" -lt 200 ]; }
check "and holds few connections" wait_for 5 few
is "the daemon's process is the same" "$(shunt status --json | jq .pid)" "${pids[shuntd]}"

# The process.
child() { pgrep -P "${pids[shuntd]}" -f -- '^shuntd --web '; }
former=$(child)
is "it is nobody" "$(awk '/^Uid:/ { print $2 }' "/proc/$former/status")" "$(id -u nobody)"
is "without capabilities" "$(awk '/^Cap(Prm|Eff|Bnd|Inh|Amb):/ { print $2 }' "/proc/$former/status" | sort -u)" \
  0000000000000000
if [[ $O != *san ]]; then
  is "with system calls filtered" "$(awk '/^Seccomp:/ { print $2 }' "/proc/$former/status")" 2
fi
kill -9 "$former"
serves() { [ "$(status_of "$here"/healthz)" = 200 ]; }
check "killed, it is started again" wait_for 5 serves
holds "as another process" "$(child) != $former"
is "and counted" "$(metric shunt_web_restarts_total)" 1
is "the daemon's process is still the same" "$(shunt status --json | jq .pid)" "${pids[shuntd]}"
former=$(child)
kill -STOP "$former"
replaced() { [ -n "$(child)" ] && [ "$(child)" != "$former" ]; }
check "one that hangs is replaced" wait_for 25 replaced
check "and packets pass" test "$(get http://$VIP4/)" = b1

# The address.
write_config '{ listen: "0.0.0.0:9467" }'
refuses "other hosts are not let in by mistake" 1 'shunt.yaml:5:16: web: listen 0.0.0.0:9467.*expose: yes' shunt reload
write_config '{ listen: "0.0.0.0:9467", expose: yes, metrics_limit: 1 }'
check "on purpose they are" shunt reload
here=http://10.0.0.2:9467
check "at the other address" wait_for 5 serves
is "and it alone" "$(status_of http://127.0.0.1:9466/healthz)" 000
is "by any name" "$(status_of -H 'Host: lb.example' $here/healthz)" 200
is "what is beyond the limit is left out" "$(ask $here/metrics | grep -c '^shunt_backend_up')" 1
is "and counted there" "$(metric 'shunt_metrics_left_out{of="backends"}')" 3
is "a refused reload is told" "$(metric 'shunt_config_reloads_total{result="refused"}')" 1
start squatter lb "$python" -m http.server --bind 127.0.0.1 9468
wait_for 5 on lb curl -s -o /dev/null http://127.0.0.1:9468/
write_config '{ listen: "127.0.0.1:9468" }'
check "an address that is taken stops nothing" shunt reload
check "and status says so" grep -q 'not served: cannot listen on 127.0.0.1:9468: Address already in use' <(shunt status)
stop squatter KILL
here=http://127.0.0.1:9468
serves_metrics() { reaches shunt_ready 1; }
check "until it is free" wait_for 10 serves_metrics
sed -i '/^web:/d' "$W/shunt.yaml"
check "without the key" shunt reload
nobody() { [ "$(status_of "$here"/healthz)" = 000 ]; }
check "nobody is served" wait_for 5 nobody
no_child() { [ -z "$(child)" ]; }
check "nor is there a process" wait_for 5 no_child
finish
