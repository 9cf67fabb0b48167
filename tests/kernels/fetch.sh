#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Unpacks a kernel of Debian's: tests/kernels/fetch.sh DIRECTORY SUITE[:PACKAGE] | PACKAGE-FILE.deb...
#
# A SUITE (bookworm, trixie, sid) is asked for linux-image-amd64, or PACKAGE, and what it depends on;
# from the mirror that apt uses here, with its proxy and keys, but with lists of its own, so that the
# machine's sources stay as they are.  MIRROR names another one, ARCH another architecture.
# Leaves DIRECTORY/vmlinuz, DIRECTORY/modules/VERSION with its indices, and DIRECTORY/version.
set -eu
dir=$1 wanted=$2
shift
for tool in dpkg-deb depmod apt-get; do
  PATH=$PATH:/usr/sbin command -v $tool >/dev/null || { echo "fetch: $tool is not here" >&2 && exit 1; }
done
PATH=$PATH:/usr/sbin
ARCH=${ARCH:-amd64}
mkdir -p "$dir/debs"
dir=$(realpath "$dir")

# The mirror in apt's own sources, else Debian's.
mirror() {
  # shellcheck disable=SC2016 # apt's own variables
  apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    sed -n 's/^Debian \(.*debian\)\/$/\1/p' | head -n 1
}

apt() {
  local command=$1
  shift
  "apt-$command" -q -o Dir::Etc::sourcelist="$dir/apt/sources" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$dir/apt/lists" -o Dir::State::status="$dir/apt/status" \
    -o Dir::Cache="$dir/apt/cache" -o APT::Architecture="$ARCH" -o APT::Architectures="$ARCH" \
    -o APT::Sandbox::User=root "$@"
}

# needs PACKAGE: it and the packages with kernel and modules that it depends on.
needs() {
  local name
  echo "$1"
  apt cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances "$1" | sed -nE 's/^ +\|?Depends: (linux-(image|modules|binary)-.*)/\1/p' |
    while read -r name; do needs "$name"; done
}

download() {
  local suite=${1%%:*} package=linux-image-$ARCH
  [ "$suite" = "$1" ] || package=${1#*:}
  mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
  : >"$dir/apt/status"
  echo "deb ${MIRROR:-$(mirror | grep . || echo http://deb.debian.org/debian)} $suite main" \
    >"$dir/apt/sources"
  apt get -q update
  # shellcheck disable=SC2046 # a list of words
  (cd "$dir/debs" && apt get download $(needs "$package" | sort -u))
}

if [[ $wanted == *.deb ]]; then
  cp "$@" "$dir/debs"
else
  download "$wanted"
fi
for deb in "$dir"/debs/*.deb; do dpkg-deb -x "$deb" "$dir/root"; done
# boot/vmlinuz-VERSION, or modules/VERSION/vmlinuz.
vmlinuz=$(find "$dir/root" -name 'vmlinuz*' | sort -V | tail -n 1)
[ -n "$vmlinuz" ] || { echo "fetch: no kernel in $wanted" >&2 && exit 1; }
version=${vmlinuz##*/vmlinuz-}
[ "$version" != "$vmlinuz" ] || version=$(basename "$(dirname "$vmlinuz")")
# Hardware that no guest has is most of it.
find "$dir/root" -type d \( -path '*/kernel/sound' -o -path '*/drivers/net/ethernet' \
  -o -path '*/drivers/net/wireless' -o -regextype posix-extended \
  -regex '.*/kernel/drivers/(gpu|media|staging|infiniband|usb|iio|scsi|hid|mtd|isdn|input|video)' \) \
  -prune -exec rm -rf {} +
mkdir -p "$dir/modules/lib"
modules=$(find "$dir/root" -type d -path "*lib/modules/$version" | head -n 1)
mv "$vmlinuz" "$dir/vmlinuz"
mv "$modules" "$dir/modules/$version"
ln -sfn .. "$dir/modules/lib/modules"
depmod -b "$dir/modules" "$version"
rm -rf "$dir/root" "$dir/debs" "$dir/apt"
echo "$version" >"$dir/version"
