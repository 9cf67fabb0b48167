#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The Debian packages on a machine of their own (a copy-on-write root): three commands from the package to a
# balanced request, an upgrade that moves no connection, a removal that leaves nothing.
# shellcheck source-path=SCRIPTDIR
# shellcheck disable=SC2016 # what shells in there expand
. "$(dirname "$0")/lib.sh"
if ! command -v dpkg-buildpackage >/dev/null || ! command -v dh >/dev/null; then skip_all "debhelper is not here"; fi
D=$PWD/build/deb
check "the packages are built, and not as root" debian/build.sh --if-older "$D" || { tail -n 20 "$W/said" | sed 's/^/# /' && finish; }
deb() { ls "$D/$1"_[0-9]*.deb; }
is "the package has the version of the programs" "$(dpkg-deb -f "$(deb shunt)" Version)" "$("$O/shuntd" --version | sed 's/.* //')"
is "what the programs are built from is said to the package's builder" "$(tests/deps.sh --list | sed '/^# to test/,$d' |
  grep -oE '^lib[a-z0-9-]+-dev' | grep -v libc6-dev | while read -r dev; do grep -q "^  *$dev,$" debian/control || echo "$dev"; done)" ""
if command -v lintian >/dev/null; then
  # Whoever publishes it puts an address of his own: DEBEMAIL.
  is "lintian has nothing to say" "$(lintian --allow-root --pedantic --suppress-tags \
    bogus-mail-host,bogus-mail-host-in-debian-changelog "$D"/*.changes 2>&1)" ""
fi

stage 2
companion
for n in 1 2; do web $n; done
mkdir "$W/layer" "$W/root"
# Its mounts, among them a bpf filesystem, are gone with the process that holds them.
start machine lb unshare -m --propagation private sh -ec '
  mount -t tmpfs tmpfs "$0/layer"
  mkdir "$0/layer/up" "$0/layer/work"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$0/layer/up,workdir=$0/layer/work" "$0/root"
  mount --bind /dev "$0/root/dev"
  mount -t proc proc "$0/root/proc"
  mount -t sysfs sysfs "$0/root/sys"
  mount -t bpf bpf "$0/root/sys/fs/bpf"
  mount -t tmpfs tmpfs "$0/root/run"
  mount -t tmpfs tmpfs "$0/root/tmp"
  cp "$1" "$2" "$0/root/tmp/"
  rm -rf "$0/root/etc/shunt" "$0/root/etc/shunt-decap"
  touch "$0/ready"
  cd "$0/root"
  mkdir former
  pivot_root . former
  umount -l /former
  exec sleep 1000' "$W" "$(deb shunt)" "$(deb shunt-backend)"
wait_for 10 test -e "$W/ready" || skip_all "no overlay filesystem: $(cat "$W/machine.log")"
in_it=(nsenter --mount="/proc/${pids[machine]}/ns/mnt" env -C / DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin)
inside() { on lb "${in_it[@]}" "$@"; }
apt() { inside apt-get -y -q --no-install-recommends -o APT::Sandbox::User=root "$@"; }
shunt() { inside shunt "$@"; } # the installed one, and the instance that is the default

# ---- from the package to a request ----------------------------------------------------------------
check "the package is installed" apt install "/tmp/$(basename "$(deb shunt)")"
cp "$W/said" "$W/installed"
check "which says what to do next" grep -q 'systemctl enable --now shunt' "$W/installed"
check "it has made a user for the daemon" inside id shunt
check "and another for the process that probes" inside id shunt-probe
refuses "as it is it balances nothing, and says so" 1 'needed' inside shuntd -c /etc/shunt/shunt.yaml
runs_in_lb() { # other stories may have daemons of their own
  local p
  for p in $(pgrep -x shuntd); do [ "/proc/$p/ns/net" -ef "/run/netns/$P-lb" ] && echo "$p"; done
}
is "nor does it run" "$(runs_in_lb)" ""
inside sed -i 's/^#\([^#]\)/\1/' /etc/shunt/shunt.yaml
check "without its comment signs the configuration is good" inside shunt check /etc/shunt/shunt.yaml
inside cp /usr/share/doc/shunt/examples/minimal.yaml /etc/shunt/shunt.yaml
unit=$W/shunt.service
inside cat /lib/systemd/system/shunt.service >"$unit" 2>/dev/null || inside cat /usr/lib/systemd/system/shunt.service >"$unit"
caps=$(sed -n 's/^CapabilityBoundingSet=//p' "$unit")
caps=$(sed 's/cap_/+/g; s/ /,/g' <<<"${caps,,}")
read -ra command < <(sed -n 's/^ExecStart=//p' "$unit")
user=$(sed -n 's/^User=//p' "$unit")
as_the_unit() {
  inside sh -c 'mkdir -p "$@" && chown "$0:$0" "$@"' "$user" /sys/fs/bpf/shunt /run/shunt /var/lib/shunt
  start shuntd lb "${in_it[@]}" setpriv --reuid="$user" --regid="$user" --clear-groups --bounding-set="-all,$caps" \
    --inh-caps="-all,$caps" --ambient-caps="-all,$caps" --no-new-privs -- "${command[@]}"
}
as_the_unit
for n in 1 2; do decap $n; done
check "with the example configuration it balances" wait_for 20 get -f "http://$VIP4/"
holds "now it runs" "$(runs_in_lb | wc -l) >= 1"
check "to both backends" wait_for 10 eval '[ "$(spread 40 http://$VIP4/ | wc -l)" -eq 2 ]'

