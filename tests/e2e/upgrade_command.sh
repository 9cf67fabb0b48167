#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt upgrade has what is installed take the daemon's place, in the same process; what cannot start changes
# nothing. shunt upgrade --rollback goes back, also after a kill. No request fails.
# shellcheck source-path=SCRIPTDIR
# shellcheck disable=SC2016 # the scripts that it installs have variables of their own
. "$(dirname "$0")/lib.sh"
stage 2
companion && decap 1 2
for n in 1 2; do web $n; done
backends4 1 2 >"$W/web.backends"
with_window() {
  config <<END
rollback_window: $1
services:
$(service web tcp $VIP4 80 "forward: ipip" "$FAST" "backends_file: web.backends")
END
}
# The daemon runs from a folder where packages would put it.
built=$O
mkdir "$W/bin"
ln -s "$(realpath "$O/shunt")" "$(realpath "$O/shunt-decap")" "$W/bin/"
O=$W/bin
install_file() { cp "$1" "$W/bin/shuntd.new" && chmod 755 "$W/bin/shuntd.new" && mv "$W/bin/shuntd.new" "$W/bin/shuntd"; }
# install_script WORDS...: what is installed is this, a line each.
install_script() {
  printf '%s\n' '#!/bin/bash' "$@" >"$W/script"
  install_file "$W/script"
}
upgrade_is() { [ "$(shunt upgrade --status --json | jq -r ".upgrade.$1")" = "$2" ]; }
runs() { on lb ip -json -details link show dev eth0 | jq '.[0].xdp.prog.id'; }

with_window 1h
install_file "$built/shuntd"
running 2
pid=${pids[shuntd]}
first=$(runs)
refuses "there is nothing to go back to at first" 1 'no former packet path to put back' shunt upgrade --rollback
load all "http://$VIP4/" 200

# ---- what cannot start -------------------------------------------------------
install_script 'echo this is no daemon; exit 3'
refuses "what does not say its version is refused" 1 \
  'shuntd --version ends with exit status 3: this is no daemon; the running daemon goes on, and nothing has changed' \
  shunt upgrade
install_script '[ "$1" = --version ] && echo shuntd 9 && exit' 'echo no packet path here >&2; exit 1'
refuses "so is what cannot load its packet path" 1 'shuntd --try ends with exit status 1: no packet path here' \
  shunt upgrade
mv "$W/shunt.yaml" "$W/kept" && echo "nonsense: 1" >"$W/shunt.yaml"
install_file "$built/shuntd"
refuses "so is a configuration that it does not take" 1 'key "nonsense" of the configuration is not known' shunt upgrade
mv "$W/kept" "$W/shunt.yaml"
mv "$W/bin/shuntd" "$W/bin/away"
refuses "so is what is not there" 1 'cannot run .*shuntd: No such file' shunt upgrade
is "nothing has changed" "$(runs)" "$first"

# It passes the test and then ends: the daemon that runs was installed before, and its file is gone.
install_script '[ "$1" = --version ] && echo shuntd 9 && exit' '[ "$1" = --try ] && exit' \
  "exec $W/broken \"\$@\""
sed 's|/sys/fs/bpf|/sys/no/bpf|g' "$built/shuntd" >"$W/broken" && chmod 755 "$W/broken"
refuses "what ends after all hands back to the former one" 1 'the last upgrade failed: .*could not start: .*/sys/no/bpf' \
  shunt upgrade
check "which serves" wait_for 5 all_up 2
is "in the same process" "$(shunt status --json | jq .pid)" "$pid"
check "the log, too" grep -q "could not start: .*; version .* goes on" "$W/shuntd.log"
check "and status says so" upgrade_is failed "$(shunt status --json | jq -r .upgrade.failed | grep /sys/no/bpf)"

# So does one that is gone once it has passed the test.
install_script '[ "$1" = --version ] && echo shuntd 9 && exit' '[ "$1" = --try ] && rm "$0"'
shunt upgrade >"$W/gone" 2>&1
check "one that cannot be run leaves the former one" \
  wait_for 5 grep -q "cannot run $W/bin/shuntd: No such file or directory; this version goes on" "$W/shuntd.log"
check "which serves" wait_for 5 all_up 2

# ---- what can ----------------------------------------------------------------
install_file "$built/shuntd"
before=$(runs)
said=$(shunt upgrade 2>&1)
is "the installed one takes over" "$?" 0
is "it says from what to what, what it compared, where it runs and what can be done" \
  "$(grep -cE '^shuntd .* is replaced by .*/bin/shuntd \(shuntd |^shuntd .*, replaced .*, process |compared with the former one by [1-9][0-9]* packets for 1 services|watched for .* more: 0 of |shunt upgrade --rollback puts|^runs on   eth0$' <<<"$said")" 6
is "in the same process" "$(shunt status --json | jq .pid)" "$pid"
holds "with its own packet path" "$(runs) != $before"
check "which is watched" upgrade_is state watched
holds "for the rest of the hour" "$(shunt status --json | jq .upgrade.left_ms) > 3500000"
left=$(shunt status --json | jq .upgrade.left_ms)
shuntd_stop KILL
check "killed within it, a daemon starts anew" shuntd_start || finish
check "and goes on watching" upgrade_is state watched
holds "for what is left" "$(shunt status --json | jq .upgrade.left_ms) < $left"
refuses "the former one is put back by hand" 0 \
  "the former packet path is back in force; the daemon works with it until it is" shunt upgrade --rollback
is "and runs: that of before it all, since programs that are the same have one time" "$(runs)" "$first"
check "status says so" upgrade_is state rolled_back
refuses "there is no second one" 1 'the former program is in force already' shunt upgrade --rollback
check "backends are up" wait_for 5 all_up 2
check "it can be upgraded again" shunt upgrade
is "by a document, too" "$(shunt upgrade --json | jq -r '.upgrade.state, .interfaces[0].name' | xargs)" "watched eth0"

stop_load all
failures_of all
is "no request failed" "$(loaded all failed)" 0
holds "the load ran" "$(loaded all total) > 200"
finish
