#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# On a kernel that is too old the daemon says what is lacking, not what the verifier says: make
# check-kernels KERNELS=bullseye TESTS=e2e/old_kernel
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 1
config <<END
services:
$(service web tcp $VIP4 80 "forward: dsr" "check: none" "backends: [10.0.0.11]")
END
read -r major minor < <(uname -r | sed -E 's/^([0-9]+)\.([0-9]+).*/\1 \2/')
[ $((major * 100 + minor)) -lt 512 ] || skip_all "this kernel lacks nothing"
refuses "what is missing is named, with its release" 1 \
  'cannot run the packet path: it lacks .*\(Linux 5\.12\); this is Linux .*, shunt needs 5.15 or later' \
  on lb timeout 20 "$O/shuntd" -c "$W/shunt.yaml"
finish
