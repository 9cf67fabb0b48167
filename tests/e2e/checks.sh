#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every kind of check against servers of others and some that misbehave: what each finds, and in which
# words; down when a server goes, up when it comes back. The rows are the story. VIA: direct, to the
# backend's own address, or auto, a client's way for all that can go it (checks_path.sh).
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
"$python" -c 'import h2' 2>/dev/null || skip_all "python3-h2 is not here"
command -v dnsmasq >/dev/null || [ -x /usr/sbin/dnsmasq ] || skip_all "dnsmasq is not here"
stage 1
at=$(addr4 1) asked=$(addr4 1) via=${VIA:-direct} nobody="port unreachable: nobody listens"
if [ "$via" = auto ]; then
  companion && decap 1
  asked=$VIP4
fi
chmod 755 "$W"

# ---- certificates --------------------------------------------------------------------------------

pki=$W/pki
mkdir -p "$pki"
# wish NAME SUBJECT [LINE]: what is to be signed, for that DNS name.
wish() {
  openssl req -newkey rsa:2048 -nodes -keyout "$pki/$1.key" -out "$pki/$1.csr" -subj "/CN=$2" &&
    printf '%s\n' "subjectAltName=DNS:$2" "${3-}" >"$pki/$1.ext"
}
# cert NAME SUBJECT DAYS [LINE]: signed by the authority.
cert() {
  wish "$1" "$2" "${4-}" &&
    openssl x509 -req -in "$pki/$1.csr" -CA "$pki/ca.pem" -CAkey "$pki/ca.key" -CAcreateserial \
      -days "$3" -extfile "$pki/$1.ext" -out "$pki/$1.pem"
}
{
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=house" \
    -keyout "$pki/ca.key" -out "$pki/ca.pem"
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=www.example.com" \
    -addext subjectAltName=DNS:www.example.com -keyout "$pki/self.key" -out "$pki/self.pem"
  cert good www.example.com 30
  cert soon www.example.com 5
  cert old www.example.com -1
  cert probe probe.example.com 30
  cert client www.example.com 30 extendedKeyUsage=clientAuth
  # One of years to come.
  printf '%s\n' '[ca]' default_ca=c '[c]' "database=$pki/index" "new_certs_dir=$pki" "serial=$pki/serial" default_md=sha256 \
    policy=p '[p]' commonName=supplied >"$pki/ca.cnf"
  : >"$pki/index" && echo 01 >"$pki/serial"
  wish early www.example.com
  openssl ca -batch -notext -config "$pki/ca.cnf" -cert "$pki/ca.pem" -keyfile "$pki/ca.key" \
    -in "$pki/early.csr" -out "$pki/early.pem" -extfile "$pki/early.ext" \
    -startdate 20700101000000Z -enddate 20710101000000Z
} >"$W/openssl.log" 2>&1
chmod 644 "$pki"/*
mkdir "$pki/folder" "$pki/locked"
cp "$pki/ca.pem" "$pki/locked"
cp "$pki/probe.pem" "$pki/secret.pem"
chmod 600 "$pki/secret.pem" "$pki/locked"

# ---- servers -------------------------------------------------------------------------------------

# tls PORT NAME [LINE]: an nginx server with that certificate.
tls() {
  echo "server { listen $1 ssl http2; ssl_certificate $pki/$2.pem; ssl_certificate_key $pki/$2.key; ${3-}
    location / { return 200 'all is ready'; } }"
}
servers() {
  mkdir -p "$W/servers"
  cat >"$W/servers/nginx.conf" <<END
daemon off; master_process off; pid $W/servers/pid; error_log $W/servers/error.log;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path $W/servers/t1; proxy_temp_path $W/servers/t2; fastcgi_temp_path $W/servers/t3;
  uwsgi_temp_path $W/servers/t4; scgi_temp_path $W/servers/t5;
  server {
    listen 8080;
    location /ok { return 200 'all is ready'; }
    location /moved { return 301 /ok; }
    location /ill { return 503; }
    location /ask {
      if (\$request_method != OPTIONS) { return 405; }
      if (\$http_x_probe != yes) { return 400; }
      if (\$host != a.example) { return 404; }
      return 204;
    }
  }
  server { listen 8082 http2; location / { return 200 'all is ready'; } }
  $(tls 8443 good)
  $(tls 8444 soon)
  $(tls 8445 old)
  $(tls 8446 self)
  $(tls 8448 client)
  $(tls 8449 early)
  $(tls 8447 good "ssl_client_certificate $pki/ca.pem; ssl_verify_client on;")
}
END
  start nginx b1 "$(command -v nginx || echo /usr/sbin/nginx)" -c "$W/servers/nginx.conf" -p "$W/servers"
  start grpc b1 "$python" "$E2E/grpc_health.py" 5001
  start grpc-tls b1 "$python" "$E2E/grpc_health.py" 5002 "$pki/good.key" "$pki/good.pem"
  start grpc-empty b1 "$python" "$E2E/grpc_health.py" 5003 empty
  start dns b1 "$(command -v dnsmasq || echo /usr/sbin/dnsmasq)" -k -C /dev/null --no-resolv --no-hosts \
    --bind-interfaces --listen-address="$at" --listen-address="$VIP4" -p 5353 -u root --pid-file= \
    --address=/web.example/192.0.2.80 --mx-host=web.example,mail.example,10 --txt-record=web.example,hello
  start s_server b1 openssl s_server -accept 8500 -cert "$pki/good.pem" -key "$pki/good.key" -quiet
  start hostile b1 "$python" "$E2E/hostile.py" 7001:silent 7002:slow 7003:headers 7004:flood 7005:garbage
}

# ---- what each check finds -----------------------------------------------------------------------

ca="ca: $pki/ca.pem, host: www.example.com"
n=0
rows() {
  cat <<END
http         | up   | HTTP status 200 and the expected text | type: http, port: 8080, path: /ok, expect: ready
http-regex   | up   | HTTP status 200 and the expected text | type: http, port: 8080, path: /ok, expect_regex: "^all.*y\$"
http-moved   | up   | HTTP status 301                     | type: http, port: 8080, path: /moved, status: [200-299, 301]
http-request | up   | HTTP status 204                     | type: http, port: 8080, path: /ask, method: OPTIONS, host: a.example, headers: { X-Probe: "yes" }
http-head    | up   | HTTP status 200                     | type: http, port: 8080, path: /ok, method: HEAD
http-status  | down | HTTP status 503, wanted 200-399     | type: http, port: 8080, path: /ill
http-text    | down | reply does not contain "fine"       | type: http, port: 8080, path: /ok, expect: fine
http-of-tls  | down | HTTP status 400, wanted 200-399     | type: http, port: 8443
https        | up   | HTTP status 200 and the expected text | type: https, port: 8443, $ca, expect: ready
https-soon   | up   | HTTP status 200; the certificate expires in [45] days | type: https, port: 8444, $ca
https-client | up   | HTTP status 200                     | type: https, port: 8447, $ca, cert: $pki/probe.pem, key: $pki/probe.key
https-bare   | down | HTTP status 400, wanted 200-399     | type: https, port: 8447, $ca
https-old    | down | certificate expired on 20[0-9-]*    | type: https, port: 8445, $ca
https-self   | down | certificate is self-signed          | type: https, port: 8446, $ca
https-name   | down | certificate is for www.example.com, not for other.example | type: https, port: 8443, ca: $pki/ca.pem, sni: other.example
https-addr   | down | certificate is for www.example.com, not for $asked | type: https, port: 8443, ca: $pki/ca.pem
https-issuer | down | certificate's issuer "house" is not trusted | type: https, port: 8443, host: www.example.com
https-any    | up   | HTTP status 200                     | type: https, port: 8446, verify: "no", expiry_warn: "no"
https-plain  | down | TLS handshake failed: .*            | type: https, port: 8080, $ca
https-folder | starting | ca $pki/folder: is a directory   | type: https, port: 8443, ca: $pki/folder
https-cert   | starting | cert $pki/folder: is a directory | type: https, port: 8443, $ca, cert: $pki/folder
https-secret | starting | cert $pki/secret.pem: probe_user may not read it, or look into its folder | type: https, port: 8443, $ca, cert: $pki/secret.pem
https-locked | starting | ca $pki/locked/ca.pem: probe_user may not read it, or look into its folder | type: https, port: 8443, ca: $pki/locked/ca.pem
https-early  | down | certificate is not valid before 2070-01-01 | type: https, port: 8449, $ca
https-client-only | down | certificate: .*purpose          | type: https, port: 8448, $ca
https-key    | starting | key .*: holds no key in PEM that belongs to the certificate | type: https, port: 8443, $ca, cert: $pki/probe.pem, key: $pki/good.key
http2        | up   | HTTP status 200 and the expected text | type: http2, port: 8443, $ca, expect: ready
http2-plain  | up   | HTTP status 200                     | type: http2, port: 8082, tls: "no"
http2-old    | down | .*                                  | type: http2, port: 8080, tls: "no"
grpc         | up   | service is SERVING                  | type: grpc, port: 5001
grpc-cart    | up   | service is SERVING                  | type: grpc, port: 5001, service: shop.Cart
grpc-tls     | up   | service is SERVING                  | type: grpc, port: 5002, tls: "yes", $ca
grpc-till    | down | service is NOT_SERVING              | type: grpc, port: 5001, service: shop.Till
grpc-unknown | down | service "shop.None" is not known to the server | type: grpc, port: 5001, service: shop.None
grpc-empty   | down | server does not implement grpc.health.v1.Health | type: grpc, port: 5003
grpc-other   | down | reply is not gRPC                   | type: grpc, port: 8082
grpc-http    | down | .*                                  | type: grpc, port: 8080
dns          | up   | 1 A record, as expected             | type: dns, port: 5353, name: web.example, expect: 192.0.2.80
dns-mx       | up   | 1 MX record, as expected            | type: dns, port: 5353, name: web.example, record: MX, expect: 10 mail.example
dns-txt      | up   | 1 TXT record, as expected           | type: dns, port: 5353, name: web.example, record: TXT, transport: tcp, expect: hello
dns-answer   | down | 1 A record, none as expected: "192.0.2.80" | type: dns, port: 5353, name: web.example, expect: 192.0.2.81
dns-refused  | down | DNS status REFUSED                  | type: dns, port: 5353, name: other.example
dns-nobody   | down | $nobody.*                           | type: dns, port: 5999, name: web.example
udp          | up   | reply                               | type: udp, port: 5353, send_hex: "12340100000100000000000003776562076578616d706c650000010001", expect_hex: "c0000250"
udp-closed   | down | port unreachable: nobody listens    | type: udp, port: 5999, send: hello
icmp         | up   | echo reply                          | type: icmp
tls          | up   | TLSv1.3 handshake                   | type: tls, port: 8500, ca: $pki/ca.pem, sni: www.example.com
tls-plain    | down | TLS handshake failed: .*            | type: tls, port: 8080
tls-silent   | down | no end of the TLS handshake within 900 ms | type: tls, port: 7001
exec         | up   | exit status 0: $at:8080             | type: exec, port: 8080, shell: "echo \$SHUNT_ADDRESS:\$SHUNT_PORT"
exec-fails   | down | exit status 1                       | type: exec, command: [/bin/false]
exec-hangs   | down | the program did not end within 900 ms | type: exec, command: [/bin/sleep, "9"]
exec-folder  | starting | cannot run /tmp: Permission denied | type: exec, command: [/tmp]
exec-missing | starting | cannot run /no/such: No such file or directory | type: exec, command: [/no/such]
http-silent  | down | no whole reply within 900 ms        | type: http, port: 7001
http-slow    | down | no whole reply within 900 ms        | type: http, port: 7002
http-headers | down | reply has more than 64 KiB of headers | type: http, port: 7003
http-flood   | down | reply does not contain "ready"      | type: http, port: 7004, expect: ready
http-garbage | down | reply is not HTTP                   | type: http, port: 7005
https-garbage | down | TLS handshake failed: .*           | type: https, port: 7005
END
}

pace="interval: 1s, timeout: 900ms, rise: 1, fall: 2"
{
  echo "services:"
  while IFS='|' read -r name _ _ how; do
    n=$((n + 1))
    service "${name// /}" tcp "$VIP4" "$((1000 + n))" "forward: ipip" "check: { via: $via, $pace, ${how# } }" \
      "backends: [\"$at name=b1\"]"
  done < <(rows)
} | config

# ICMP errors come once a second else.
on b1 sysctl -qw net.ipv4.icmp_ratelimit=0
servers
for port in 8080 8443 5001 5002 5003 8500 7001; do
  check "port $port is served" wait_for 10 on b1 bash -c "exec 3<>/dev/tcp/$at/$port" || { tail -n 5 "$W/nginx.log" "$W"/servers/error.log "$W"/openssl.log | sed "s,^,# ,"; finish; }
done
check "shuntd starts" shuntd_start || { tail -n 5 "$W/nginx.log" "$W"/servers/error.log "$W"/openssl.log | sed "s,^,# ,"; finish; }

check_rows 30

of() { shunt backends --json >"$W/all.json" && row_found "$@"; }
for name in nginx grpc dns s_server; do stop $name KILL; done
check "http: down when the server goes" wait_for 5 of http down "connection refused"
check "https: likewise" wait_for 5 of https down "connection refused"
check "http2: likewise" wait_for 5 of http2 down "connection refused"
check "grpc: likewise" wait_for 5 of grpc down "connection refused"
check "dns: likewise" wait_for 5 of dns down "$nobody"
check "tls: likewise" wait_for 5 of tls down "connection refused"
servers
for name in http https http2 grpc dns tls; do
  check "$name: up when it is back" wait_for 10 of $name up ""
done
on lb ip route add blackhole "$at/32"
check "icmp: down without a way" wait_for 5 of icmp down ""
on lb ip route del blackhole "$at/32"
check "icmp: up with it" wait_for 5 of icmp up "echo reply"
finish
