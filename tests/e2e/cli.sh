#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The commands: exit status 0, 1, 2 for done, failed, misused; words when there is no daemon, no right, or
# no sense.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 1
companion
web 1
backends4 1 >"$W/web.backends"
config <<END
services:
$(service web tcp $VIP4 80 "forward: dsr" "$FAST" "backends_file: web.backends")
END
check "help" shunt help
check "version" shunt version
refuses "no command is misuse" 2 'help' shunt
refuses "so is an unknown one" 2 'frobnicate' shunt frobnicate
refuses "so is an unknown option" 2 'nonsense' shunt status --nonsense
refuses "so is a missing argument" 2 'drain' shunt drain web
refuses "so is a weight that is none" 2 'heavy' shunt weight web b1 heavy
check "check finds a good file good" shunt check "$W/shunt.yaml"
check "so does shuntd --check" on lb "$O/shuntd" -c "$W/shunt.yaml" --check
sed 's/forward: dsr/forward: dsrr/' "$W/shunt.yaml" >"$W/bad.yaml"
refuses "check finds a bad file bad" 1 'bad.yaml:[0-9]+:[0-9]+:.*dsrr' shunt check "$W/bad.yaml"
refuses "so does shuntd --check" 1 'bad.yaml:[0-9]+:[0-9]+:.*dsrr' on lb "$O/shuntd" -c "$W/bad.yaml" --check
refuses "and it does not start" 1 'bad.yaml' on lb timeout 30 "$O/shuntd" -c "$W/bad.yaml"
refuses "a missing file is named" 1 'missing.yaml' shunt check "$W/missing.yaml"
refuses "shuntd without a file is misuse" 2 '.' on lb "$O/shuntd" --nonsense
for command in status services backends stats reload "drain web b1"; do
  # shellcheck disable=SC2086 # words
  refuses "shunt $command without a daemon fails and says so" 1 'shuntd' shunt $command
done

running 1
for command in status services backends "backends web" stats; do
  # shellcheck disable=SC2086
  check "shunt $command" shunt $command
  # shellcheck disable=SC2086
  is "takes no more than 80 columns: $command" \
    "$(shunt $command | awk 'length > 80 {n++} END {print n + 0}')" 0
done
get "http://$VIP4/" >/dev/null
check "stats --json is JSON" jq -e . <(shunt stats --json)
refuses "a service that is not there" 1 'nosuch' shunt drain nosuch b1
refuses "a backend that is not there" 1 'nosuch' shunt drain web nosuch
refuses "a weight out of range" 2 '100000' shunt weight web b1 100000
refuses "a second daemon of the same instance" 1 "$INSTANCE|already|running" \
  on lb timeout 30 "$O/shuntd" -c "$W/shunt.yaml"
check "which leaves the first alone" shunt status

# head_of WORDS COMMAND...: its reader has enough of it after a line.
head_of() {
  timeout 20 "$O/shunt" -i "$INSTANCE" --run-dir "$W/run" "${@:2}" 2>"$W/complaint" | head -n 1 >"$W/first"
  is "$1" "$([ "${PIPESTATUS[0]}" -ne 124 ]; echo $?) $(wc -l <"$W/first") $(cat "$W/complaint")" "0 1 "
}
export W O INSTANCE
for command in "stats --watch 0.1" "help" "stats --json"; do
  # shellcheck disable=SC2086 # words
  on lb bash -c "$(declare -f head_of is result note); cases=0 failures=0; head_of 'x' $command" >"$W/head"
  check "shunt $command | head -1 ends, and nobody complains" grep -q '^ok' "$W/head"
done

chmod 755 "$W"
cp "$O/shunt" "$O/shuntd" "$W" # the tree may stand in a home that others cannot enter
nobody() { on lb setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"; }
refuses "an unprivileged drain" 1 '^shunt: .*(ermission|root|allowed)' \
  nobody "$W/shunt" -i "$INSTANCE" --run-dir "$W/run" drain web b1
refuses "unprivileged stats" 1 '^shunt: .*(ermission|root|allowed)' \
  nobody "$W/shunt" -i "$INSTANCE" --run-dir "$W/run" stats
for command in reload "plan $W/shunt.yaml" "trace --count 1" "upgrade --rollback" "disable web b1" events; do
  # shellcheck disable=SC2086 # words
  refuses "an unprivileged ${command%% *}" 1 '^shunt: .*(ermission|root|allowed)' \
    nobody "$W/shunt" -i "$INSTANCE" --run-dir "$W/run" $command
done
sed "s/^instance:.*/instance: other-$$/; s,/run$,/run2,; s,/state$,/state2," "$W/shunt.yaml" >"$W/other.yaml"
mkdir -m 777 "$W/run2" "$W/state2"
refuses "an unprivileged daemon names the capability it lacks, in a line" 1 'CAP_' \
  nobody timeout 30 "$W/shuntd" -c "$W/other.yaml"
is "one capability short it names that one, in a line" \
  "$(on lb setpriv --bounding-set=-perfmon,-sys_admin -- timeout 30 "$O/shuntd" -c "$W/other.yaml" 2>&1)" \
  "shuntd: error: may not load and attach XDP programs: Operation not permitted; missing: CAP_PERFMON"
sed "s/^instance:.*/instance: third-$$/" "$W/shunt.yaml" >"$W/third.yaml"
refuses "a daemon on an interface that is taken says how to free it" 1 \
  'third.yaml:[0-9]+:[0-9]+: interface eth0: .*--remove.*bpftool link detach id [0-9]+, or end the process that holds it' \
  on lb timeout 30 "$O/shuntd" -c "$W/third.yaml"
check "and leaves nothing" on lb "$O/shuntd" --remove -c "$W/third.yaml"
finish
