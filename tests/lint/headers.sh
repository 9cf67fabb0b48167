#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every header compiles alone, and those of include/ have no hole in any struct.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
CC=${CC:-cc} CLANG=${CLANG:-clang}
warn="-Wall -Wextra -Werror -Wno-unused-function"

# compiles HEADER COMMAND...: prints the first complaint.
compiles() {
  local header=$1 said
  shift
  if ! said=$(echo "#include \"$header\"" | "$@" -Iuser -Iinclude -Ibpf -fsyntax-only -x c - 2>&1); then
    echo "$header: does not compile alone: $(grep -m 1 -E 'error|not found' <<<"$said")"
  fi
}

bpf="-target bpf -isystem /usr/include/$($CC -print-multiarch 2>/dev/null)"
{
  # shellcheck disable=SC2086 # lists of options
  for h in $(files 'user/*.h'); do
    compiles "$h" $CC -std=gnu11 $warn -D_GNU_SOURCE -isystem /usr/include/libnl3
  done
  # shellcheck disable=SC2086
  for h in $(files 'include/*.h'); do
    compiles "$h" $CC -std=gnu11 $warn -Wpadded
    compiles "$h" $CLANG $bpf -O2 $warn -Wpadded
  done
  # shellcheck disable=SC2086
  for h in $(files 'bpf/*.h'); do
    compiles "$h" $CLANG $bpf -O2 $warn
  done
} | offences
