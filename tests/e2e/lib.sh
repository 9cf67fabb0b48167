# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# The stage for end-to-end stories: a client, a balancer and backends, each a network namespace, on
# one Ethernet segment, which is a bridge in a namespace of its own.  Names carry the script's process
# id, nothing touches the host's own network, and everything is removed when the script ends, however
# it ends.
#
#   client eth0 10.0.0.1    fd00::1   MTU 1500; routes the VIPs by the balancer
#   lb     eth0 10.0.0.2    fd00::2   shuntd, one-armed: frames leave where they came in
#   bN     eth0 10.0.0.10+N fd00::10+N (hexadecimal), VIPs on lo and not told to the segment
#   sw     br0, with one port for each of them, named like them
#
# Two things that veth needs and real NICs do not: a frame that native XDP sends back on a veth reaches
# the other end only if that one runs native XDP too, hence shunt-decap on the balancer's port (it
# passes everything that is not a tunnel packet for its address); and a sender behind veth leaves
# checksums to hardware that is not there, hence "tx off" wherever frames go through XDP.
#
# Results are TAP: check, is, holds, skip_all, finish.
set -u
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
O=$(realpath "${O:-build}")
E2E=$PWD/tests/e2e
P=${P:-sh$$} # of the namespaces' names
INSTANCE=${INSTANCE:-e2e-$$}
SHUNTD_ENV=()
VIP4=203.0.113.10
VIP6=2001:db8::10
W=$(mktemp -d /tmp/shunt-e2e.XXXXXX) || exit 1
python=/usr/bin/python3 # python3 may be a wrapper that takes its time
[ -x $python ] || python=python3
cases=0 failures=0
declare -A pids=() # of everything started here, by name

[ "$(id -u)" -eq 0 ] || { echo "needs root" && exit 1; }

# ---- results -------------------------------------------------------------------------------------

note() { printf '# %s\n' "$*"; }

# result 0|1 WORDS
result() {
  cases=$((cases + 1))
  if [ "$1" -eq 0 ]; then echo "ok $cases - $2"; else echo "not ok $cases - $2"; fi
  [ "$1" -eq 0 ] || failures=$((failures + 1))
  return "$1"
}

# check WORDS COMMAND...: the command succeeds; what it prints is shown when it does not.
check() {
  local words=$1 rc
  shift
  "$@" >"$W/said" 2>&1 # not in a subshell: it may start something
  rc=$?
  [ $rc -eq 0 ] || note "exit status $rc: $*: $(head -c 2000 "$W/said")"
  result $((rc != 0)) "$words"
}

# refuses WORDS STATUS TEXT COMMAND...: ends with this exit status and prints TEXT (a regex).
refuses() {
  local words=$1 status=$2 text=$3 said rc bad=0
  shift 3
  said=$("$@" 2>&1 </dev/null)
  rc=$?
  if [ $rc -ne "$status" ] || ! grep -qE -- "$text" <<<"$said"; then
    note "exit status $rc, wanted $status and /$text/: $said"
    bad=1
  fi
  result $bad "$words"
}

# is WORDS GOT WANTED
is() {
  [ "$2" = "$3" ] || note "got '$2', wanted '$3'"
  result $(($([ "$2" = "$3" ]; echo $?) != 0)) "$1"
}

# holds WORDS EXPRESSION: arithmetic, or with decimals for awk.
holds() {
  local value
  value=$(awk "BEGIN { print ($2) ? 1 : 0 }" </dev/null)
  [ "$value" = 1 ] || note "does not hold: $2"
  result $((value != 1)) "$1"
}

skip_all() {
  echo "$*"
  exit 77
}

