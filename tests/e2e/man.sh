#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The manual pages: they can be read without a warning, and name every command, option, key of the
# configuration and number of the protocol that there is.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
for program in scdoc man groff; do
  command -v $program >/dev/null || skip_all "$program is not here (sudo make deps)"
done
[ -s "$O/man/shunt.8" ] || skip_all "they are not built: make all"
for page in shunt.8 shuntd.8 shunt.yaml.5 shunt-netlink.7; do
  is "$page renders without a warning" \
    "$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$O/man/$page" 2>&1 >/dev/null)" ""
  LC_ALL=C.UTF-8 MANWIDTH=300 man -E UTF-8 -P cat -l "$O/man/$page" 2>/dev/null | sed 's/.\x08//g; s/‐/-/g' >"$W/$page"
  holds "and is not empty" "$(wc -l <"$W/$page") > 40"
  is "and nothing is left out of it: $page" "$(grep -c '@[A-Z]*@' "$W/$page")" 0
done

"$O/shunt" help --json >"$W/table"
for command in $(jq -r '.commands[].name' "$W/table"); do
  check "shunt(8) has $command" grep -qE "^ +shunt $command( |$)" "$W/shunt.8"
  for option in $(jq -r --arg c "$command" '.commands[] | select(.name == $c).options[].name' "$W/table"); do
    check "and its --$option" grep -qE -- "^ +(-[a-z], )?--$option( |$)" "$W/shunt.8"
  done
done
for option in $(jq -r '.options[].name' "$W/table"); do
  check "shunt(8) has --$option" grep -qE -- "^ +(-[a-zA-Z], )?--$option( |$)" "$W/shunt.8"
done
for status in $(jq -r '.statuses[].status' "$W/table"); do
  check "shunt(8) says what exit status $status means" grep -qE "^ +$status$" "$W/shunt.8"
done
for option in $("$O/shuntd" --help | grep -oE -- '^ +(-[a-z], |   )--[a-z-]+' | grep -oE -- '--[a-z-]+'); do
  check "shuntd(8) has $option" grep -qE -- "$option( |$)" "$W/shuntd.8"
done
# Every key of a mapping that the reader has a table for.
cat user/pure/conf_*.[ch] | tr '\n' ' ' >"$W/readers"
keys=$(grep -oE '[]=] ?=? ?\{(\.name = )?"[a-z_0-9]+"|define CONF_ROW[A-Z0-9_]+\([^)]*\)[^"]*"[a-z_0-9]+"' "$W/readers" |
  grep -oE '"[a-z_0-9]+"' | tr -d '"' | sort -u)
holds "the keys of the schema are found" "$(wc -w <<<"$keys") > 90"
for key in $keys; do check "shunt.yaml(5) has $key" grep -qE "\b$key\b" "$W/shunt.yaml.5"; done
numbers=$(tr '\n\t' '  ' <include/shunt_msg.h | grep -oE 'SHUNT_[A-Z_0-9]+ = +[0-9]+' | sed -E 's/ = +/=/')
holds "the numbers of the protocol are found" "$(wc -w <<<"$numbers") > 150"
for number in $numbers; do
  check "shunt-netlink(7) has ${number%=*}" grep -qE "^ +${number%=*} = ${number#*=}$" "$W/shunt-netlink.7"
done
finish
