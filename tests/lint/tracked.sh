#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Nothing generated and nothing binary in git, and nothing left over from a merge or an editor.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
{
  files '*' | grep -E '\.(o|a|so|gz|skel\.h|d|orig|rej|pyc)$|(^|/)vmlinux\.h$|~$' | sed 's/$/: generated/'
  # grep -I takes a binary file for one without a match.
  files '*' | while read -r f; do
    if [ -s "$f" ] && ! grep -qI '' "$f"; then echo "$f: binary"; fi
  done
  files '*' | xargs -r grep -nIE '^(<<<<<<<|>>>>>>>) ' | sed 's/: */: merge leftover /2'
} | offences