# finish: the story's end, and the daemon's, if it still runs.
finish() {
  if [ -n "${pids[shuntd]:-}" ]; then check "shuntd ends well when told to" shuntd_stop; fi
  if grep -qE 'runtime error:|Sanitizer' "$W"/*.log 2>/dev/null; then
    result 1 "no sanitizer complains"
    grep -hE -A 20 'runtime error:|Sanitizer' "$W"/*.log | head -n 60 | sed 's/^/#   /'
  fi
  echo "1..$cases"
  [ $failures -eq 0 ]
  exit
}

# mac_of NS: of its eth0. /sys has the interfaces of where it was mounted.
mac_of() { on "$1" ip -j link show eth0 | jq -r '.[0].address'; }

now_ms() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

# wait_for SECONDS COMMAND...: until it succeeds; 1 when it has not by then. SECONDS are what it takes at
# most on a machine of its own; one that is shared gets SLOW times as many, 4 where nothing is said.
wait_for() {
  local end=$(($(now_ms) + $1 * 1000 * ${SLOW:-4}))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$(now_ms)" -lt $end ] || return 1
    sleep 0.05
  done
}

# ---- processes -----------------------------------------------------------------------------------

# start NAME NS COMMAND...: in the background in that namespace, its output in $W/NAME.log; ended with
# the script.  nsenter becomes the command, so the process id is the command's own.
start() {
  local name=$1 ns=$2
  shift 2
  if [ -n "${pids[$name]:-}" ]; then pids[$name ${pids[$name]}]=${pids[$name]}; fi # nobody is forgotten
  nsenter --net="/run/netns/$P-$ns" -- "$@" >>"$W/$name.log" 2>&1 </dev/null &
  pids[$name]=$!
}

# stop NAME [SIGNAL]: ends it and waits; its exit status. What does not listen gets five seconds.
stop() {
  local pid=${pids[$1]:-}
  [ -n "$pid" ] || return 0
  unset "pids[$1]"
  { # where bash says what became of its job
    kill -"${2:-TERM}" "$pid"
    wait_for 5 ended "$pid" || kill -KILL "$pid"
    wait "$pid"
  } 2>/dev/null
}
ended() { ! grep -q '^State:\s*[^Z]' "/proc/$1/status"; }

cleanup() {
  local rc=$? name
  trap '' INT TERM HUP
  trap - EXIT
  if [ $failures -gt 0 ] && [ -s "$W/shuntd.log" ]; then
    note "the daemon said:"
    tail -n 60 "$W/shuntd.log" | sed 's/^/#   /'
  fi
  for name in "${!pids[@]}"; do stop "$name" KILL; done
  for name in "/run/netns/$P-"*; do
    if [ -e "$name" ]; then ip netns del "${name##*/}"; fi
  done
  rm -rf "$W" "/sys/fs/bpf/shunt/$INSTANCE"
  exit $rc
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# ---- the stage -----------------------------------------------------------------------------------

# on NS COMMAND...: in that namespace. Not "ip netns exec", which mounts another /sys and hides pins, nor
# "ip -n", which tries the same and fails in a chroot.
on() {
  local ns=$1
  shift
  nsenter --net="/run/netns/$P-$ns" -- "$@"
}

# namespace NAME: made, with lo up.
namespace() {
  ip netns add "$P-$1" || return
  on "$1" sysctl -qw net.ipv6.conf.all.dad_transmits=0 net.ipv6.conf.default.accept_dad=0 \
    net.ipv6.conf.default.dad_transmits=0
  on "$1" ip link set lo up
}

# plug NS IFNAME PORT MTU [BRIDGE]: a cable from NS to the bridge in sw.
plug() {
  local mtu=$4
  ip link add name "$2" mtu "$mtu" netns "$P-$1" type veth \
    peer name "$3" mtu "$mtu" netns "$P-sw" || return
  on sw ip link set "$3" master "${5:-br0}" up
  on "$1" ip link set "$2" up
}

# address NS IFNAME ADDRESS/LENGTH...
address() {
  local ns=$1 dev=$2 a
  shift 2
  for a; do
    case $a in
    *:*) on "$ns" ip addr add "$a" dev "$dev" nodad ;;
    *) on "$ns" ip addr add "$a" dev "$dev" ;;
    esac
  done
}

addr4() { echo "10.0.0.$((10 + $1))"; }
addr6() { echo "fd00::$((10 + $1))"; }

# vip NS ADDRESS: served by this backend, but not announced on the segment.
vip() {
  case $2 in
  *:*) address "$1" lo "$2/128" ;;
  *) address "$1" lo "$2/32" ;;
  esac
}

# route_vip ADDRESS: the client sends it to the balancer.
route_vip() {
  case $1 in
  *:*) on client ip route add "$1/128" via fd00::2 ;;
  *) on client ip route add "$1/32" via 10.0.0.2 ;;
  esac
}

# backend N: namespace bN with the VIPs, tunnels taken off.
backend() {
  local ns=b$1
  namespace "$ns"
  # The VIPs stand on lo: neither answer ARP for them nor ask in their name.
  on "$ns" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
  plug "$ns" eth0 "$ns" 1600
  address "$ns" eth0 "$(addr4 "$1")/24" "$(addr6 "$1")/64"
  vip "$ns" $VIP4
  vip "$ns" $VIP6
  on "$ns" ethtool -K eth0 tx off >/dev/null
}

