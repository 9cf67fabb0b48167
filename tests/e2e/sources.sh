#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Who may reach a service and how often: real clients from allowed and refused places, lists that change
# while requests run, lists that are wrong, rates that a client runs into, and a daemon that is killed.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 2
companion && decap 1 2
namespace stranger
plug stranger eth0 stranger 1500
address stranger eth0 10.0.0.3/24 fd00::3/64 fd00:0:0:1::3/64
on stranger ethtool -K eth0 tx off >/dev/null
on stranger ip route add $VIP4/32 via 10.0.0.2
on stranger ip route add $VIP6/128 via fd00::2
for n in 1 2; do
  on b$n ip route add fd00:0:0:1::/64 dev eth0
  web $n 80 81 82 83 && udp $n 53
done
backends4 1 2 >"$W/web.backends"
echo 10.0.0.3 >"$W/denied"
services() {
  service web tcp $VIP4 80 "forward: ipip" "$FAST" "backends_file: web.backends" "deny_file: denied"
  service web6 tcp $VIP6 80 "forward: ipip" "$FAST" "backends_file: web.backends" \
    'allow: ["fd00::/64"]' 'deny: ["fd00::3"]'
  service only tcp $VIP4 81 "forward: dsr" "$FAST" "backends_file: web.backends" "allow: [10.0.0.1]"
  service names udp $VIP4 53 "forward: dsr" "check: none" "backends_file: web.backends" "deny: [10.0.0.3]"
  service slow tcp $VIP4 82 "forward: ipip" "check: none" "backends_file: web.backends" \
    "rate: { per_source: 1, source_burst: 5 }"
  service few tcp $VIP4 83 "forward: dsr" "check: none" "backends_file: web.backends" \
    "rate: { new_flows: 1, burst: 7 }"
}
config <<END
services:
$(services)
END
running 12

# reaches NS URL [CURL'S OPTION...]: a request is answered; the first SYN finds its way, or it was refused, however
# long the server takes.
reaches() {
  local ns=$1
  shift
  on "$ns" curl -sf --connect-timeout 0.9 --max-time 9 -o /dev/null "$@"
}
refused() { ! reaches "$@"; }
# counted VERDICT: packets.
counted() { shunt stats --json | jq ".verdicts[] | select(.name == \"$1\") | .packets"; }
said() { grep -q "$1" "$W/shuntd.log"; }

# ---- lists ---------------------------------------------------------------------------------------

check "who is not denied reaches the service" reaches client http://$VIP4/
check "who is denied does not" refused stranger http://$VIP4/
check "IPv6: who is allowed reaches the service" reaches client "http://[$VIP6]/"
check "who is denied within what is allowed does not" refused stranger --interface fd00::3 "http://[$VIP6]/"
check "nor who is in no list" refused stranger --interface fd00:0:0:1::3 "http://[$VIP6]/"
check "layer 2: who is allowed reaches the service" reaches client http://$VIP4:81/
check "who is not does not" refused stranger http://$VIP4:81/
is "datagrams are answered" "$(ask_udp $VIP4 53 5 | awk '/lost/ {print "lost"}')" ""
is "but not to who is denied" "$(on stranger "$python" "$E2E/udp.py" ask $VIP4 53 3 | awk '/lost/ {print $1}')" 3
sleep 1.1
holds "what was refused is counted: denied, not allowed" \
  "$(counted drop_denied) >= 5 && $(counted drop_not_allowed) >= 2"

# ---- lists that change -----------------------------------------------------------------------------

load web "http://$VIP4/" 200
echo 10.0.0.128/25 >"$W/denied"
check "a denied line that goes lets its source in" wait_for 5 reaches stranger http://$VIP4/
echo 10.0.0.3 >>"$W/denied"
check "a denied line that comes shuts it out" wait_for 5 refused stranger http://$VIP4/
printf '%s\n' 10.0.0.9 10.0.0.3/24 >"$W/new"
mv "$W/new" "$W/denied"
check "a bad line is refused, with file and line" wait_for 5 said 'denied:2:1: prefix "10.0.0.3/24" has bits'
check "and changes nothing" refused stranger http://$VIP4/
refuses "a reload by hand says so too" 1 'denied:2:1:' shunt reload
rm "$W/denied"
refuses "so is a file that is gone" 1 'cannot read .*denied' shunt reload
check "and that changes nothing either" refused stranger http://$VIP4/

