#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Functions of at most 60 lines, with the signature and the braces, and files of at most 500.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
need ctags
if ! ctags --version | grep -q Universal; then
  echo "wants universal-ctags, here is: $(ctags --version | head -n 1)"
  exit 77
fi
{
  files '*.c' '*.h' | ctags -x --languages=C --langmap=C:.c.h --kinds-C=f \
    --_xformat='%{input} %{line} %{end} %{name}' -L - |
    awk '$3 - $2 + 1 > 60 { print $1 ":" $2 ": function " $4 " has " $3 - $2 + 1 " lines" }'
  files '*.c' '*.h' '*.sh' | while read -r f; do
    n=$(wc -l <"$f")
    [ "$n" -le 500 ] || echo "$f: file has $n lines"
  done
} | offences