# second_arm N: backend N, which knows nothing of VIPs, on a segment of its own behind the balancer's
# eth1; its way to clients is through the balancer (which masq needs, nat does not).
second_arm() {
  local ns=b$1 a
  on sw ip link add br1 mtu 1600 type bridge mcast_snooping 0
  on sw ip link set br1 up
  plug lb eth1 lb1 1600 br1
  address lb eth1 10.0.1.2/24 fd01::2/64
  namespace "$ns"
  plug "$ns" eth0 "$ns" 1600 br1
  address "$ns" eth0 "10.0.1.$((10 + $1))/24" "fd01::$((10 + $1))/64"
  for a in 10.0.1.2 fd01::2; do on "$ns" ip route add default via $a; done
  on lb ethtool -K eth1 tx off >/dev/null
  on "$ns" ethtool -K eth0 tx off >/dev/null
  companion lb1
}

# decap N...: lets backends take off tunnels sent to their own addresses.
decap() {
  local n
  for n; do
    on "b$n" "$O/shunt-decap" attach eth0 "$(addr4 "$n")" "$(addr6 "$n")" >/dev/null || return
  done
}

# stage N: all of it with N backends.
stage() {
  local n
  namespace sw
  on sw ip link add br0 mtu 1600 type bridge mcast_snooping 0
  on sw ip link set br0 up
  namespace client
  namespace lb
  plug client eth0 client 1500
  plug lb eth0 lb 1600
  address client eth0 10.0.0.1/24 fd00::1/64
  address lb eth0 10.0.0.2/24 fd00::2/64
  route_vip $VIP4
  route_vip $VIP6
  on client ethtool -K eth0 tx off >/dev/null
  on lb ethtool -K eth0 tx off >/dev/null
  for n in $(seq "$1"); do backend "$n"; done
}

# companion [PORT]: lets what native XDP sends back on the balancer's cable arrive at the bridge.
companion() { on sw "$O/shunt-decap" attach "${1:-lb}" >/dev/null; }

# ---- servers and clients -------------------------------------------------------------------------

# web N [PORT...]: nginx in bN that answers its name, and 200 on /healthz; both families, every address.
web() {
  local n=$1 dir=$W/web$1 port
  shift
  [ $# -gt 0 ] || set -- 80
  mkdir -p "$dir"
  cat >"$dir/nginx.conf" <<END
daemon off;
master_process off;
pid $dir/pid;
error_log $dir/error.log;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000;
  client_body_temp_path $dir/t1; proxy_temp_path $dir/t2; fastcgi_temp_path $dir/t3;
  uwsgi_temp_path $dir/t4; scgi_temp_path $dir/t5;
  default_type text/plain;
  server {
    $(for port; do echo "listen [::]:$port ipv6only=off backlog=4096;"; done)
    location / { return 200 "b$n\n"; }
    location /healthz { return 200 "well\n"; }
  }
}
END
  start "web$n" "b$n" nginx -p "$dir" -c "$dir/nginx.conf" -e "$dir/error.log"
  wait_for 5 on "b$n" curl -sf --max-time 1 "http://127.0.0.1:$1/healthz"
}

# udp N PORT: a server in bN that answers every datagram with "bN CLIENT'S-ADDRESS PORT".
udp() {
  start "udp$1" "b$1" "$python" "$E2E/udp.py" serve "b$1" "$2"
  wait_for 5 on "b$1" "$python" "$E2E/udp.py" ask 127.0.0.1 "$2" 1
}

# echo_server N PORT; bulk ADDRESS PORT MBIT SECONDS: one connection, every byte comes back right.
echo_server() {
  start "echo$1" "b$1" "$python" "$E2E/bulk.py" serve "$2"
  wait_for 5 on "b$1" "$python" "$E2E/bulk.py" run 127.0.0.1 "$2" 1 0.1
}
bulk() { on client "$python" "$E2E/bulk.py" run "$@"; }

big_udp() { on client "$python" "$E2E/udp.py" big "$@"; }
ask_udp() { on client "$python" "$E2E/udp.py" ask "$@"; }
get() { on client curl -s --max-time 2 "$@"; }

# spread N URL: N requests, each a connection of its own; "COUNT ANSWER" a line, sorted by answer.
spread() {
  local urls
  urls=$(yes "url = \"$2\"" | head -n "$1")
  on client curl -s --no-keepalive -H 'Connection: close' --max-time 30 --connect-timeout 2 \
    -K - <<<"$urls" | sort | uniq -c | awk '{print $1, $2}'
}

# load NAME URL [REQUESTS A SECOND]: requests in the background until stop_load NAME.
load() { start "load-$1" client "$python" "$E2E/load.py" run "$2" "${3:-300}" "$W/load-$1"; }
stop_load() { stop "load-$1" INT; }
# loaded NAME total|failed [FROM_MS [TO_MS]]: how many requests began in that time (of now_ms).
loaded() { "$python" "$E2E/load.py" "$2" "$W/load-$1" "${3:-0}" "${4:-0}"; }
# failures_of NAME: what went wrong, for a note.
failures_of() { "$python" "$E2E/load.py" errors "$W/load-$1" | sed 's/^/# /'; }

