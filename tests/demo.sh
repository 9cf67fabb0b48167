#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Balances real traffic on this machine and shows what happens when a backend or the daemon dies.
# Everything runs in network namespaces and goes away at the end, also after Ctrl-C.  KEEP=1 leaves it
# running until Enter and says what to type; SHORT=1 takes a third of the time.  Exit 1 when shunt did
# not keep what the demo promises.
P=demo$$ INSTANCE=demo-$$
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/e2e/lib.sh"
REQUESTS=800 TENTHS=10 # of the pauses
if [ -n "${SHORT:-}" ]; then REQUESTS=400 TENTHS=3; fi
broken=0
bold='' plain='' red=''
if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m' red=$'\e[31m'; fi

step() { printf '\n%s==> %s%s\n' "$bold" "$*" "$plain"; }
say() { printf '    %s\n' "$*"; }
show() { sed 's/^/    /'; }
pause() { sleep $((${1} * TENTHS / 10)).$((${1} * TENTHS % 10)); }
promise() { # WORDS GOT WANTED
  local mark='kept'
  if [ "$2" != "$3" ]; then mark="${red}BROKEN$plain (wanted $3)" broken=$((broken + 1)); fi
  printf '    %-58s %6s   %s\n' "$1" "$2" "$mark"
}
give_up() {
  failures=1 # has the daemon's log shown
  echo "demo: $*"
  exit 1
}

# distribution WORDS URL: how many requests each backend answered, and how many it should have.
distribution() {
  spread "$REQUESTS" "$2" | awk -v words="$1" -v total="$REQUESTS" '
    { got[$2] = $1; all += $1 }
    END {
      want["b1"] = 25; want["b2"] = 50; want["b3"] = 25
      printf "    %-22s", words
      for (b = 1; b <= 3; b++) {
        share = 100 * got["b" b] / total; off = share - want["b" b]
        printf "  b%d %5.1f%% of %d%%", b, share, want["b" b]
        if (off > 10 || off < -10) bad = 1
      }
      printf "   %d lost\n", total - all
      exit bad || all != total
    }' || broken=$((broken + 1))
}

[ -x "$O/shuntd" ] || { echo "demo: $O/shuntd is not built: make" && exit 1; }
mountpoint -q /sys/fs/bpf || say "mounting bpffs on /sys/fs/bpf, where forwarding outlives the daemon"

step "A client, a balancer and three backends with nginx, each in a network namespace of its own"
stage 3 || give_up "the namespaces could not be made"
companion || give_up "XDP could not be attached to a veth"
decap 1 2 3 || give_up "shunt-decap could not be attached"
for n in 1 2 3; do
  # Each backend serves the tunnelled services on 80 and the direct ones on 8080.
  web $n 80 8080 || give_up "nginx did not start"
done
cat <<END
    client 10.0.0.1 ---+            the client asks $VIP4 and $VIP6,
                       |            which are routed to the balancer
    lb     10.0.0.2 ---+---- b1 10.0.0.11  fd00::11
      shuntd, XDP      |---- b2 10.0.0.12  fd00::12  weight 2
                       +---- b3 10.0.0.13  fd00::13
END

step "The configuration: two services with tunnels (ipip), two by MAC address alone (dsr)"
backends4 1 2 3 | sed '/b2/s/$/ weight=2/' >"$W/v4.backends"
backends6 1 2 3 | sed '/b2/s/$/ weight=2/' >"$W/v6.backends"
check='check: { type: http, path: /healthz, interval: 500ms, timeout: 400ms, rise: 2, fall: 3 }'
config <<END
services:
  - name: web
    vip: $VIP4
    port: 80
    protocol: tcp
    forward: ipip
    $check
    backends_file: v4.backends
  - name: web6
    vip: "$VIP6"
    port: 80
    protocol: tcp
    forward: ipip
    $check
    backends_file: v6.backends
  - name: direct
    vip: $VIP4
    port: 8080
    protocol: tcp
    forward: dsr
    $check
    backends_file: v4.backends
  - name: direct6
    vip: "$VIP6"
    port: 8080
    protocol: tcp
    forward: dsr
    $check
    backends_file: v6.backends
END
sed -n '/services/,/backends_file/p' "$W/shunt.yaml" | show
show <"$W/v4.backends"

step "shuntd starts, checks the backends and attaches XDP"
start_ms=$(now_ms)
shuntd_start || give_up "shuntd did not start"
say "ready after $(($(now_ms) - start_ms)) ms"
wait_for 5 all_up 12 || say "not every backend is up yet"
shunt status 2>&1 | show
shunt services 2>&1 | show

step "$REQUESTS requests to each service, every one a connection of its own"
say "share of each backend, and its share by weight:"
distribution "ipip, IPv4 (web)" "http://$VIP4/"
distribution "ipip, IPv6 (web6)" "http://[$VIP6]/"
distribution "dsr,  IPv4 (direct)" "http://$VIP4:8080/"
distribution "dsr,  IPv6 (direct6)" "http://[$VIP6]:8080/"
if command -v wrk >/dev/null; then
  say "and as fast as this machine's nginx can:"
  on client wrk -t 1 -c 32 -d $(((TENTHS + 2) / 4))s -H 'Connection: close' "http://$VIP4/" |
    grep -E 'requests in|Requests/sec|Socket errors' | show
fi

step "b3 is killed under load: 300 requests a second go on"
load kill "http://$VIP4/" 300
pause 2
died=$(now_ms)
stop web3 KILL
wait_for 10 is_state web b3 down || give_up "b3 is dead and was not detected"
detected=$(now_ms)
say "detected after $((detected - died)) ms (3 checks, 500 ms apart)"
pause 3
revived=$(now_ms)
say "and revived"
web 3 80 8080
wait_for 10 is_state web b3 up || give_up "b3 came back and was not detected"
say "back in the table after $(($(now_ms) - revived)) ms (2 checks)"
pause 3
stop_load kill
say "$(loaded kill total) requests in all"
say "$(loaded kill failed 0 "$detected") of them failed before the detection, when connections still went to b3"
promise "failed requests from the detection to the return" "$(loaded kill failed "$detected" "$revived")" 0
say "$(loaded kill failed "$revived") failed as b3 got its slots back: connections in flight at that moment"

step "shuntd is killed with -9 under load"
load crash "http://$VIP4/" 300
pause 2
say "killed; the packet path goes on without it"
shuntd_stop KILL
pause 4
alone=$(now_ms)
shuntd_start || give_up "shuntd did not start again"
say "started again after $(($(now_ms) - alone)) ms; it adopts what it finds"
pause 3
stop_load crash
say "$(loaded crash total) requests in all, $(loaded crash total 0 "$alone") of them before shuntd was back"
failures_of crash
promise "failed requests" "$(loaded crash failed)" 0

step "What shunt says of all this: shunt backends"
shunt backends 2>&1 | show
step "shunt stats"
shunt stats 2>&1 | show

if [ -n "${KEEP:-}" ]; then
  step "It stays. In another terminal, as root:"
  cat <<END
    alias shunt='nsenter --net=/run/netns/$P-lb $O/shunt -i $INSTANCE --run-dir $W/run'
    shunt backends
    shunt stats --watch
    shunt drain web b2
    \$EDITOR $W/v4.backends          # is read when it is saved
    nsenter --net=/run/netns/$P-client curl http://$VIP4/
    kill ${pids[web1]}                                   # b1's nginx
    kill -9 ${pids[shuntd]}                                # shuntd
  Enter or Ctrl-C here ends it and removes everything.
END
  trap 'exit 0' INT TERM HUP
  if [ -t 0 ]; then read -r _ || true; else sleep infinity & wait $!; fi
fi

step "Everything is removed"
shuntd_stop || { say "shuntd ended with exit status $?" && broken=$((broken + 1)); }
[ $broken -eq 0 ] || { failures=1 && echo "demo: $broken promise(s) broken" && exit 1; }
say "and every promise was kept"
