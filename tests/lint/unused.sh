#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What is not static is used by another file of the program. Where only its own file uses it a test has to
# as well; what nobody but tests uses is declared with the comment "for tests", in the line that ends it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
O=${O:-build}
need nm
objects=()
while read -r source; do
  objects+=("$O/${source%.c}.o")
  [ ! -f "$O/${source%.c}.o" ] && echo "$O/${source%.c}.o is not built" && exit 77
done < <(files 'user/*.c')

# Symbols that no object misses: FILE NAME, of what functions and variables a file has for others.
unreferenced() {
  nm -A "${objects[@]}" | sed 's/^\([^:]*\):[0-9a-f ]* \([A-Za-z]\) /\1 \2 /' |
    awk '$2 == "U" { used[$3] = 1 } $2 ~ /[TDRB]/ && $3 !~ /^(main$|__)/ { from[$3] = $1 }
      END { for (name in from) if (!(name in used)) print from[name], name }' | sort
}

declared_for_tests() {
  # shellcheck disable=SC2046 # names without blanks
  perl -0777 -ne 'BEGIN { $n = shift } $found = 1 if /\b\Q$n\E\([^;]*;[^\n]*for tests/;
    END { exit !$found }' "$1" $(files 'user/*.h')
}

tests=$(mktemp) || exit 1
trap 'rm -f "$tests"' EXIT
# shellcheck disable=SC2046
cat /dev/null $(files 'tests/*.[ch]') >"$tests"

unreferenced | while read -r object name; do
  source=${object#"$O/"}
  source=${source%.o}.c
  line=$(grep -nE "^[^/[:space:]].*\b$name\b" "$source" | head -n 1)
  [ -n "$line" ] || continue # of an assembler's .incbin
  if [ "$(grep -cw "$name" "$source")" -gt 1 ]; then
    grep -qw "$name" "$tests" || echo "$source:${line%%:*}: $name is only used here: static"
  else
    declared_for_tests "$name" || echo "$source:${line%%:*}: nobody uses $name"
  fi
done | offences
