#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make install puts everything where it works from, make uninstall takes all of it away again.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
unset MAKEFLAGS MAKELEVEL
root=$W/root
install() { make -s ${SAN_BUILD:+SAN=1} DESTDIR="$root" PREFIX=/usr "$@"; }
if [ "${O##*/}" = build-san ]; then SAN_BUILD=1; fi

check "make install" install install
mkdir -p "$root/etc/shunt" && : >"$root/etc/shunt/shunt.yaml"
(cd "$root" && find . -type f | sort) >"$W/files"
for f in ./usr/sbin/shuntd ./usr/bin/shunt ./usr/bin/shunt-decap ./usr/include/shunt_msg.h \
  ./usr/share/bash-completion/completions/shunt ./usr/share/zsh/vendor-completions/_shunt \
  ./usr/share/fish/vendor_completions.d/shunt.fish \
  ./usr/lib/systemd/system/shunt.service ./usr/share/doc/shunt/examples/shunt.yaml ./usr/share/doc/shunt/LICENSE; do
  check "$f is there" grep -qxF "$f" "$W/files"
done
if [ -s "$O/man/shunt.8" ]; then
  for page in man8/shunt.8 man8/shuntd.8 man5/shunt.yaml.5 man7/shunt-netlink.7; do
    check "the manual page $page is there" grep -qxF "./usr/share/man/$page" "$W/files"
  done
fi
check "shuntd runs from there" "$root/usr/sbin/shuntd" --version
refuses "shunt finds shunt-decap beside itself" 1 'nosuch0' "$root/usr/bin/shunt" decap status nosuch0
check "the example configuration is good" "$root/usr/bin/shunt" check "$root/usr/share/doc/shunt/examples/shunt.yaml"
if command -v systemd-analyze >/dev/null; then
  sed "s,/usr/sbin/,$root/usr/sbin/,; s,/etc/,$root/etc/," "$root/usr/lib/systemd/system/shunt.service" \
    >"$W/shunt.service"
  check "systemd takes the unit" systemd-analyze verify "$W/shunt.service"
fi
stage 1
companion
web 1
config <<END
services:
$(service web tcp $VIP4 80 "forward: dsr" "$FAST" "backends: [10.0.0.11]")
END
caps=$(sed -n 's/^CapabilityBoundingSet=//p' "$root/usr/lib/systemd/system/shunt.service")
caps=$(sed 's/cap_/+/g; s/ /,/g' <<<"${caps,,}")
start listener lb "$python" -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print(s.recv(64).decode())' "$W/notify"
wait_for 5 test -S "$W/notify"
NOTIFY_SOCKET=$W/notify start installed lb setpriv --bounding-set="-all,$caps" --no-new-privs -- "$root/usr/sbin/shuntd" -c "$W/shunt.yaml"
check "the installed daemon balances with no more capabilities than the unit gives" \
  wait_for 5 get -f "http://$VIP4/"
check "and checks its backends" wait_for 5 all_up 1
check "and says that it is ready" grep -qx READY=1 "$W/listener.log"
check "and stops" stop installed
check "make uninstall" install uninstall
is "leaves nothing but the operator's own" "$(cd "$root" && find . -type f)" ./etc/shunt/shunt.yaml
finish
