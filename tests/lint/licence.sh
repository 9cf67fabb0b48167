#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The first line of a source file (the second of a script) names its licence, by folder.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
files '*.c' '*.h' '*.sh' '*.py' '*.service' Makefile .ci/run | while read -r f; do
  case $f in
  bpf/* | *.bpf.c) want='GPL-2.0-only' ;; # the tests' own programs contain the packet path
  include/*) want='GPL-2.0-only OR BSD-2-Clause' ;;
  *) want='BSD-2-Clause' ;;
  esac
  case $f in
  *.[ch]) want="/* SPDX-License-Identifier: $want */" ;;
  *) want="# SPDX-License-Identifier: $want" ;;
  esac
  got=$(head -n 1 "$f")
  case $got in '#!'* | '# shellcheck '*) got=$(sed -n 2p "$f") ;; esac
  [ "$got" = "$want" ] || [ "/* ${got#// } */" = "$want" ] || echo "$f:1: wants \"$want\""
done | offences
