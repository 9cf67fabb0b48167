#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tests/run.sh counts what passes, fails, crashes, hangs, breaks off, prints nothing or is skipped.
# shellcheck source-path=SCRIPTDIR disable=SC2016 # programs keep their dollars
. "$(dirname "$0")/lib.sh"
tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
unset JOBS LIMIT O # of the run that this one is part of
mkdir -p "$tree/tests/unit" "$tree/build/tests/unit"
cp tests/run.sh "$tree/tests/"

# program NAME SCRIPT
program() {
  : >"$tree/tests/unit/test_$1.c"
  printf '#!/bin/bash\n%b\n' "$2" >"$tree/build/tests/unit/test_$1"
  chmod +x "$tree/build/tests/unit/test_$1"
}

# counts WHAT WANTED STATUS GROUP...
counts() {
  local what=$1 want=$2 status=$3 got rc
  shift 3
  got=$(O=build LIMIT=1 "$tree/tests/run.sh" "$@" 2>&1)
  rc=$?
  [ "$(tail -n 1 <<<"$got")" = "$want" ] && [ $rc -eq "$status" ] ||
    echo "$what: exit status $rc, wanted $status and \"$want\": $got"
}

program good 'echo 1..2; echo ok 1 - a; echo ok 2 - b'
program bad 'echo 1..2; echo ok 1 - a; echo not ok 2 - b; exit 1'
program crash 'echo 1..3; echo ok 1 - a; kill -SEGV $$'
program late 'echo 1..1; echo ok 1 - a; kill -SEGV $$'
program hang 'echo 1..1; echo ok 1 - a; sleep 30'
program short 'echo 1..2; echo ok 1 - a'
program mute 'exit 0'
program skip 'echo no such kernel; exit 77'
program partly 'echo 1..2; echo ok 1 - a; echo not ok 2 "# SKIP" b'
program first 'echo 1..1; [ -e "$0.ran" ] && { echo ok 1; exit; }; : >"$0.ran"; echo not ok 1 - beside others; exit 1'
program gone ''
rm "$tree/build/tests/unit/test_gone"
{
  counts good '2 passed, 0 failed, 0 skipped' 0 unit/test_good
  counts bad '1 passed, 1 failed, 0 skipped' 1 unit/test_bad
  counts crash '1 passed, 1 failed, 0 skipped' 1 unit/test_crash
  counts late '1 passed, 1 failed, 0 skipped' 1 unit/test_late
  counts hang '1 passed, 1 failed, 0 skipped' 1 unit/test_hang
  counts short '1 passed, 1 failed, 0 skipped' 1 unit/test_short
  counts mute '0 passed, 1 failed, 0 skipped' 1 unit/test_mute
  counts skip '0 passed, 0 failed, 1 skipped' 0 unit/test_skip
  counts partly '1 passed, 0 failed, 1 skipped' 0 unit/test_partly
  counts 'a missing program' '0 passed, 1 failed, 0 skipped' 1 unit/test_gone
  counts 'an empty group' '0 passed, 1 failed, 0 skipped' 1 unit/test_none
  counts 'no such group' '0 passed, 1 failed, 0 skipped' 1 nonsense
  counts first '0 passed, 1 failed, 0 skipped' 1 unit/test_first
  counts 'all of them' '9 passed, 7 failed, 2 skipped' 1 unit
  JOBS=3 counts 'three at a time' '9 passed, 7 failed, 2 skipped' 1 unit
  rm "$tree/build/tests/unit/test_first.ran"
  JOBS=3 counts 'what fails only beside others' '1 passed, 0 failed, 0 skipped' 0 unit/test_first
} 2>/dev/null | offences
