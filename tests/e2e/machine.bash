# SPDX-License-Identifier: BSD-2-Clause
# A machine with a systemd of its own for stories that need one: a container with this machine's files, copy on
# write, in the network namespace of lb.
# shellcheck shell=bash
command -v systemd-nspawn >/dev/null || skip_all "systemd-nspawn is not here"

# boot COMMAND...: in there.
boot() { nsenter -t "$init" -m -u -i -n -p -C -r -w -- "$@"; }
find_init() { init=$(pgrep -P "${pids[machine]}" -x systemd); }
is_booted() { boot systemctl is-system-running | grep -qE 'running|degraded'; }

# machine SCRIPT: boots one; the SCRIPT, for sh, prepares its files below $0/root. Skips the story where systemd
# does not come up in a container.
machine() {
  mkdir "$W/layer" "$W/root"
  # shellcheck disable=SC2016 # that shell expands it
  start machine lb unshare -m --propagation private sh -ec '
    mount -t tmpfs tmpfs "$0/layer"
    mkdir "$0/layer/up" "$0/layer/work"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$0/layer/up,workdir=$0/layer/work" "$0/root"
    rm -rf "$0"/root/etc/systemd/system/*.wants/* "$0/root/etc/shunt"
    eval "$2"
    exec systemd-nspawn -q -D "$0/root" --register=no --keep-unit -b --capability=all \
      --network-namespace-path="$1" --system-call-filter="bpf @privileged @mount perf_event_open" \
      --console=pipe systemd.unit=multi-user.target' "$W" "/run/netns/$P-lb" "$1"
  wait_for 20 find_init || skip_all "systemd does not boot in a container here: $(tail -n 1 "$W/machine.log")"
  find_init && pids[init]=$init # which outlives a systemd-nspawn that is killed
  wait_for 30 is_booted || skip_all "systemd does not come up in a container here"
}
