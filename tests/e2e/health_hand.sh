#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A backend in maintenance gets nothing, whatever its check says, and who did it and why is known, also
# after a restart.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 2
companion && decap 1 2
for n in 1 2; do web $n; done
config <<END
services:
$(service web tcp $VIP4 80 "forward: ipip" "$FAST" "backends: [$(addr4 1) name=b1, $(addr4 2) name=b2]")
END
running 2
who() { shunt backends web --json | jq -r ".backends[] | select(.name == \"$1\") | .edited_by + \": \" + .edit_reason"; }

check "a backend is disabled" env SUDO_USER=alice \
  nsenter --net="/run/netns/$P-lb" "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" \
  disable --reason "disk swap, ticket 4711" web b1
check "it is in maintenance" is_state web b1 maintenance
is "who did it is shown, and why" "$(who b1)" "alice (uid 0): disk swap, ticket 4711"
check "in the table, too" grep -q 'maintenance .*disk swap, ticket 4711; by alice (uid 0)' <(shunt backends)
is "the other one gets everything" "$(spread 40 "http://$VIP4/")" "40 b2"
is "the history has it" \
  "$(shunt history web b1 --json | jq -r '.history[0] | .from + " " + .to + " " + .by + " " + .reason')" \
  "up maintenance alice (uid 0) disk swap, ticket 4711"

shuntd_stop && check "the daemon starts again" shuntd_start
check "it is in maintenance still" is_state web b1 maintenance
is "and known by whom and why" "$(who b1)" "alice (uid 0): disk swap, ticket 4711"
is "nothing reaches it" "$(spread 40 "http://$VIP4/")" "40 b2"
shunt disable web b2 >/dev/null
is "while nobody is up either, though on_empty is all" "$(get "http://$VIP4/"; echo $?)" 28
shunt enable --reason "new disk" web b1 >/dev/null
check "it is enabled again" wait_for 5 is_state web b1 up
is "and gets what there is" "$(spread 40 "http://$VIP4/")" "40 b1"
is "the history has that, too" "$(shunt history web b1 --json | jq -r '.history[0].reason' | head -1)" "new disk"
refuses "a reason of two lines" 2 'one line' shunt disable --reason $'a\nb' web b1
refuses "a reason where there is nothing to give it for" 2 'has no option --reason' shunt status --reason x
finish
