# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# For the checkers of this folder.  Each runs in the tree's top folder, prints one line for every
# offence, "FILE:LINE: what" where there is a line, and exits 1 when it printed any; 77 = cannot run
# here, with the reason as last line.
set -u
export LC_ALL=C

# files PATTERN...: the tree's own files, tracked or about to be, by shell pattern; * also matches /.
# Without git (a tarball) everything but the build folders.
files() {
  local f pattern
  { git -c safe.directory='*' ls-files -co --exclude-standard 2>/dev/null ||
    find . -type f -not -path './build*' -not -path './.git/*' -printf '%P\n'; } | sort -u |
    while read -r f; do
      [ -f "$f" ] || continue
      for pattern; do
        # shellcheck disable=SC2254 # a pattern
        case $f in $pattern) echo "$f" && break ;; esac
      done
    done
}

need() {
  command -v "$1" >/dev/null && return
  echo "$1 is not installed"
  exit 77
}

# Reads offences, prints them, exits by whether there were any.
offences() {
  local n=0 line
  while IFS= read -r line; do
    echo "$line"
    n=$((n + 1))
  done
  [ $n -eq 0 ]
  exit
}
