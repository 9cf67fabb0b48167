#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# README.md, and then docs/getting-started.md, as somebody follows them who knows nothing, on a machine that has a
# systemd of its own: install, first service, failure, drain, change, "why does it not arrive", upgrade; then what else
# the pages say of such a machine.
# shellcheck source-path=SCRIPTDIR
# shellcheck disable=SC2016 # what shells in there expand
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/machine.bash
. "$E2E/machine.bash"
unset MAKEFLAGS MAKELEVEL
page=docs/getting-started.md
if ! command -v dpkg-buildpackage >/dev/null || ! command -v dh >/dev/null; then skip_all "debhelper is not here"; fi
[ "${O##*/}" = build ] || skip_all "packages have no sanitizers"
D=$PWD/build/deb
check "there are packages" debian/build.sh --if-older "$D" || finish
architecture=$(dpkg --print-architecture)

stage 0
companion
mkdir "$W/debs"
cp "$D"/shunt{,-backend}_*_"$architecture".deb "$W/debs/"
# Another version, for the upgrade.
dpkg-deb -R "$D"/shunt_[0-9]*_"$architecture".deb "$W/other"
sed -i 's/^Version:.*/Version: 0.2.0/' "$W/other/DEBIAN/control"
echo 0.2.0 >>"$W/other/usr/sbin/shuntd"
dpkg-deb -Znone -b "$W/other" "$W/debs/shunt_0.2.0_$architecture.deb" >/dev/null
machine '
  cp "$0"/debs/* "$0/root/root/"
  printf "#!/bin/sh\ncp /root/page/* /etc/shunt/\n" >"$0/root/usr/local/bin/editor"
  chmod +x "$0/root/usr/local/bin/editor"
  mkdir "$0/root/root/page"
  rm -f "$0/root/usr/sbin/policy-rc.d"'
boot mount -t bpf -o mode=0700 bpf /sys/fs/bpf # as a machine's own systemd does

# ---- the page's blocks -----------------------------------------------------------------------------
# lines HEAD PAGE [TITLE]: of all blocks with this head, of this section only.
lines() {
  awk -v head="$1" -v title="${3:-}" '/^## / { section = substr($0, 4) } /^```/ { on = ($0 == "```" head); next }
    on && /^[^#]/ && (title == "" || section == title)' "$2" | sed "s/_amd64.deb/_$architecture.deb/"
}
# Somebody's own shell there, 80 columns wide.
sh_machine() { boot env -C /root DEBIAN_FRONTEND=noninteractive TERM=xterm COLUMNS=80 \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin bash -o pipefail -c "$1" </dev/null; }
# A server is a namespace: what its package holds is put beside it, and its own address in the place of the page's.
sh_backend() {
  local line=${2//10.0.0.11/$(addr4 "$1")}
  case $line in
  "apt install "*) dpkg-deb -x "$W/debs/${line#apt install ./}" "$W/server" ;;
  *) on "b$1" env PATH="$W/server/usr/bin:$PATH" bash -c "$line" ;;
  esac
}
commands=0
# each PAGE [TITLE]: what is to be typed on the balancer, one a case; all that it printed is in $W/printed.
each() {
  local text
  : >"$W/printed"
  while IFS= read -r text; do
    check "${1##*/}: $text" sh_machine "$text"
    cat "$W/said" >>"$W/printed"
    printf '$ %s\n' "$text" >>"$W/walk" && cat "$W/said" >>"$W/walk"
    commands=$((commands + 1))
  done < <(lines 'sh machine' "$@")
}
says() { grep -qE -- "$1" "$W/printed"; }

for n in 1 2; do
  namespace "b$n"
  plug "b$n" eth0 "b$n" 1600
  address "b$n" eth0 "$(addr4 "$n")/24"
  on "b$n" ip route add default via 10.0.0.1
  on "b$n" ethtool -K eth0 tx off >/dev/null
  while IFS= read -r text; do check "server $n: $text" sh_backend "$n" "$text"; done < <(lines 'sh backend' $page)
  web "$n"
done

# From the README alone: three commands, of which the editor writes the ten lines that stand there.
block() { awk -v head="$1" '/^```/ { on = ($0 == "```" head); next } on' "$2"; }
balances() { [ "$(spread 40 "http://$VIP4/" | wc -l)" -eq 2 ]; }
block yaml README.md | boot tee /root/page/shunt.yaml >/dev/null
block "backends web.backends" README.md | boot tee /root/page/web.backends >/dev/null
each README.md "Install"
is "the README's way to a balanced request is three commands" "$commands" 3
check "they do it" wait_for 20 balances
check "the package says what is next" says 'systemctl enable --now shunt'
check "it goes, and all that it did" sh_machine "apt-get purge -y shunt && ! ls -d /etc/shunt /sys/fs/bpf/shunt 2>/dev/null"

commands=0
each $page "Install"
refuses "without a configuration it does not start" 1 'journalctl' sh_machine "systemctl start shunt"
refuses "and what asks it says what to do" 1 'shunt doctor says' sh_machine "shunt status"
refuses "the doctor says what is wrong: nothing is configured" 6 'interfaces and services are needed' sh_machine "shunt doctor"
block yaml $page | sed 's/eth0/eth7/' | boot tee /etc/shunt/shunt.yaml >/dev/null
refuses "or an interface that is not there" 6 'interface eth7 does not exist' sh_machine "shunt doctor"
boot systemctl stop shunt
block yaml $page | boot tee /etc/shunt/shunt.yaml >/dev/null
each $page "The balancer"
up() { boot shunt backends web --json | jq -e --arg n "$1" --arg state "${2:-up}" '.backends[] | select(.name == $n) | .state == $state'; }
both_up() { up web1 && up web2; }
check "both servers come up" wait_for 20 both_up
check "requests are balanced" wait_for 10 balances

stop web1 KILL
check "a failure is seen" wait_for 30 up web1 down
each $page "The first failure"
check "with its reason" says 'L4CON'
is "requests go on" "$(spread 20 http://$VIP4/)" "20 b2"
web 1
check "and it comes back" wait_for 30 both_up

each $page "The first drain"
check "who is drained is shown, since when and why" says 'drained +[0-9]+ m?s +new disk'
boot sed -i 's/name=web2/& weight=2/' /etc/shunt/shunt.yaml
each $page "The first change"
check "what would change is said" says 'backend web2, .*slots 512 -> 683'
each $page 'The first "why does it not arrive"'
check "each decision is told" says '^verdict +forward_ipip'
load all "http://$VIP4/" 50
pid=$(boot shunt status --json | jq .pid)
each $page "The first upgrade"
check "the daemon runs the new version" says 'runs the new version'
is "in the same process" "$(boot shunt status --json | jq .pid)" "$pid"
stop_load all
is "no request has failed" "$(loaded all failed)" 0 || failures_of all
is "nothing of the page is left out" "$(lines 'sh machine' $page | wc -l)" "$commands"

for other in docs/*.md; do [ "$other" = $page ] || each "$other"; done
check "the balancer still balances" wait_for 10 balances
holds "there were commands" "$commands >= 20"
[ -z "${WALK:-}" ] || cp "$W/walk" "$WALK"
finish
