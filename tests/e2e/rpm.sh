#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The RPM packages hold what make install installs and ask for the libraries that their programs name; on a
# machine of their own (a copy-on-write root) they come, become a newer version under a daemon that runs, and
# go, and leave nothing attached.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
for program in rpmbuild rpm readelf; do
  command -v $program >/dev/null || skip_all "$program is not here (sudo make deps)"
done
[ -s "$O/man/shunt.8" ] || skip_all "the manual pages are not built: make all"
unset MAKEFLAGS MAKELEVEL
[ "${O##*/}" = build ] || skip_all "packages are made of what is built to be used"
check "make rpm" make -s rpm || finish
version=$("$O/shuntd" --version | sed 's/.* //')
rpm_of() { ls "$O"/rpm/RPMS/*/"$1-$version"-1*.rpm; }
ask() { rpm -qp "$@" 2>/dev/null; }
files_of() { ask -l "$(rpm_of "$1")" | sed 's/\.gz$//' | sort; }

# ---- what is in them -------------------------------------------------------------------------------

check "make install, beside" make -s DESTDIR="$W/root" PREFIX=/usr \
  ZSH_DIR="$W/root/usr/share/zsh/site-functions" install
is "they hold what make install installs, and the configuration to begin with" \
  "$({ files_of shunt; files_of shunt-backend; } | sort | comm -3 - <({ cd "$W/root" && find . -type f | cut -c 2-
    echo /etc/shunt/shunt.yaml; } | sort) | grep -vE '^/(etc/shunt|etc/shunt-decap|usr/share/doc/shunt(/docs|/examples|/examples/convert)?)$')" ""
is "a backend gets what the Debian package gives it" "$(files_of shunt-backend | xargs)" \
  "/etc/shunt-decap /usr/bin/shunt-decap /usr/lib/systemd/system/shunt-decap@.service /usr/share/man/man8/shunt-decap.8"
needs() { # the libraries that PROGRAM names and PACKAGE does not ask for
  ask --requires "$(rpm_of "$2")" | sed 's/(.*//' | sort -u >"$W/asked"
  readelf -d "$O/$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vxFf "$W/asked"
}
for program in shuntd shunt; do is "the libraries of $program are asked for" "$(needs $program shunt)" ""; done
is "and those of shunt-decap" "$(needs shunt-decap shunt-backend)" ""
is "the configuration is kept" "$(ask --configfiles "$(rpm_of shunt)")" /etc/shunt/shunt.yaml
for script in postinstall preuninstall; do
  check "the $script script is one" sh -n <(ask --scripts "$(rpm_of shunt)" | sed -n "/^$script/,/^[a-z]*install script/p" | sed '1d; /^[a-z]*install script/d')
done

# ---- on a machine ----------------------------------------------------------------------------------

stage 1
companion
web 1
mkdir "$W/layer" "$W/root2"
# Its mounts, among them a bpf filesystem, are gone with the process that holds them.
# shellcheck disable=SC2016 # for the shell in there
start machine lb unshare -m --propagation private sh -ec '
  mount -t tmpfs tmpfs "$0/layer"
  mkdir "$0/layer/up" "$0/layer/work"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$0/layer/up,workdir=$0/layer/work" "$0/root2"
  mount --bind /dev "$0/root2/dev"
  mount -t proc proc "$0/root2/proc"
  mount -t sysfs sysfs "$0/root2/sys"
  mount -t bpf bpf "$0/root2/sys/fs/bpf"
  mount -t tmpfs tmpfs "$0/root2/run"
  mount -t tmpfs tmpfs "$0/root2/tmp"
  cp "$1" "$2" "$0/root2/tmp/"
  rm -rf "$0/root2/etc/shunt" "$0/root2/etc/shunt-decap"
  touch "$0/ready"
  cd "$0/root2"
  mkdir former
  pivot_root . former
  umount -l /former
  exec sleep 1000' "$W" "$(rpm_of shunt)" "$(rpm_of shunt-backend)"
wait_for 10 test -e "$W/ready" || skip_all "no overlay filesystem: $(cat "$W/machine.log")"
inside() { on lb nsenter --mount="/proc/${pids[machine]}/ns/mnt" env -C / PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
# packages ARGUMENT...: rpm with a database of its own; what it needs is there by other names.
packages() { inside rpm --dbpath /var/lib/rpm-of-test --nodeps "$@"; }
files() { inside sh -c 'ls /tmp/shunt*.rpm'; }

inside mkdir -p /var/lib/rpm-of-test
mapfile -t both < <(files)
check "they are installed" packages -i "${both[@]}"
is "which says what to do next" "$(grep -c 'edit /etc/shunt/shunt.yaml' "$W/said")" 1
is "what is there is what they hold" "$(packages -V shunt shunt-backend)" ""
is "the configuration is for root and the daemon's group" "$(inside stat -c '%a %U %G' /etc/shunt)" "2750 root shunt"
inside sh -c 'cat >/etc/shunt/shunt.yaml' <<END
interfaces: [eth0]
services:
$(service web tcp $VIP4 80 "forward: dsr" "$FAST" "backends: [10.0.0.11]")
END
start daemon lb nsenter --mount="/proc/${pids[machine]}/ns/mnt" env -C / /usr/sbin/shuntd
check "the daemon of the package serves" wait_for 10 get -f http://$VIP4/
check "the package comes again, as a newer one would" packages -U --replacepkgs --force "${both[@]}"
is "the daemon becomes what it holds, and that is said" "$(grep 'instance default' "$W/said" | sed 's/ runs .*//')" "shunt: instance default"
is "it goes on serving" "$(get http://$VIP4/)" b1
is "the operator's configuration is as it was" "$(inside grep -c $VIP4 /etc/shunt/shunt.yaml)" 1
check "they are removed" packages -e shunt shunt-backend
check "the daemon has ended" wait_for 5 ended "${pids[daemon]}"
is "nothing is attached" "$(on lb ip -o link show eth0 | grep -c xdp)" 0
is "nothing is pinned" "$(inside find /sys/fs/bpf -name 'shunt*' 2>/dev/null)" ""
is "what the operator wrote is kept beside" "$(inside ls /etc/shunt)" shunt.yaml.rpmsave
is "and nothing else" "$(inside find /usr/bin /usr/sbin /usr/lib/systemd/system /usr/share/man /usr/share/doc/shunt -name '*shunt*' 2>/dev/null)" ""
finish
