#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What make bench-operate measures, without the times: while packets run through the packet path as fast as it
# takes them, what stats says has every backend, and is what was sent.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
[ -x "$O/tests/bench/bench_operate" ] || skip_all "the bench is not built (make tests)"
operate() { TIMES=no BACKENDS=1000 O=$O bash tests/bench/operate.sh; }
check "stats is complete while packets run" operate
is "it said so of what was meanwhile, and of what was afterwards" "$(grep -c '^PASS' "$W/said")" 2
finish
