#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Layout of C: clang-format 14 decides, since every version has a mind of its own.  -i mends it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
tool=clang-format-14
command -v $tool >/dev/null || tool=clang-format
need $tool
version=$($tool --version)
if [[ $version != *"version 14."* ]]; then
  echo "wants clang-format 14 (Debian 12 has it), here is: $version"
  exit 77
fi
if [ "${1:-}" = -i ]; then
  files '*.c' '*.h' | xargs -r $tool -i
  exit
fi
files '*.c' '*.h' | xargs -r $tool --dry-run 2>&1 | grep -E '^[^ ]+:[0-9]+:[0-9]+:' | offences
