#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The unit under a real systemd, which boots in a container with this machine's files, copy on write: ready,
# confined as the unit says, reloaded, hung, killed, stopped; and what is forwarded all the while.
# shellcheck source-path=SCRIPTDIR
# shellcheck disable=SC2016 # what shells in there expand
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/machine.bash
. "$E2E/machine.bash"
unset MAKEFLAGS MAKELEVEL
[ "${O##*/}" = build ] || skip_all "sanitizers do not go with what the unit forbids"
# What is left after all that systemd counts: capabilities for programs, tables and XDP, a probing process that
# changes its user and makes a network of its own, and the network itself.
exposure=$(systemd-analyze security --offline=yes --no-pager configs/shunt.service | sed -n 's/.*level for.*: \([0-9.]*\) .*/\1/p')
holds "systemd counts little that it could do ($exposure)" "$exposure <= 2.5"
stage 2
companion && decap 1 2
for n in 1 2; do web $n; done
machine '
  make -s DESTDIR="$0/root" PREFIX=/usr install
  sed "s/^WatchdogSec.*/WatchdogSec=5/" configs/shunt.service >"$0/root/usr/lib/systemd/system/shunt.service"
  sed "s/^interfaces.*/&\nprobe_user: shunt-probe\nweb: {}\nnotify: { exec: [\/usr\/local\/bin\/told] }/" configs/minimal.yaml \
    >"$0/root/etc/shunt/shunt.yaml"
  chmod 0750 "$0/root/etc/shunt"
  printf "#!/bin/sh\ncat /proc/self/status >>/tmp/told\n" >"$0/root/usr/local/bin/told"
  chmod 0755 "$0/root/usr/local/bin/told"'
boot systemd-sysusers

refuses "without a bpf filesystem it does not start" 1 'Assertion failed' boot systemctl start shunt
boot mount -t bpf -o mode=0700 bpf /sys/fs/bpf # as systemd does
of() { boot systemctl show -p "$1" --value shunt; }
user_of() { boot stat -c %U "/proc/$1"; }
up() { [ "$(boot shunt backends --json | jq '[.backends[] | select(.state == "up")] | length')" -eq 2 ]; }
started() {
  check "$1" boot systemctl "$2" shunt || { boot journalctl -u shunt | tail -n 20 && finish; }
}

# ---- a version that ran as root ---------------------------------------------------------------------
drop_in=/run/systemd/system/shunt.service.d
boot sh -c "mkdir -p $drop_in && cat >$drop_in/root.conf" <<END
[Service]
User=root
Group=root
AmbientCapabilities=
TemporaryFileSystem=
BindPaths=
ReadWritePaths=-/sys/fs/bpf/shunt
ExecStartPre=
ExecStartPre=+/bin/mkdir -p /sys/fs/bpf/shunt
END
boot systemctl daemon-reload
started "one that is root starts" start
before=$(of MainPID)
is "and is root" "$(user_of "$before")" root
check "it balances" wait_for 10 get -f "http://$VIP4/"
boot shunt drain 203.0.113.10:80/tcp 10.0.0.11 >/dev/null
load all "http://$VIP4/" 100
boot rm -r $drop_in
boot systemctl daemon-reload
check "the installed version takes over in place, as the package has it" boot shunt upgrade
is "in the same process" "$(of MainPID)" "$before"
is "which stays who it is" "$(user_of "$before")" root

