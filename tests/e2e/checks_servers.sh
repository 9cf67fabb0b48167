#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Checks against servers of others beside nginx: HAProxy by HTTP, HTTPS, HTTP/2 and TCP, and a gRPC server by
# npm's @grpc/grpc-js (where the registry cannot be reached, one in Python, which is said). And HAProxy as a
# peer: what it makes of an agent's words is what shunt makes of them.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
command -v haproxy >/dev/null || [ -x /usr/sbin/haproxy ] || skip_all "haproxy is not here"
stage 1
at=$(addr4 1)
chmod 755 "$W"
pki=$W/pki
mkdir "$pki"
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=www.example.com" \
  -addext subjectAltName=DNS:www.example.com -keyout "$pki/key" -out "$pki/cert" 2>"$W/openssl.log"
cat "$pki/cert" "$pki/key" >"$pki/both"
chmod 644 "$pki"/*

# ---- servers -------------------------------------------------------------------------------------

says() { echo "$1" >"$W/agent.new" && mv "$W/agent.new" "$W/agent"; }
says ready
cat >"$W/haproxy.cfg" <<END
global
  stats socket $W/haproxy.sock level admin
defaults
  retries 0
  timeout connect 1s
  timeout client 5s
  timeout server 5s
frontend plain
  mode http
  bind :8080
  http-request return status 503 if { path /ill }
  http-request return status 200 content-type text/plain string "all is ready" if { path /healthz }
  http-request return status 204 if { path /ask } { method OPTIONS } { req.hdr(host) a.example }
  http-request return status 404
frontend secure
  mode http
  bind :8443 ssl crt $pki/both alpn h2,http/1.1
  http-request return status 200 content-type text/plain string "all is ready"
frontend stream
  mode tcp
  bind :9000
  default_backend nobody
backend nobody
  mode tcp
  server none 127.0.0.1:1
END
cat >"$W/peer.cfg" <<END
global
  stats socket $W/peer.sock level admin
defaults
  mode http
  retries 0
  timeout connect 1s
  timeout client 5s
  timeout server 5s
backend app
  server b1 $at:8080 weight 100 agent-check agent-port 7001 agent-inter 200ms
END
haproxy=$(command -v haproxy || echo /usr/sbin/haproxy)
start haproxy b1 "$haproxy" -db -f "$W/haproxy.cfg"
start agent b1 "$python" "$E2E/agent.py" 7001 "$W/agent"
start peer lb "$haproxy" -db -f "$W/peer.cfg"

npm_install() {
  command -v node >/dev/null && command -v npm >/dev/null || return
  mkdir -p "$W/npm" "$W/home"
  HOME=$W/home timeout 30 npm install --fetch-retries=0 --prefix "$W/npm" --no-audit --no-fund --ignore-scripts --loglevel=error \
    @grpc/grpc-js@1 grpc-health-check@2 >"$W/npm.log" 2>&1
}
# grpc: it, and the same by TLS.
if npm_install; then
  by=grpc-js
  grpc() {
    start grpc b1 setpriv --reuid=nobody --regid=nogroup --clear-groups node "$E2E/grpc_health.js" "$W/npm" 5001
    start grpc-tls b1 setpriv --reuid=nobody --regid=nogroup --clear-groups node "$E2E/grpc_health.js" "$W/npm" 5002 "$pki/key" "$pki/cert"
  }
else
  by=Python
  note "npm, or its registry, cannot be reached: no @grpc/grpc-js; a gRPC server in Python instead"
  tail -n 3 "$W/npm.log" 2>/dev/null | sed 's/^/# /'
  grpc() {
    start grpc b1 "$python" "$E2E/grpc_health.py" 5001
    start grpc-tls b1 "$python" "$E2E/grpc_health.py" 5002 "$pki/key" "$pki/cert"
  }
fi
grpc
for port in 8080 8443 9000 7001 5001 5002; do
  check "port $port is served" wait_for 20 on b1 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port" ||
    { cat "$W/haproxy.log" "$W"/grpc*.log | tail | sed 's/^/# /' && finish; }
done

# ---- what checks find ----------------------------------------------------------------------------

ca="ca: $pki/cert, host: www.example.com"
rows() {
  cat <<END
http      | up   | HTTP status 200 and the expected text | type: http, port: 8080, path: /healthz, expect: ready
ask       | up   | HTTP status 204                       | type: http, port: 8080, path: /ask, method: OPTIONS, host: a.example
status    | down | HTTP status 503, wanted 200-399       | type: http, port: 8080, path: /ill
text      | down | reply does not contain "fine"         | type: http, port: 8080, path: /healthz, expect: fine
https     | up   | HTTP status 200 and the expected text | type: https, port: 8443, $ca, expect: ready
http2     | up   | HTTP status 200 and the expected text | type: http2, port: 8443, $ca, expect: ready
plain     | down | .*                                    | type: http2, port: 8080, tls: "no", path: /nowhere
issuer    | down | certificate .*                        | type: https, port: 8443, host: www.example.com
tls       | up   | TLSv1.3 handshake                     | type: tls, port: 8443, ca: $pki/cert, sni: www.example.com
tcp       | up   | connected                             | type: tcp, port: 9000
greeting  | down | connection closed before a whole reply | type: tcp, port: 9000, expect: hello
agent     | up   | agent says "ready"                    | type: agent, port: 7001
grpc      | up   | service is SERVING                    | type: grpc, port: 5001
grpc-cart | up   | service is SERVING                    | type: grpc, port: 5001, service: shop.Cart
grpc-till | down | service is NOT_SERVING                | type: grpc, port: 5001, service: shop.Till
grpc-none | down | service "shop.None" is not known to the server | type: grpc, port: 5001, service: shop.None
grpc-tls  | up   | service is SERVING                    | type: grpc, port: 5002, tls: "yes", $ca
END
}
pace="interval: 1s, timeout: 900ms, rise: 1, fall: 2, via: direct"
n=0
{
  echo "services:"
  while IFS='|' read -r name _ _ how; do
    n=$((n + 1))
    service "${name// /}" tcp "$VIP4" "$((1000 + n))" "forward: ipip" "check: { $pace, ${how# } }" \
      "backends: [\"$at name=b1 weight=100\"]"
  done < <(rows)
} | config
check "shuntd starts" shuntd_start || finish

check_rows 20

of() { shunt backends --json >"$W/all.json" && row_found "$@"; }
if [ $by = grpc-js ]; then
  kill -USR2 "${pids[grpc]}"
  check "grpc: down when its server says so" wait_for 5 of grpc down "service is NOT_SERVING"
  kill -USR2 "${pids[grpc]}"
  check "grpc: and up again" wait_for 5 of grpc up "service is SERVING"
fi
for name in haproxy grpc grpc-tls; do stop $name KILL; done
for name in http https http2 tcp grpc grpc-tls; do
  check "$name: down when the server goes" wait_for 5 of $name down "connection refused"
done
start haproxy b1 "$haproxy" -db -f "$W/haproxy.cfg"
grpc
for name in http https http2 tcp grpc grpc-tls; do
  check "$name: up when it is back" wait_for 20 of $name up ""
done

# ---- the same agent, by both ---------------------------------------------------------------------

# peer: what HAProxy makes of it, "UP 100"; shunt's own in the same words.
peer() {
  "$python" - "$W/peer.sock" <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"show servers state app\n")
row = s.makefile().read().splitlines()[2].split()
state, admin, weight = int(row[5]), int(row[6]), int(row[7])
print("maint" if admin & 1 else "drain" if admin & 8 else "down" if state == 0 else "up", weight)
END
}
ours() {
  shunt backends agent --json |
    jq -r '.backends[0] | {maintenance: "maint", drained: "drain"}[.state] // .state + "" | .' | tr '\n' ' '
  shunt backends agent --json | jq -r '.backends[0].weight'
}
agree() { [ "$(peer)" = "$1" ] && [ "$(ours)" = "$1" ]; }
while IFS='|' read -r line want; do
  says "$line"
  check "\"$line\" is \"$want\" to HAProxy and to shunt" wait_for 15 agree "$want" ||
    note "HAProxy: $(peer), shunt: $(ours)"
done <<END
ready 100%|up 100
drain|drain 100
ready 50%|up 50
75%|up 75
maint|maint 75
ready up 100%|up 100
down #disk full|down 100
up|up 100
stopped|down 100
up ready|up 100
fail|down 100
up 40% maxconn:30|up 40
END
finish
