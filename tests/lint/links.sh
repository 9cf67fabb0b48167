#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt links without libbpf, libnl and libcurl: a standing test that the floors hold.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
shunt=${O:-build}/shunt
if [ ! -x "$shunt" ]; then
  echo "$shunt is not built"
  exit 77
fi
objdump -p "$shunt" | awk -v f="$shunt" '$1 == "NEEDED" && $2 ~ /^lib(bpf|elf|nl|curl|event)/ {
  print f ": needs " $2 }' | offences
