#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Installs what the build, the tests and the demo need and this machine lacks (Debian, Ubuntu).
# Elsewhere it names the packages and exits 1.  tests/deps.sh --list prints what is needed and why;
# --try goes on where it cannot install, since what is needed may be here all the same; --kernels adds
# what "make check-kernels" needs; --demo leaves out what only tests need.
set -eu

# Debian and Ubuntu | Fedora | Arch | why
packages() {
  cat <<'END'
# to build
gcc                  | gcc                  | gcc           | the daemon and the command
libc6-dev            | glibc-devel          | glibc         | the C library and kernel headers
make                 | make                 | make          | the Makefile
CLANG                | clang                | clang         | compiles the packet path to BPF (14 or newer)
BPFTOOL              | bpftool              | bpf           | makes the skeleton that embeds it
pkg-config           | pkgconf              | pkgconf       | finds the libraries
git                  | git                  | git           | lint looks at tracked files only
libbpf-dev           | libbpf-devel         | libbpf        | loads and reads the packet path
libelf-dev           | elfutils-libelf-devel| libelf        | libbpf needs it
zlib1g-dev           | zlib-devel           | zlib          | libbpf needs it
libnl-3-dev          | libnl3-devel         | libnl         | links, routes, neighbours
libmnl-dev           | libmnl-devel         | libmnl        | stats over netlink
libevent-dev         | libevent-devel       | libevent      | the event loop
libyaml-dev          | libyaml-devel        | libyaml       | the configuration
libcurl4-openssl-dev | libcurl-devel        | curl          | http and grpc checks
libssl-dev           | openssl-devel        | openssl       | tls checks, certificates in words
libc-ares-dev        | c-ares-devel         | c-ares        | dns checks
libpcre2-dev         | pcre2-devel          | pcre2         | expect_regex of checks
libxdp-dev           | libxdp-devel         | libxdp        | attach: shared (where there is one)
libcap-ng-dev        | libcap-ng-devel      | libcap-ng     | the probe child drops its capabilities
libseccomp-dev       | libseccomp-devel     | libseccomp    | the web process's system calls
libsodium-dev        | libsodium-devel      | libsodium     | what balancers tell each other is sealed
scdoc                | scdoc                | scdoc         | the manual pages (without it there are none)
libpcap-dev          | libpcap-devel        | libpcap       | captures, filters of packets
libncurses-dev       | ncurses-devel        | ncurses       | the screen of shunt top
# to test
libcmocka-dev        | libcmocka-devel      | cmocka        | unit and packet tests
clang-format         | clang-tools-extra    | clang         | lint: layout
universal-ctags      | ctags                | ctags         | lint: size of functions
shellcheck           | ShellCheck           | shellcheck    | lint: scripts
python3              | python3              | python        | small servers and clients of the tests
python3-scapy        | python3-scapy        | scapy         | odd packets
openssl              | openssl              | openssl       | AES beside that of the packet path
# for the packages
debhelper            | -                    | -             | make deb
lintian              | -                    | -             | its opinion of them
rpm                  | rpm-build            | rpm-tools     | make rpm
# for the demo
iproute2             | iproute              | iproute2      | namespaces, links, addresses
ethtool              | ethtool              | ethtool       | checksum offload of veth off
util-linux           | util-linux           | util-linux    | flock, nsenter, setpriv
procps               | procps-ng            | procps-ng     | ps, sysctl
nginx-light          | nginx                | nginx         | backends
curl                 | curl                 | curl          | requests, one by one
wrk                  | wrk (copr)           | wrk           | requests, many at once
jq                   | jq                   | jq            | reads JSON output
# for the end-to-end tests
iputils-ping         | iputils              | iputils       | echo requests
bird2                | bird                 | bird          | announces an address by BGP
dnsmasq-base         | dnsmasq              | dnsmasq       | a name server to be checked
systemd              | systemd              | systemd       | a journal; its opinion of the units
systemd-container    | systemd-container    | systemd       | boots a machine whose units are tried
python3-h2           | python3-h2           | python-h2     | a gRPC server to be checked
haproxy              | haproxy              | haproxy       | a server to be checked, and a peer by whose words to go
xdp-tools            | xdp-tools            | xdp-tools     | other programs beside shunt's
libfaketime          | libfaketime          | libfaketime   | a wall clock that jumps
prometheus           | golang-github-prometheus | prometheus | metrics, dashboard and alert rules tried
chromium             | chromium             | chromium      | looks at the page
tmux                 | tmux                 | tmux          | a terminal that can be looked at
man-db               | man-db               | man-db        | reads the manual pages
groff                | groff                | groff         | warns of what is wrong in them
zsh                  | zsh                  | zsh           | its completion
fish                 | fish                 | fish          | its completion
END
}

