#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A thousand events at once to four webhooks: one hangs, one is slow, one fails. The fourth has them all soon,
# what the others do not take is counted, and checks go on meanwhile.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 2
companion && decap 1 2
chmod 755 "$W"
web 1 80
web 2 80
on b1 ip route add local 10.1.0.0/22 dev lo
on lb ip route add 10.1.0.0/22 via "$(addr4 1)"
for n in $(seq 1000); do echo "10.1.$(((n - 1) / 250)).$((n % 250 + 1)) name=n$n"; done >"$W/rack"
for at in 9001:good 9002:slow 9003:fails 9004:hangs; do
  start "hook${at#*:}" lb "$python" "$E2E/hooks.py" "$W" "${at%:*}" "${at#*:}"
  wait_for 10 on lb bash -c "exec 3<>/dev/tcp/127.0.0.1/${at%:*}"
done
config <<END
notify:
  webhook: ["http://127.0.0.1:9001/", "http://user:secret@127.0.0.1:9002/", "http://127.0.0.1:9003/", "http://127.0.0.1:9004/x"]
  timeout: 1s
  rate: 6000
services:
$(service rack tcp $VIP4 80 "forward: ipip" "backends_file: rack" \
  "check: { type: tcp, via: direct, interval: 2s, timeout: 1s, rise: 1, fall: 1 }")
$(service web tcp $VIP4 81 "forward: ipip" "backends: [\"$(addr4 2) name=b2\"]" \
  "check: { type: tcp, port: 80, via: direct, interval: 200ms, timeout: 190ms, rise: 1, fall: 1 }")
END
check "shuntd starts" shuntd_start || finish
check "1001 backends are up" wait_for 20 all_up 1001 || finish
poster() { pgrep -P "${pids[shuntd]}" -f -- --post; }
check "there is one process that posts" [ "$(poster | wc -l)" = 1 ]
is "as a user without privileges" \
  "$(awk '/^Uid|^CapEff|^NoNewPrivs/ {print $2}' "/proc/$(poster)/status" | xargs)" \
  "$(id -u nobody) 0000000000000000 1"

heard() { jq -r "select(.kind == \"health\" and .to == \"$2\") | .backend" "$W/$1" 2>/dev/null | sort -u | wc -l; }
all_heard() { [ "$(heard "$1" "$2")" -ge "$3" ]; }
all_down() { [ "$(count_state down rack)" = 1000 ]; }
another() { [ "$(poster)" ] && [ "$(poster)" != "$former" ]; }
said() { grep -q -- "$1" "$W/shuntd.log"; }
stop web1 KILL
check "a thousand backends go down" wait_for 20 all_down
stop web2 KILL
check "meanwhile another one is seen to go" wait_for 10 is_state web b2 down
web 2 80
check "and to come" wait_for 10 is_state web b2 up
check "who answers has all of them soon" wait_for 30 all_heard 9001 down 1001
check "who is slow is told one by one" wait_for 20 all_heard 9002 down 100
check "who fails is tried three times, which is said" wait_for 20 said 'webhook 127.0.0.1:9003: HTTP status 500, tried 3 times'
holds "and not more often" "$(sort "$W/9003" | uniq -c | awk '$1 > most { most = $1 } END { print most }') <= 3"
holds "who hangs has eight at a time" "$(cat "$W/9004.most") >= 8"
holds "and not more" "$(on lb ss -Htn state established dport = :9004 | wc -l) <= 8"
is "nothing of secrets is said" "$(grep -c secret "$W/shuntd.log")" 0

former=$(poster)
kill -KILL "$former"
web 1 80
check "one that is killed is followed by another" wait_for 15 another
check "which has who is back" wait_for 20 all_heard 9001 up 900
finish
