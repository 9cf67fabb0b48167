#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Another XDP program holds the interface: the daemon says which, how it was attached and how to take it
# off; doing that is what it takes.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 1
companion
web 1
config <<END
services:
$(service web tcp $VIP4 80 "forward: dsr" "check: none" "backends: [10.0.0.11]")
END
refused() { refuses "$1" 1 "eth0 runs another XDP program already: id [0-9]+, name \"$2" on lb timeout 20 "$O/shuntd" -c "$W/shunt.yaml"; }
# remedy [WORDS]: how to take it off, as the refusal says; what comes after WORDS, a pattern.
remedy() {
  on lb timeout 20 "$O/shuntd" -c "$W/shunt.yaml" 2>&1 | sed -nE "s/.*take it off first \(${1:-}(.*)\)\$/\1/p"
}

check "a program of a link" on lb "$O/shunt-decap" attach eth0
refused "is named, with its tag and link" 'shunt_decap", tag [0-9a-f]{16}, attached by link [0-9]+ in native mode'
check "it is taken off" on lb "$O/shunt-decap" detach eth0

for mode in xdpgeneric xdpdrv; do
  check "a program of netlink ($mode)" on lb ip link set dev eth0 $mode obj "$O/decap.bpf.o" sec xdp
  refused "is named" 'shunt_decap", tag [0-9a-f]{16}, attached by netlink in '
  how=$(remedy)
  is "with the command that takes it off" "$how" "ip link set dev eth0 $mode off"
  # shellcheck disable=SC2086 # a command's words
  check "which does" on lb $how
done

# Where the kernel has no extension programs, libxdp attaches the only one without a dispatcher.
if command -v xdp-filter >/dev/null && on lb xdp-filter load eth0 -m native >"$W/filter" 2>&1; then
  if on lb xdp-loader status | grep -q '^eth0.*xdp_dispatcher'; then
    refused "libxdp's dispatcher is named" 'xdp_dispatcher'
    how=$(remedy '.*: ')
    is "with the command that takes all off" "$how" "xdp-loader unload eth0 --all"
  else
    refused "a program of libxdp's is named" 'xdpfilt'
    how="xdp-loader unload eth0 --all"
  fi
  # shellcheck disable=SC2086
  check "it is taken off" on lb $how
fi
rm -rf /sys/fs/bpf/xdp-filter

check "then shuntd starts" shuntd_start
check "and forwards" wait_for 5 get -f "http://$VIP4/"
finish
