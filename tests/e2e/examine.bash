# SPDX-License-Identifier: BSD-2-Clause
# What stories of the doctor share: to examine, to look for a finding, to run what is printed for it.
# shellcheck shell=bash
mkdir "$W/bin"
for name in shunt shuntd; do # as they are called in what is printed
  { echo '#!/bin/sh' && echo "exec $O/$name $([ $name = shuntd ] || echo "-i $INSTANCE --run-dir $W/run") \"\$@\""; } >"$W/bin/$name"
  chmod +x "$W/bin/$name"
done

# examine [OPTION...]: what the doctor finds, in found.json; his exit status in $status.
examine() {
  shunt doctor --json "$@" >"$W/found.json" 2>"$W/found.err"
  status=$?
  [ $status -ne 1 ] && [ $status -ne 2 ]
}
# of CHECK TEXT JQ: of its findings with that text.
of() {
  jq -r --arg c "$1" --arg t "$2" \
    "[.findings[] | select(.check == \$c and (.what | test(\$t)))] | $3" "$W/found.json"
}
# finds CHECK SEVERITY TEXT [OPTION...]: he finds it, so severe, with this text.
finds() {
  examine "${@:4}"
  [ "$(of "$1" "$3" '.[0].severity')" = "$2" ] && return
  note "found: $(jq -c '.findings[] | [.severity, .check, .what]' "$W/found.json" | head -n 20 | tr '\n' ' ')$(cat "$W/found.err")"
  return 1
}
# gone CHECK TEXT [OPTION...]
gone() { examine "${@:3}" && [ "$(of "$1" "$2" length)" -eq 0 ]; }
# mend CHECK TEXT [NS]: runs what was printed for it.
mend() {
  local remedy
  remedy=$(of "$1" "$2" '.[0].remedy // ""')
  note "\$ $remedy"
  [ -n "$remedy" ] && on "${3:-lb}" env PATH="$W/bin:$PATH" bash -c "$remedy"
}
# mends CHECK SEVERITY TEXT NS [OPTION...]: all of it.
mends() {
  check "$1 is found: $3" finds "$1" "$2" "$3" "${@:5}"
  check "what is printed for it can be run" mend "$1" "$3" "$4"
  check "and mends it" wait_for 8 gone "$1" "$3" "${@:5}"
}
