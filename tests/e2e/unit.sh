#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The unit under a real systemd, which boots in a container with this machine's files, copy on write: ready,
# confined as the unit says, reloaded, hung, killed, stopped; and what is forwarded all the while.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
unset MAKEFLAGS MAKELEVEL
command -v systemd-nspawn >/dev/null || skip_all "systemd-nspawn is not here"
[ "${O##*/}" = build ] || skip_all "sanitizers do not go with what the unit forbids"
# What is left after all that systemd counts: root (without root's capabilities) for programs, tables and XDP, a
# probing process that changes its user and makes a network of its own, and the network itself.
exposure=$(systemd-analyze security --offline=yes --no-pager configs/shunt.service | sed -n 's/.*level for.*: \([0-9.]*\) .*/\1/p')
holds "systemd counts little that it could do ($exposure)" "$exposure <= 2.8"
stage 2
companion && decap 1 2
for n in 1 2; do web $n; done
mkdir "$W/layer" "$W/root"
# shellcheck disable=SC2016 # what the shell there expands
start machine lb unshare -m --propagation private sh -ec '
  mount -t tmpfs tmpfs "$0/layer"
  mkdir "$0/layer/up" "$0/layer/work"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$0/layer/up,workdir=$0/layer/work" "$0/root"
  rm -rf "$0"/root/etc/systemd/system/*.wants/* "$0/root/etc/shunt"
  make -s DESTDIR="$0/root" PREFIX=/usr install
  sed "s/^WatchdogSec.*/WatchdogSec=2/" configs/shunt.service >"$0/root/usr/lib/systemd/system/shunt.service"
  cp configs/minimal.yaml "$0/root/etc/shunt/shunt.yaml"
  exec systemd-nspawn -q -D "$0/root" --register=no --keep-unit -b --capability=all \
    --network-namespace-path="$1" --system-call-filter="bpf @privileged @mount perf_event_open" \
    --console=pipe systemd.unit=multi-user.target' "$W" "/run/netns/$P-lb"
find_init() { init=$(pgrep -P "${pids[machine]}" -x systemd); }
boot() { nsenter -t "$init" -m -u -i -n -p -C -r -w -- "$@"; }
wait_for 20 find_init || skip_all "systemd does not boot in a container here: $(tail -n 1 "$W/machine.log")"
find_init
is_booted() { boot systemctl is-system-running | grep -qE 'running|degraded'; }
wait_for 30 is_booted || skip_all "systemd does not come up in a container here"

refuses "without a bpf filesystem it does not start" 1 'Assertion failed' boot systemctl start shunt
boot mount -t bpf bpf /sys/fs/bpf
check "it starts, and start ends when it is ready" boot systemctl start shunt
is "which systemctl status shows" "$(boot systemctl show -p StatusText --value shunt)" "Services: 1, interfaces: 1"
check "it balances" wait_for 10 get -f "http://$VIP4/"
up() { [ "$(boot shunt backends --json | jq '[.backends[] | select(.state == "up")] | length')" -eq 2 ]; }
check "its probes find both backends, on a client's way" wait_for 10 up
of() { boot systemctl show -p "$1" --value shunt; }
is "it has the capabilities that it needs, and no others" \
  "$(boot sed -n 's/^CapEff:\s*//p' "/proc/$(of MainPID)/status")" 000000c0000011e0
load all "http://$VIP4/" 100
check "it is reloaded" boot systemctl reload shunt
boot sh -c 'cp /etc/shunt/shunt.yaml /root/ && echo "nonsense: 1" >>/etc/shunt/shunt.yaml'
refuses "a mistake fails the reload" 1 'failed' boot systemctl reload shunt
is "and nothing else" "$(of ActiveState)" active
boot cp /root/shunt.yaml /etc/shunt/
boot shunt drain 203.0.113.10:80/tcp 10.0.0.11 >/dev/null
check "events are in the journal with their fields" wait_for 5 boot sh -c \
  'journalctl -u shunt SHUNT_KIND=edited SHUNT_TO=drained -o cat | grep -q drained'
boot shunt enable 203.0.113.10:80/tcp 10.0.0.11 >/dev/null
before=$(of MainPID)
another() { [ "$(of MainPID)" != "$1" ] && [ "$(of MainPID)" != 0 ] && [ "$(of SubState)" = running ]; }
check "the installed version takes over in place" boot shunt upgrade
is "in the same process" "$(of MainPID)" "$before"
boot kill -STOP "$before"
check "one that hangs is started anew" wait_for 15 another "$before"
before=$(of MainPID)
boot kill -KILL "$before"
check "so is one that is killed" wait_for 15 another "$before"
check "it is restarted" boot systemctl restart shunt
check "and stopped" boot systemctl stop shunt
check "which ends no forwarding" get -f "http://$VIP4/"
stop_load all
is "all the while no request has failed" "$(loaded all failed)" 0 || failures_of all
check "the backends' unit is one that systemd takes" boot systemd-analyze verify /usr/lib/systemd/system/shunt-decap@eth0.service
finish
