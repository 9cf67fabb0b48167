#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every shell script passes shellcheck.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
need shellcheck
{
  files '*.sh' '.ci/run'
  files '*' | grep -vE '\.' | while read -r f; do
    head -c 64 "$f" | head -n 1 | grep -aqE '^#!.*\b(ba|da)?sh\b' && echo "$f"
  done
} | sort -u | xargs -r shellcheck -x -e SC2119,SC2120,SC2317 -f gcc | offences