# ---- an upgrade -----------------------------------------------------------------------------------
for n in 1 2; do start "hold$n" "b$n" "$python" "$E2E/hold.py" serve "b$n" 7; done
inside sh -c 'printf "  - { name: echo, vip: 203.0.113.10, port: 7, check: none, backends: [10.0.0.11, 10.0.0.12] }\n" >>/etc/shunt/shunt.yaml'
check "a service more" shunt reload
check "which serves" wait_for 10 eval '[ "$(on client "$python" "$E2E/hold.py" ask $VIP4 7 40 | wc -l)" -eq 2 ]'
start held client "$python" "$E2E/hold.py" run $VIP4 7 60 "$W/held"
open_ones() { [ "$(awk '{n += $2} END {print n}' "$W/held")" = 60 ]; }
check "connections are open" wait_for 20 open_ones
load all "http://$VIP4/" 100
# another.deb VERSION: the same, with another executable.
another() {
  rm -rf "$W/other"
  dpkg-deb -R "$(deb shunt)" "$W/other"
  sed -i "s/^Version:.*/Version: $1/" "$W/other/DEBIAN/control"
  echo "$1" >>"$W/other/usr/sbin/shuntd"
  dpkg-deb -Znone -b "$W/other" "$W/other.deb" >/dev/null
  inside tee "/tmp/other-$1.deb" <"$W/other.deb" >/dev/null
}
another 0.1.1~test
is_installed() { [ "$(inside stat -Lc %i "/proc/$1/exe")" = "$(inside stat -c %i /usr/sbin/shuntd)" ]; }
pid=$(shunt status --json | jq .pid)
is "the daemon is nobody but itself" "$(inside stat -c %U "/proc/$pid")" shunt
inside sh -c 'echo secret >/etc/shunt/some.key && chmod 0600 /etc/shunt/some.key && chgrp root /etc/shunt && chmod 0750 /etc/shunt' # as it was
check "the package is upgraded" apt install --allow-downgrades "/tmp/other-0.1.1~test.deb"
cp "$W/said" "$W/upgraded"
check "and says that the daemon runs the new version" grep -q 'default runs the new version' "$W/upgraded"
is "in the same process" "$(shunt status --json | jq .pid)" "$pid"
check "from the new file" is_installed "$pid"
is "what only root could read is for the daemon, too" "$(inside stat -c '%U %G %a' /etc/shunt /etc/shunt/some.key | xargs)" "root shunt 2750 root shunt 640"
inside sh -c 'chgrp adm /etc/shunt/shunt.yaml && chmod 0640 /etc/shunt/shunt.yaml'
check "of what is not" inside sh -c '/var/lib/dpkg/info/shunt.postinst configure 0.1.0 >/tmp/told'
check "it says so" inside grep -q 'shunt.yaml: .*permission denied' /tmp/told
inside sh -c 'chmod 0644 /etc/shunt/shunt.yaml'
check "the operator's configuration has stayed" inside grep -q 'name: echo' /etc/shunt/shunt.yaml
inside cp /etc/shunt/shunt.yaml /etc/shunt/good.yaml
inside sh -c 'echo "nonsense: 1" >>/etc/shunt/shunt.yaml'
another 0.1.2~test
check "where the new version cannot start" apt install --allow-downgrades "/tmp/other-0.1.2~test.deb"
cp "$W/said" "$W/not-upgraded"
check "it says so and what to do" grep -q 'shunt -i default upgrade' "$W/not-upgraded"
is "and the former one goes on" "$(shunt status --json | jq .pid)" "$pid"
inside mv /etc/shunt/good.yaml /etc/shunt/shunt.yaml
sleep 1 # five rounds of bytes
is "no connection has moved or broken" "$(awk '{open += $2; broken += $3} END {print open, broken}' "$W/held")" "60 0"
stop_load all
is "and no request has failed" "$(loaded all failed)" 0 || failures_of all
stop held INT

# ---- it goes --------------------------------------------------------------------------------------
unset "pids[shuntd]" # the package ends it
is "the processes that probe had all that they need" "$(grep -c 'the probing process' "$W/shuntd.log")" 0
check "the package is removed" apt remove shunt
check "no daemon is left" wait_for 5 ended "$pid"
is "nothing is attached" "$(on lb ip -json link show dev eth0 | jq '.[0].xdp')" null
check "nothing is pinned" inside test ! -e /sys/fs/bpf/shunt
check "what the operator wrote is left" inside test -s /etc/shunt/shunt.yaml
check "and goes when it is purged" apt purge shunt
check "with the state" inside sh -c '! ls -d /etc/shunt /var/lib/shunt /run/shunt 2>/dev/null'

# ---- the backend's --------------------------------------------------------------------------------
check "the backend's package is installed" apt install "/tmp/$(basename "$(deb shunt-backend)")"
inside sh -c 'cat /lib/systemd/system/shunt-decap@.service /usr/lib/systemd/system/shunt-decap@.service 2>/dev/null' >"$W/decap.service"
# follow KEY: what the unit does for eth0, with its variable from the file.
follow() {
  local words
  read -r words < <(sed -n "s/^$1=//p" "$W/decap.service")
  words=${words//%I/eth0}
  # shellcheck disable=SC2086 # words
  inside ${words//\$ARGUMENTS/10.0.0.2 --only 10.0.0.11}
}
check "its unit attaches" follow ExecStart
check "with the arguments of its file" inside shunt-decap status eth0
check "reloads" follow ExecReload
check "and its removal leaves nothing" apt purge shunt-backend
is "attached" "$(on lb ip -json link show dev eth0 | jq '.[0].xdp')" null
finish