# ---- a user of its own ------------------------------------------------------------------------------
started "it starts, and start ends when it is ready" restart
is "which systemctl status shows" "$(of StatusText)" "Services: 1, interfaces: 1"
main=$(of MainPID)
is "it is nobody but itself" "$(user_of "$main")" shunt
is "and so is what the former one has left" "$(boot find /sys/fs/bpf/shunt /run/shunt /var/lib/shunt ! -user shunt)" ""
is "what was done by hand holds" "$(boot shunt backends --json | jq -r '.backends[] | select(.address == "10.0.0.11") | .drained')" true
boot shunt enable 203.0.113.10:80/tcp 10.0.0.11 >/dev/null
check "its probes find both backends, on a client's way" wait_for 10 up
# statuses KEY: of the daemon's children, which of them there are.
statuses() { boot sh -c "for p in \$(pgrep -P $main); do sed -n 's/^$1:\s*//p' /proc/\$p/status; done" | sort -u; }
is "it has the capabilities that it needs, and no others" "$(boot sed -n 's/^Cap[EPB][a-z]*:\s*//p' "/proc/$main/status" | sort -u)" 000000c0000011e0
holds "it has children" "$(boot pgrep -c -P "$main") >= 3"
probe=$(boot id -u shunt-probe)
is "which are all another user" "$(statuses Uid)" "$(printf '%s\t%s\t%s\t%s' "$probe" "$probe" "$probe" "$probe")"
is "without capabilities" "$(statuses 'Cap\(Inh\|Prm\|Eff\|Amb\)')" 0000000000000000
told() { boot sh -c 'cat /tmp/systemd-private-*-shunt.service-*/tmp/told'; }
check "programs are told of events" wait_for 10 told
is "as another user, without capabilities" "$(told | grep -E '^(Uid|Cap(Inh|Prm|Eff|Amb)):' | sort -u | awk '{print $1, $2}')" \
  "$(printf '%s\n' 'CapAmb: 0000000000000000' 'CapEff: 0000000000000000' 'CapInh: 0000000000000000' 'CapPrm: 0000000000000000' "Uid: $probe")"
check "who it is may ask it" boot setpriv --reuid=shunt --clear-groups shunt status
refuses "another may not" 1 'only root and the user it runs as' boot setpriv --reuid=shunt-probe --clear-groups shunt status
refuses "nor tell it" 1 'only root and the user it runs as' boot setpriv --reuid=shunt-probe --clear-groups shunt reload
refuses "nor end it" 1 'not permitted' boot setpriv --reuid=shunt-probe --clear-groups /bin/kill "$main"
refuses "what may not be read is said" 1 'shunt.yaml: .*permission denied' boot sh -c \
  'chmod 0600 /etc/shunt/shunt.yaml && systemctl reload shunt; e=$?; chmod 0640 /etc/shunt/shunt.yaml; chgrp shunt /etc/shunt/shunt.yaml; journalctl -u shunt -o cat | tail -n 5; exit $e'
is "nothing that it needs is forbidden" "$(boot journalctl -u shunt -o cat | grep -c 'Operation not permitted')" 0
is "it sees no pins but its own" "$(boot nsenter -t "$main" -m ls /sys/fs/bpf)" shunt

# ---- what systemd does with it ----------------------------------------------------------------------
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
check "it is upgraded in place" boot shunt upgrade
is "in the same process" "$(of MainPID)" "$before"
boot kill -STOP "$before"
check "one that hangs is started anew" wait_for 15 another "$before"
before=$(of MainPID)
boot kill -KILL "$before"
check "so is one that is killed" wait_for 15 another "$before"
check "it is restarted" boot systemctl restart shunt
boot systemctl stop shunt
boot sh -c 'shuntd -c /etc/shunt/shunt.yaml >/tmp/by-hand 2>&1 & echo $! >/tmp/pid'
check "root may run it by hand" wait_for 10 boot shunt status
boot shunt drain 203.0.113.10:80/tcp 10.0.0.11 >/dev/null
boot sh -c 'kill "$(cat /tmp/pid)"; while [ -d "/proc/$(cat /tmp/pid)" ]; do sleep 0.1; done'
check "and the unit after that" boot systemctl start shunt
is "knows what was done meanwhile" "$(boot shunt backends --json | jq -r '.backends[] | select(.address == "10.0.0.11") | .drained')" true
boot shunt enable 203.0.113.10:80/tcp 10.0.0.11 >/dev/null
check "it is stopped" boot systemctl stop shunt
check "which ends no forwarding" get -f "http://$VIP4/"
stop_load all
is "all the while no request has failed" "$(loaded all failed)" 0 || failures_of all
check "the backends' unit is one that systemd takes" boot systemd-analyze verify /usr/lib/systemd/system/shunt-decap@eth0.service
finish
