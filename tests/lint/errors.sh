#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every error and warning that an operator can meet is in what some test expects: errors.py says how.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
need python3
LC_ALL=C.UTF-8 exec python3 "$(dirname "$0")/errors.py"
