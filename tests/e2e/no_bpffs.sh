#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Where no bpf filesystem is mounted the daemon mounts one, and where it cannot be written to says so.
# shellcheck source-path=SCRIPTDIR
# shellcheck disable=SC2016 # for the other shell
. "$(dirname "$0")/lib.sh"
stage 2
companion && decap 1 2
for n in 1 2; do web $n; done
backends4 1 2 >"$W/b"
config <<END
services:
$(service web tcp $VIP4 80 "forward: ipip" "$FAST" "backends_file: b")
END
# shellcheck disable=SC2034 # of shuntd_start
SHUNTD_ENV=(unshare -m sh -c 'umount -l /sys/fs/bpf && exec "$@"' sh)
running 2
is "requests are answered" "$(spread 40 http://$VIP4/ | awk '{n += $1} END {print n}')" 40
is "the pins are on what it has mounted" "$(stat -f -c %T "/proc/${pids[shuntd]}/root/sys/fs/bpf")" bpf_fs
check "and nowhere else" test ! -e "/sys/fs/bpf/shunt/$INSTANCE"
check "shuntd stops" shuntd_stop
refuses "one that is read-only is named" 1 "cannot make the folder /sys/fs/bpf/shunt for pins: Read-only" on lb unshare -m sh -c \
  'umount -l /sys/fs/bpf && mount -t bpf -o ro none /sys/fs/bpf && exec "$@"' sh "$O/shuntd" -c "$W/shunt.yaml"
refuses "who may not mount one says so" 1 "cannot mount a bpf filesystem on /sys/fs/bpf: .*missing: CAP_SYS_ADMIN" \
  on lb unshare -m sh -c 'umount -l /sys/fs/bpf && exec "$@"' sh setpriv --bounding-set=-sys_admin -- \
  "$O/shuntd" -c "$W/shunt.yaml"
refuses "what is no bpf filesystem is not removed" 1 "/sys/fs/bpf/shunt/$INSTANCE is not on a bpf filesystem" \
  on lb unshare -m sh -c 'mount -t tmpfs none /sys/fs/bpf && mkdir -p "/sys/fs/bpf/shunt/$0" && exec "$@"' \
  "$INSTANCE" "$O/shuntd" --remove -c "$W/shunt.yaml"
finish