# ---- shunt ---------------------------------------------------------------------------------------

# config: writes the configuration from standard input, with what every one here needs.
config() {
  {
    echo "instance: $INSTANCE"
    echo "run_dir: $W/run"
    echo "state_dir: $W/state"
    echo "interfaces: [${INTERFACES:-eth0}]"
    cat
  } >"$W/shunt.yaml"
}

# service NAME PROTOCOL VIP PORT LINE...: its part of the configuration, LINEs as they are.
service() {
  printf -- '  - name: %s\n    protocol: %s\n    vip: "%s"\n    port: %s\n' "$1" "$2" "$3" "$4"
  shift 4
  printf '    %s\n' "$@"
}
# A check that finds out fast: down after 5 x 250 ms, a second in which a busy machine let nobody answer, up after 2.
# shellcheck disable=SC2034 # for the stories
FAST='check: { type: http, path: /healthz, interval: 250ms, timeout: 240ms, rise: 2, fall: 5 }'
# shellcheck disable=SC2034
FAST_TCP='check: { type: tcp, interval: 250ms, timeout: 240ms, rise: 2, fall: 5 }'

# backends4 N..., backends6 N...: lines for a backends file.
backends4() { for n; do echo "$(addr4 "$n") name=b$n"; done; }
backends6() { for n; do echo "$(addr6 "$n") name=b$n"; done; }

# watched_web: two backends behind the service "web", which are checked, and a daemon-to-be that serves its page.
watched_web() {
  stage 2
  companion
  web 1
  web 2
  backends4 1 2 >"$W/web.backends"
  config <<END
web: {}
services:
$(service web tcp $VIP4 80 "forward: dsr" "$FAST" "backends_file: web.backends")
END
}

shunt() { on lb "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" "$@"; }

# count_state STATE [SERVICE]: how many backends are "up", "down", "drained", "no neighbour", ...
count_state() {
  shunt backends ${2:+"$2"} --json | jq --arg state "$1" '[.backends[] | select(.state == $state)] | length'
}
all_up() { [ "$(count_state up)" -eq "$1" ]; }
# is_state SERVICE BACKEND STATE
is_state() {
  shunt backends "$1" --json |
    jq -e --arg name "$2" --arg state "$3" '.backends[] | select(.name == $name) | .state == $state'
}

# shuntd_start [OPTION...]: 1 and the end of its log when it is not ready in ten seconds. SHUNTD_ENV: NAME=VALUE
# of its environment, and a command that runs it.
shuntd_start() {
  mkdir -p "$W/run" "$W/state"
  start shuntd lb env "${SHUNTD_ENV[@]}" "$O/shuntd" -c "$W/shunt.yaml" "$@"
  wait_for "${READY_WITHIN:-10}" shuntd_settled && shunt status >/dev/null 2>&1 && return
  note "shuntd is not ready:"
  tail -n 20 "$W/shuntd.log" | sed 's/^/#   /'
  return 1
}
shuntd_settled() { shunt status || ended "${pids[shuntd]}"; }
shuntd_stop() { stop shuntd "${1:-TERM}"; }

# check_rows SECONDS: the one backend of each SERVICE comes to be as a line "SERVICE | STATE | REASON | ..." of
# rows() says, REASON being a regex.
check_rows() {
  local name want words
  wait_for "$1" rows_found
  while IFS='|' read -r name want words _; do
    name=${name// /} want=${want// /} words=$(sed 's/ *$//; s/^ //' <<<"$words")
    check "$name: $want, $words" row_found "$name" "$want" "$words" || note "$(row_reason "$name")"
  done < <(rows)
}
row_reason() { jq -r --arg s "$1" '.backends[] | select(.service == $s) | "\(.state) \(.reason)"' "$W/all.json"; }
row_found() { [[ "$(row_reason "$1")" =~ ^$2\ $3 ]]; }
rows_found() {
  local name want words
  shunt backends --json >"$W/all.json"
  while IFS='|' read -r name want words _; do
    words=$(sed 's/ *$//; s/^ //' <<<"$words")
    row_found "${name// /}" "${want// /}" "$words" || return
  done < <(rows)
}

# running N: shuntd starts and N backends come up; ends the script when not.
running() {
  check "shuntd starts" shuntd_start || finish
  check "$1 backends are up" wait_for 5 all_up "$1" || { shunt backends | head -n 40 | sed 's/^/# /' && finish; }
}
