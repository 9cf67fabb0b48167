#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The dashboard and the alert rules against a Prometheus that scrapes a daemon: all that they ask for is there,
# and an alert fires when a backend dies.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
command -v prometheus >/dev/null || skip_all "there is no prometheus"
watched_web
cp configs/alerts.yml tests/e2e/alerts_test.yml "$W"
check "the rules are rules" promtool check rules "$W/alerts.yml"
check "and say in made-up hours what they should" promtool test rules "$W/alerts_test.yml"
check "the dashboard is JSON" jq -e '.panels | length > 20' configs/grafana.json

running 2
# Sooner than in earnest: every second, and what waits for minutes does not.
sed 's/for: .*/for: 0s/' configs/alerts.yml >"$W/soon.yml"
cat >"$W/prometheus.yml" <<END
global: { scrape_interval: 500ms, evaluation_interval: 500ms }
rule_files: [soon.yml]
scrape_configs: [{ job_name: shunt, static_configs: [{ targets: ["127.0.0.1:9466"] }] }]
END
check "Prometheus finds its configuration good" promtool check config "$W/prometheus.yml"
start prometheus lb prometheus --config.file "$W/prometheus.yml" --storage.tsdb.path "$W/tsdb" \
  --web.listen-address 127.0.0.1:9090 --log.level=warn
query() { on lb curl -s --max-time 5 http://127.0.0.1:9090/api/v1/query --data-urlencode "query=$1"; }
value() { query "$1" | jq -r '.data.result[0].value[1]'; }
value_is() { [ "$(value "$1")" = "$2" ]; }
check "it scrapes" wait_for 15 value_is 'up{job="shunt"}' 1
check "and sees the backends up" wait_for 5 value_is 'sum(shunt_backend_up)' 2
is "by OpenMetrics" "$(on lb curl -s http://127.0.0.1:9090/api/v1/metadata?metric=shunt_service_packets | jq -r '.data.shunt_service_packets[0].type')" counter

# All that is asked for exists.
mapfile -t wanted < <(jq -r '.. | .expr? // empty, (.query? | objects | .query)' configs/grafana.json |
  cat - configs/alerts.yml | grep -oE '\bshunt_[a-z0-9_]+' | sort -u)
holds "dashboard and rules ask for many metrics" "${#wanted[@]} > 25"
mapfile -t there < <(on lb curl -s http://127.0.0.1:9090/api/v1/label/__name__/values | jq -r '.data[]' | grep '^shunt_')
is "and all of them are there" "$(comm -23 <(printf '%s\n' "${wanted[@]}") <(printf '%s\n' "${there[@]}" | sort))" ""
# Each expression is one, with Grafana's variables filled in.
bad=$(jq -r '.. | .expr? // empty' configs/grafana.json | while read -r expr; do
  filled=${expr//\$__rate_interval/5s} filled=${filled//\$host/.*} filled=${filled//\$service/.*} filled=${filled//\$job/shunt}
  [ "$(query "$filled" | jq -r .status)" = success ] || echo "$expr"
done)
is "each expression of the dashboard is one" "$bad" ""
for n in $(seq 30); do get http://$VIP4/ >"$W/page$n"; done
counted() { [ "$(value 'sum(shunt_service_flows_total)')" = 30 ]; }
check "flows arrive" wait_for 5 counted

firing() { # less what a machine may do that has much to do
  on lb curl -s http://127.0.0.1:9090/api/v1/alerts |
    jq -r '.data.alerts[] | select(.state == "firing" and .labels.alertname != "ShuntChecksLate") | .labels | [.alertname, .service, .backend] | join(" ")' | sort
}
silent() { [ -z "$(firing)" ]; }
check "nothing fires" wait_for 5 silent
stop web2
fires() { firing | grep -qx "$1"; }
check "an alert fires when a backend dies" wait_for 15 fires "ShuntBackendDown web b2"
check "and as half of them are down" wait_for 5 fires "ShuntServiceHalfDown web "
web 2
check "it ends when the backend is back" wait_for 15 silent
echo "nonsense: 1" >>"$W/shunt.yaml"
refuses "a bad configuration is refused" 1 nonsense shunt reload
check "which an alert tells" wait_for 10 fires "ShuntReloadRefused  "
shuntd_stop KILL
check "so does one of a daemon that is gone" wait_for 15 fires "ShuntDown  "
stop prometheus
finish
