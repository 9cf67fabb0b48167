#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs the checkers of this folder over the tree, as TAP.
cd "$(dirname "$0")/../.." || exit 1
checkers=(selftest runner format headers rooms sizes scripts licence tracked links docs unused errors)
echo "1..${#checkers[@]}"
n=0
for checker in "${checkers[@]}"; do
  n=$((n + 1))
  said=$("tests/lint/$checker.sh" 2>&1)
  case $? in
  0) echo "ok $n - $checker" ;;
  77) echo "ok $n - $checker # SKIP $checker: $(tail -n 1 <<<"$said")" && continue ;;
  *) echo "not ok $n - $checker" ;;
  esac
  [ -z "$said" ] || echo "# ${said//$'\n'/$'\n'# }"
done
