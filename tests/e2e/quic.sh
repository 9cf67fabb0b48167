#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# QUIC: the backend whose id is in the connection id gets the packet, from whatever port it comes, while
# keys are rotated, the daemon is killed and backends come and go.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
OLD=8f95f09245765f80256934e50c66207f
NEW=fdf726a9893ec05c0632d3956680baf0
stage 3
companion && decap 1 2 3
for n in 1 2 3; do udp $n 443; done
# ids [MORE]: writes the backends, with ids of three octets, and with MORE of eight besides.
ids() {
  local family n
  for family in 4 6; do
    for n in 1 2 3; do
      echo "$("addr$family" $n) name=b$n server_id=c4605$n${1:+,ed793a51d49b8f0$n}"
    done >"$W/v$family.backends"
  done
}
ids
# configured CONFIGURATIONS
configured() {
  config <<END
services:
$(service tunnel4 udp $VIP4 443 "forward: ipip" "check: none" "flow_timeout: 8s" \
    "backends_file: v4.backends" "quic_lb: $1")
$(service direct6 udp $VIP6 443 "forward: dsr" "scheduler: rr" "check: none" "flow_timeout: 8s" \
    "backends_file: v6.backends" "quic_lb: $1")
END
}
ask() { on client "$python" "$E2E/quic.py" "$@"; }
# reaches CONFIG KEY NONCE-LENGTH ID NAME: all datagrams do, at both addresses.
reaches() {
  local vip
  for vip in $VIP4 $VIP6; do
    [ "$(ask "$vip" 443 "$1" "$2" "$3" "$4" 20)" = "20 $5" ] || {
      ask "$vip" 443 "$1" "$2" "$3" "$4" 20
      return 1
    }
  done
}
old="{ id: 0, server_id_length: 3, nonce_length: 4, key: $OLD }"
new="{ id: 5, server_id_length: 8, nonce_length: 8, key: $NEW }"
plain="{ id: 6, server_id_length: 3, nonce_length: 6 }"
configured "[$old, $plain]"
running 6
is "nothing is said of backends that all have an id" "$(grep -c 'no server_id' "$W/shuntd.log")" 0
for n in 1 2 3; do
  check "an encrypted id reaches backend $n" reaches 0 $OLD 4 c4605$n b$n
  check "a plain id reaches backend $n" reaches 6 - 6 c4605$n b$n
done
is "ids that nobody has are shared out and lose nothing" \
  "$(ask $VIP4 443 0 $OLD 4 000000 120 | awk '$2 != "lost" && $1 > 5' | wc -l)" 3
is "so are ids under a key that is not known yet" \
  "$(ask $VIP4 443 5 $NEW 8 ed793a51d49b8f01 120 | awk '$2 != "lost" && $1 > 5' | wc -l)" 3

configured "[$old, $new]"
check "a second key is added" shunt reload
ids more
check "and the ids under it" wait_for 5 reaches 5 $NEW 8 ed793a51d49b8f02 b2
check "ids under the first key still hold" reaches 0 $OLD 4 c46052 b2
check "ids under the second key hold" reaches 5 $NEW 8 ed793a51d49b8f03 b3
is "what was plain is nobody's now" "$(ask $VIP4 443 6 - 6 c46051 60 | wc -l)" 3

shuntd_stop KILL
check "ids hold while the daemon is dead" reaches 5 $NEW 8 ed793a51d49b8f01 b1
shuntd_start
check "ids hold after it has started again" reaches 0 $OLD 4 c46053 b3

sed -i 2d "$W/v4.backends" "$W/v6.backends"
check "a backend leaves" wait_for 5 all_up 4
check "its ids still reach it" reaches 0 $OLD 4 c46052 b2
all_gone() { [ "$(shunt backends --json | jq ".backends | length")" -eq 4 ]; }
check "and is gone when none have come for a while" wait_for 15 all_gone
is "its ids go to the others" "$(ask $VIP4 443 0 $OLD 4 c46052 40 | awk '$2 != "lost" && $2 != "b2"' |
  wc -l)" 2
check "the others keep theirs" reaches 0 $OLD 4 c46051 b1
ids more
sed -i 's/c46051/c460ff/' "$W/v4.backends" "$W/v6.backends"
check "it is back" wait_for 5 all_up 6
check "and gets its ids again" reaches 0 $OLD 4 c46052 b2
check "a changed id holds" reaches 0 $OLD 4 c460ff b1

cp "$W/v4.backends" "$W/v4.good"
echo '10.0.0.19 server_id=c46052' >>"$W/v4.backends"
refuses "an id that two have is refused" 1 'has already, at' shunt reload
check "and changes nothing" reaches 0 $OLD 4 c46052 b2
cp "$W/v4.good" "$W/v4.backends"
few="service tunnel4: quic_lb: 2 of 3 backends have no server_id and get only packets whose connection id"
lines=$(wc -l <"$W/shuntd.log")
# told_each_time: the log says so as often as the configuration was loaded since.
told_each_time() {
  tail -n "+$((lines + 1))" "$W/shuntd.log" |
    awk -v few="$few" 'index($0, few) { told++ } /: loaded, services/ { loaded++ }
      END { exit !(told > 0 && told == loaded) }'
}
sed -i '2,3s/ server_id=[^ ]*//' "$W/v4.backends"
check "the log says how many backends have no id" wait_for 5 told_each_time
ask $VIP4 443 0 $OLD 4 c46051 40 >/dev/null
check "once a reload, and not a packet" told_each_time
on lb "$O/shuntd" -c "$W/shunt.yaml" --check >"$W/checked" 2>&1
is "so does --check, next to its ok" "$(grep -c -e "$few" -e ': ok, services: 2' "$W/checked")" 2
cp "$W/v4.good" "$W/v4.backends"
sed -i 's/,.*//' "$W/v4.backends" "$W/v6.backends"
configured katran
check "Katran's format takes the place of both" shunt reload
# Config rotation bits 100 are Katran's version 2, in which three octets follow.
check "its ids reach their backends" reaches 4 - 6 c46052 b2
check "also a changed one" reaches 4 - 6 c460ff b1
is "those in Initial packets, which clients make up, are shared out" \
  "$(ask $VIP4 443 4 - 6 c46052 60 c3 | awk '$2 != "lost"' | wc -l)" 3
finish
