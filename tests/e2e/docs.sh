#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# docs/getting-started.md as a new user follows it: its commands and its configuration, as they stand there.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
page=docs/getting-started.md
INSTANCE=default

# blocks KIND: all of that kind, one after the other; files are this story's.
blocks() { awk -v kind="$1" '/^```/ { on = ($2 == kind); next } on' $page | sed "s,/etc/shunt/,$W/etc/,g"; }
# follow NS KIND: runs them there.
follow() {
  blocks "$2" >"$W/block"
  [ -s "$W/block" ] && PATH=$O:$PATH on "$1" bash -e "$W/block"
}

stage 0
companion
for n in 1 2; do
  namespace "b$n"
  plug "b$n" eth0 "b$n" 1600
  address "b$n" eth0 "$(addr4 "$n")/24"
  on "b$n" ip route add default via 10.0.0.1
  on "b$n" ethtool -K eth0 tx off >/dev/null
  check "server $n does what the page says" follow "b$n" backend
  web "$n"
done
mkdir -p "$W/etc" "$W/bin"
awk '/^```yaml/ { on = 1; next } /^```/ { on = 0 } on' $page >"$W/etc/shunt.yaml"
holds "there is a configuration" "$(wc -l <"$W/etc/shunt.yaml") >= 7"
check "it is good" follow lb balancer
printf 'run_dir: %s\nstate_dir: %s\n' "$W/run" "$W/state" >>"$W/etc/shunt.yaml"
printf '#!/bin/sh\nexec %s --run-dir %s "$@"\n' "$O/shunt" "$W/run" >"$W/bin/shunt"
chmod +x "$W/bin/shunt"
shuntd_now() {
  mkdir -p "$W/run" "$W/state"
  start shuntd lb "$O/shuntd" -c "$W/etc/shunt.yaml"
  wait_for 10 all_up 2
}
check "it runs, with both servers" shuntd_now
is "requests are balanced" "$(spread 40 http://$VIP4/ | wc -l)" 2
run() { PATH=$W/bin:$PATH on lb bash -e "$W/block"; }
blocks running >"$W/block"
holds "there are commands" "$(wc -l <"$W/block") >= 8"
check "all that the page says of one that runs" run
stop web1 KILL
check "a failure is seen" wait_for 20 is_state web web1 down
blocks failed >"$W/block"
check "and shown by what the page says" run
check "with its reason" eval 'run | grep -q L4CON'
shuntd_stop
on lb "$O/shuntd" --remove -c "$W/etc/shunt.yaml" >/dev/null 2>&1
finish
