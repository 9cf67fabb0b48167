#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every command of the table, with a daemon that runs: its help keeps to its form, and --json prints the
# keys that the help says, no more and no less.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 2
companion
for n in 1 2; do web $n; done
config <<END
services:
$(service web tcp $VIP4 80 "forward: dsr" "$FAST" "flow_timeout: 1s" "backends: [10.0.0.11 name=b1, 10.0.0.12 name=b2]")
$(service turns tcp $VIP6 80 "scheduler: rr" "forward: dsr" "$FAST" "backends: ['fd00::11 name=b1']")
END
{ # something to plan
  echo "icmp_rate: 50"
  sed 's/flow_timeout: 1s/flow_timeout: 2s/; s/name=b1/& weight=2/' "$W/shunt.yaml"
} >"$W/shunt.yaml.next"
running 3
for _ in 1 2 3 4; do get "http://$VIP4/" "http://[$VIP6]/" >/dev/null; done # turns are remembered
on lb "$python" "$E2E/cli_table.py" "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" "$W/shunt.yaml" >"$W/results"
while read -r line; do
  case $line in
  "ok "*) result 0 "${line#ok }" ;;
  *) line=${line#not ok } && note "$line" && result 1 "${line%%:*}" ;;
  esac
done <"$W/results"
holds "every command was looked at" "$(grep -c '^\(not \)\?ok help' "$W/results") >= 17"
finish
