#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The examples in configs/, as they stand there, with the servers that they are for.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
cp configs/*.backends "$W/"

# example NAME [HOST]: that one, for this stage's instance, or another host's.
example() {
  printf 'instance: %s\nrun_dir: %s\nstate_dir: %s\n' "$INSTANCE${2:-}" "$W/run${2:-}" "$W/state${2:-}"
  cat "configs/$1.yaml"
}
gone() {
  shuntd_stop
  on lb "$O/shuntd" --remove -c "$W/shunt.yaml" >/dev/null 2>&1
}

# ---- a gateway with two arms ----------------------------------------------------------------------
stage 0
companion
second_arm 1
namespace b2
plug b2 eth0 b2 1600 br1
address b2 eth0 10.0.1.12/24
on b2 ethtool -K eth0 tx off >/dev/null
for n in 1 2; do web $n 8080; done
example nat-gateway >"$W/shunt.yaml"
running 2
is "the gateway: both servers answer, on their own port" "$(spread 40 http://$VIP4/ | wc -l)" 2
gone
for n in 1 2; do
  stop web$n KILL
  ip netns del "$P-b$n"
  wait_for 5 eval "! on sw ip link show b$n" # its other end
done
on lb ip link del eth1

# ---- DNS ------------------------------------------------------------------------------------------
for n in 1 2; do backend $n; done
decap 1 2
names() {
  start "dns$1" "b$1" dnsmasq -k -C /dev/null --pid-file= --user=root --no-resolv --no-hosts --port=53 \
    --address=/health.example/192.0.2.53 --address="/who.example/10.9.9.$1"
}
cat >"$W/ask.py" <<'END'
import collections, socket, sys
kind, address, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
question = bytes.fromhex("123401000001000000000000") + b"\x03who\x07example\x00\x00\x01\x00\x01"
answers = collections.Counter()
for _ in range(count):
    with socket.socket(type=socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as s:
        s.settimeout(8)
        s.connect((address, 53))
        s.sendall(question if kind == "udp" else len(question).to_bytes(2, "big") + question)
        answers[s.recv(512)[-4:][3]] += 1
print(*("b%d" % n for n in sorted(answers)))
END
ask() { on client "$python" "$W/ask.py" "$1" $VIP4 "$2"; }
for n in 1 2; do names $n; done
example dns >"$W/shunt.yaml"
running 4
is "DNS: both servers answer by UDP" "$(ask udp 40)" "b1 b2"
is "and by TCP" "$(ask tcp 40)" "b1 b2"
stop dns1 KILL
check "one that is gone is taken out" wait_for 15 is_state dns ns1 down
wait_for 15 is_state dns-tcp ns1 down
is "and all is answered by the other, by UDP" "$(ask udp 20)" b2
is "and by TCP alike" "$(ask tcp 20)" b2
gone
stop dns2 KILL

# ---- an edge --------------------------------------------------------------------------------------
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=www.example.com -addext subjectAltName=DNS:www.example.com \
  -keyout "$W/edge.key" -out "$W/edge.pem" 2>/dev/null
edge() {
  local dir=$W/edge$1
  mkdir -p "$dir"
  cat >"$dir/nginx.conf" <<END
daemon off;
master_process off;
pid $dir/pid;
error_log $dir/error.log;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path $dir/t1; proxy_temp_path $dir/t2; fastcgi_temp_path $dir/t3;
  uwsgi_temp_path $dir/t4; scgi_temp_path $dir/t5;
  default_type text/plain;
  server {
    listen 443 ssl;
    ssl_certificate $W/edge.pem;
    ssl_certificate_key $W/edge.key;
    location / { return 200 "b$1 \$remote_addr\n"; }
  }
  server {
    listen 80;
    location / { return 301 https://\$host\$request_uri; }
  }
}
END
  start "edge$1" "b$1" nginx -p "$dir" -c "$dir/nginx.conf" -e "$dir/error.log"
}
site() { on client curl -s --max-time 5 --cacert "$W/edge.pem" --resolve www.example.com:443:"$VIP4" --resolve www.example.com:80:"$VIP4" "$@"; }
for n in 1 2; do edge $n; done
example https-edge >"$W/shunt.yaml"
running 4
both() { [ "$(for _ in $(seq 40); do site https://www.example.com/; done | sort -u)" = $'b1 10.0.0.1\nb2 10.0.0.1' ]; }
check "the edge: both servers answer, with a certificate that holds, and see the client" both
check "who comes by HTTP is sent on" site -fL http://www.example.com/
on client "$python" "$E2E/connects.py" $VIP4 80 500 2 >"$W/flood"
refused=$(shunt stats --json | jq '[.verdicts[] | select(.name == "drop_rate_source").packets] | add')
holds "a flood from one place is held back" "$refused > 0"
gone
for n in 1 2; do stop edge$n KILL; done

# ---- an anycast pair ------------------------------------------------------------------------------
if ! command -v bird birdc >/dev/null; then
  echo "ok $((++cases)) - an anycast pair # SKIP BIRD is not here"
  finish
fi
for n in 1 2; do web $n; done
namespace lb2
plug lb2 eth0 lb2 1600
address lb2 eth0 10.0.0.3/24
on lb2 ethtool -K eth0 tx off >/dev/null
companion lb2
on client ip route del $VIP4/32
on client sysctl -qw net.ipv4.fib_multipath_hash_policy=1
{
  echo 'router id 10.0.0.1; protocol device { } protocol kernel { merge paths on; ipv4 { import none; export all; }; }'
  for host in 2 3; do
    echo "protocol bgp lb$host { local 10.0.0.1 as 64512; neighbor 10.0.0.$host as 64513; passive on;
      ipv4 { import all; export none; }; }"
  done
} >"$W/router.conf"
cp configs/anycast.bird.conf "$W/lb.conf"
sed 's/10\.0\.0\.2/10.0.0.3/' configs/anycast.bird.conf >"$W/lb2.conf"
for host in client:router lb:lb lb2:lb2; do
  start "bird-${host#*:}" "${host%:*}" bird -f -c "$W/${host#*:}.conf" -s "$W/${host#*:}.ctl" -P "$W/${host#*:}.pid"
done
hops() { on client ip -json route show $VIP4/32 | jq -r '.[] | .gateway // (.nexthops[].gateway)' | sort | xargs; }
hops_are() { [ "$(hops)" = "$1" ]; }
example anycast >"$W/shunt.yaml"
example anycast 2 >"$W/shunt2.yaml"
mkdir -p "$W/run2" "$W/state2"
start shuntd2 lb2 "$O/shuntd" -c "$W/shunt2.yaml"
running 2
is "an anycast pair: nothing is announced before somebody has looked" "$(hops)" ""
for host in lb lb2; do start "announce-$host" $host configs/anycast-announce web 127.0.0.1:9466 "$W/$host.ctl"; done
check "both announce the address" wait_for 30 hops_are "10.0.0.2 10.0.0.3"
is "the site answers" "$(spread 40 http://$VIP4/ | wc -l)" 2
same() { [ "$(shunt fingerprint | tail -n 1)" = "$(on lb2 "$O/shunt" -i "${INSTANCE}2" --run-dir "$W/run2" fingerprint | tail -n 1)" ]; }
check "both hosts send a flow to the same server" wait_for 10 same
load all "http://$VIP4/" 100
stop shuntd2 KILL
check "a host whose daemon is dead withdraws it" wait_for 15 hops_are 10.0.0.2
sleep 0.5
stop_load all
is "and no request has failed" "$(loaded all failed)" 0 || failures_of all
start shuntd2 lb2 "$O/shuntd" -c "$W/shunt2.yaml"
check "one that is back announces it again" wait_for 30 hops_are "10.0.0.2 10.0.0.3"
stop announce-lb2 TERM
check "so does one that nobody looks after" wait_for 10 hops_are 10.0.0.2
for n in 1 2; do stop web$n KILL; done
check "and one that has no server left" wait_for 20 hops_are ""
stop shuntd2
on lb2 "$O/shuntd" --remove -c "$W/shunt2.yaml" >/dev/null 2>&1
finish