# big N: 100,000 prefixes, which differ with N, and the stranger; never the client.
big() {
  {
    echo 10.0.0.3
    awk -v n="$1" 'BEGIN { for (i = 0; i < 99999; i++)
      printf "%d.%d.%d.%d/%d\n", 20 + i / 1024, i / 4 % 256, i % 4 * 64, (i + n) % 16 * 16, 28 + (i + n) % 2 * 4 }'
  } >"$W/new"
  mv "$W/new" "$W/denied"
}
from=$(now_ms)
big 1
check "a hundred thousand lines take effect" wait_for 5 shunt reload
note "$(wc -l <"$W/denied") lines, $(($(now_ms) - from)) ms with writing them"
check "who is one of them does not reach the service" refused stranger http://$VIP4/
check "who is not does" reaches client http://$VIP4/
from=$(now_ms)
shunt reload >/dev/null
note "a reload that changes nothing of them: $(($(now_ms) - from)) ms"

# ---- rates -----------------------------------------------------------------------------------------

# passing NS URL: how many of twenty requests, one after the other, are let in at once.
passing() {
  local n=0
  for _ in $(seq 20); do
    if on "$1" curl -sf --connect-timeout 0.3 --max-time 9 -o /dev/null "$2"; then n=$((n + 1)); fi
  done
  echo $n
}
# since MS: how many seconds are over and have begun.
since() { echo $((($(now_ms) - $1) / 1000 + 1)); }
from=$(now_ms)
n=$(passing client http://$VIP4:82/)
holds "a source gets its burst, and then one a second ($n of 20)" "$n >= 5 && $n <= 5 + $(since "$from")"
check "another source gets its own" reaches stranger http://$VIP4:82/
from=$(now_ms)
n=$(passing client http://$VIP4:83/)
holds "a service gets its burst, and then one a second ($n of 20)" "$n >= 7 && $n <= 7 + $(since "$from")"
from=$(now_ms)
n=$(passing stranger http://$VIP4:83/)
holds "which leaves no more than that to others ($n of 20)" "$n <= 1 + $(since "$from")"
sleep 1.1
holds "both are counted" "$(counted drop_rate_source) >= 5 && $(counted drop_rate_service) >= 5"
is "by service too" \
  "$(shunt stats --json | jq -c '[.services[] | {(.name): .over_rate}] | add | [.slow, .few, .web]')" \
  "[$(counted drop_rate_source),$(counted drop_rate_service),0]"
check "who waits for longer than that is let in" wait_for 5 reaches client --connect-timeout 3 http://$VIP4:82/
config <<END
services:
$(services | sed 's/per_source: 1, source_burst: 5/per_source: 1000/; s/new_flows: 1, burst: 7/new_flows: 1000/')
END
check "rates that are raised hold at once" shunt reload
is "for all" "$(passing client http://$VIP4:82/) $(passing client http://$VIP4:83/)" "20 20"

# ---- without the daemon ----------------------------------------------------------------------------

shuntd_stop KILL
check "who is denied stays so while the daemon is dead" refused stranger http://$VIP4/
check "and who is not is served" reaches client http://$VIP4/
check "it starts again" shuntd_start || finish
check "and who is denied still is" refused stranger http://$VIP4/
bad=0
for round in 1 2 3 4 5 6; do
  big "$round"
  sleep "0.0$((RANDOM % 90 + 10))"
  shuntd_stop KILL
  reaches client http://$VIP4/ || bad=$((bad + 1))
  refused stranger http://$VIP4/ || bad=$((bad + 1))
  shuntd_start || finish
  reaches client http://$VIP4/ || bad=$((bad + 1))
  refused stranger http://$VIP4/ || bad=$((bad + 1))
done
is "killed in the middle of a change, the lists are old or new, never neither" $bad 0
echo 10.0.0.99 >"$W/denied"
check "and then it is as the file says" wait_for 5 reaches stranger http://$VIP4/
stop_load web
failures_of web
holds "the load ran" "$(loaded web total) > 300"
is "no request of who may failed in all of this" "$(loaded web failed)" 0
finish
