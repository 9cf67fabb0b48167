#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# One service, every method: each backend of its own, and the balancer itself among them, for real TCP and
# UDP; a backend that is moved from one method to the next while it serves.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 6
companion && decap 2 3 4
for n in 1 2 3 4 5 6; do web $n && udp $n 5353; done
on b6 ip route add 10.0.0.1/32 via 10.0.0.2 # masq: replies come back through the balancer
vip lb $VIP4
cat >"$W/answer.py" <<'END'
import http.server
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"lb\n")
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("0.0.0.0", 80), Answer).serve_forever()
END
start answer lb "$python" "$W/answer.py"
start udp-lb lb "$python" "$E2E/udp.py" serve lb 5353
wait_for 5 on lb curl -sf http://127.0.0.1/
wait_for 5 on lb "$python" "$E2E/udp.py" ask 127.0.0.1 5353 1
methods="dsr ipip gue gre nat masq"
backends() {
  local n=0 method
  for method in $methods; do
    n=$((n + 1))
    echo "$(addr4 $n) name=b$n forward=$method"
  done
  echo "$VIP4 name=lb forward=local"
}
backends >"$W/all.backends"
config <<END
services:
$(service web tcp $VIP4 80 "forward: dsr" "$FAST_TCP" "backends_file: all.backends")
$(service dns udp $VIP4 5353 "forward: gre" "check: none" "backends_file: all.backends")
END
running 14
is "shunt backends says who is reached by what" \
  "$(shunt backends web --json | jq -r '[.backends[] | .forward] | join(" ")')" "$methods local"
check "in words too" eval 'shunt backends web | grep -qE "b3 .* gue .* up"'
spread 700 http://$VIP4/ >"$W/spread"
is "every request is answered" "$(awk '{n += $1} END {print n}' "$W/spread")" 700
is "by each backend" "$(awk '$1 > 40 {print $2}' "$W/spread" | xargs)" "b1 b2 b3 b4 b5 b6 lb"
ask_udp $VIP4 5353 350 4 >"$W/spread"
is "every flow of UDP is answered, by one backend" "$(grep -cE 'lost|moved' "$W/spread")" 0
is "by each" "$(awk '$1 > 15 {print $2}' "$W/spread" | sort | xargs)" "b1 b2 b3 b4 b5 b6 lb"
# packets METHOD: by the verdict's counter, and by those of the backends.
packets() { shunt stats --json | jq "[.verdicts[] | select(.name == \"forward_$1\").packets] | add // 0"; }
of_backends() { shunt backends --json | jq "[.backends[] | select(.forward == \"$1\").packets] | add"; }
for method in $methods local; do
  holds "packets by $method are counted under its name" "$(packets "$method") > 400"
  is "as many as its backends had" "$(packets "$method")" "$(of_backends "$method")"
done

# Round and round, with nobody left out; what a method carried stays its own.
before=$(packets gre)
for round in 1 2 3; do
  methods="${methods#* } ${methods%% *}"
  on b$((7 - round)) ip route del 10.0.0.1/32
  on b$((6 - round)) ip route add 10.0.0.1/32 via 10.0.0.2
  for n in 1 2 3 4 5 6; do # whoever gets a tunnel now takes it off
    on b$n "$O/shunt-decap" attach eth0 "$(addr4 $n)" >/dev/null
  done
  backends >"$W/next" && mv "$W/next" "$W/all.backends"
  check "round $round: the backends file is read again" wait_for 5 eval \
    "[ \"\$(shunt backends web --json | jq -r '[.backends[] | .forward] | join(\" \")')\" = '$methods local' ]"
  spread 350 http://$VIP4/ >"$W/spread"
  is "round $round: every request is answered" "$(awk '{n += $1} END {print n}' "$W/spread")" 350
  is "round $round: by each backend" "$(awk '$1 > 15 {print $2}' "$W/spread" | xargs)" "b1 b2 b3 b4 b5 b6 lb"
done
holds "what gre carried before is still told" "$(packets gre) >= $before"
is "no packet met a table that does not fit" "$(shunt stats --json | jq '[.verdicts[] | select(.name == "drop_bad_table").packets] | add // 0')" 0
finish
