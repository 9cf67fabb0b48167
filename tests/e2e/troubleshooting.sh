#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every command of docs/troubleshooting.md, run as it stands there, for a service that is as it says.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
manual=docs/troubleshooting.md
stage 2
companion && decap 1 2
for n in 1 2; do web $n; done
config <<END
services:
$(service web tcp $VIP4 80 "scheduler: wlc" "forward: ipip" "$FAST" "backends:" \
  "  - { address: 10.0.0.11, name: web1 }" "  - { address: 10.0.0.12, name: web2 }")
END
running 2
mkdir "$W/bin"
{ echo '#!/bin/sh' && echo "exec $O/shunt -i $INSTANCE --run-dir $W/run \"\$@\""; } >"$W/bin/shunt"
chmod +x "$W/bin/shunt"
spread 20 "http://$VIP4/" >/dev/null

# commands: "WHERE COMMAND" a line, for each line of the blocks.
commands() {
  awk '/^```sh/ { where = $2 ? $2 : "balancer"; next } /^```/ { where = "" } where { print where, $0 }' $manual
}
# run WHERE COMMAND...: the daemon's name and file are the story's.
run() {
  local ns=lb line=$2 rc
  [ "$1" = backend ] && ns=b1
  line=${line//\/etc\/shunt\/shunt.yaml/$W/shunt.yaml}
  line=${line//--instance default/--instance $INSTANCE}
  on "$ns" env PATH="$W/bin:$PATH" bash -o pipefail -c "$line"
  rc=$?
  case $line in "shunt doctor"*) [ "$rc" -eq 5 ] || [ "$rc" -eq 6 ] || return "$rc" ;; *) return "$rc" ;; esac
}
n=0
while IFS= read -r line; do
  check "${line#* }" run "${line%% *}" "${line#* }"
  n=$((n + 1))
done < <(commands)
holds "there are commands" "$n >= 25"
is "each symptom has some" "$(awk '/^## / { if (n && !c) print h; h = $0; n++; c = 0 } /^```sh/ { c++ }
  END { if (!c) print h }' $manual)" ""
finish