kernel_packages() {
  cat <<'END'
# for make check-kernels
qemu-system-x86      | qemu-system-x86-core | qemu-base     | runs other kernels
busybox-static       | busybox              | busybox       | their first process
kmod                 | kmod                 | kmod          | their modules
cpio                 | cpio                 | cpio          | their initramfs
END
}

wanted() {
  { packages && { [ -z "$kernels" ] || kernel_packages; }; } |
    awk -v demo="$demo" '/^#/ { on = !demo || /^# (to build|for the demo)$/; next } on'
}

# True when dpkg has it installed.
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# True when apt could install it.
available() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'; }

# The newest clang there is, unless one that is new enough stands here already.
clang_package() {
  local n
  for n in $(seq 30 -1 14); do
    if command -v "clang-$n" >/dev/null; then return; fi
  done
  for n in $(seq 30 -1 14); do
    if available "clang-$n"; then echo "clang-$n" && return; fi
  done
  echo clang
}

# Ubuntu before 25.04 has it in its kernel's tools only.
bpftool_package() {
  if PATH=$PATH:/usr/sbin bpftool version >/dev/null 2>&1; then return; fi
  if available bpftool; then echo bpftool; else echo linux-tools-common linux-tools-generic; fi
}

missing() {
  local name
  wanted | while read -r name _; do
    case $name in
    CLANG) clang_package ;;
    BPFTOOL) bpftool_package ;;
    nginx-light) command -v nginx /usr/sbin/nginx >/dev/null || echo nginx-light ;;
    libxdp-dev | xdp-tools | prometheus | chromium) installed "$name" || ! available "$name" || echo "$name" ;;
    *) installed "$name" || echo "$name" ;;
    esac
  done | xargs
}

# Packages that bring a daemon (nginx) must not start it here: the tests start their own.
no_daemons() {
  policy=/usr/sbin/policy-rc.d
  [ -e $policy ] && return
  trap 'rm -f $policy' EXIT
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod +x $policy
}

elsewhere() {
  local column=2
  [ -z "$try" ] || exit 0
  echo "deps: this is neither Debian nor Ubuntu; install these with its package manager:"
  if command -v pacman >/dev/null; then column=3; fi
  wanted | awk -F'|' -v c=$column '{gsub(/^ +| +$/, "", $c); if ($c == "-") next; gsub(/^ +/, "", $4);
    printf "  %-22s %s\n", $c, $4}'
  exit 1
}

try='' kernels='' demo=''
for word; do
  case $word in
  --list) packages && kernel_packages && exit ;;
  --try) try=1 ;;
  --kernels) kernels=1 ;;
  --demo) demo=1 ;;
  esac
done
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then elsewhere; fi

lacking=$(missing)
if [ -z "$lacking" ]; then
  [ -n "$try" ] || echo "deps: everything is here"
  exit
fi
echo "deps: missing: $lacking"
if [ "$(id -u)" -ne 0 ]; then
  echo "deps: installing needs root: sudo make deps" >&2
  [ -n "$try" ]
  exit
fi
export DEBIAN_FRONTEND=noninteractive
# Package lists that are missing or too old for the mirror: update, and look for versions again.
# shellcheck disable=SC2086 # a list of words
if ! apt-get install -qq --no-install-recommends --dry-run $lacking >/dev/null 2>&1; then
  apt-get update -qq
  lacking=$(missing)
fi
no_daemons
said=$(mktemp)
# shellcheck disable=SC2086 # a list of words
install_them() { apt-get install -qq -y --no-install-recommends $lacking </dev/null >"$said" 2>&1; }
install_them || { apt-get update -qq && install_them; } || { cat "$said" >&2 && exit 1; }
rm -f "$said"
# Nor when the machine starts again.
for daemon in nginx-light:nginx haproxy:haproxy bird2:bird prometheus:prometheus; do
  if [ -d /run/systemd/system ] && grep -qw -- "${daemon%:*}" <<<"$lacking"; then
    systemctl disable -q "${daemon#*:}" || true
  fi
done
echo "deps: installed"
