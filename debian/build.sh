#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# debian/build.sh [--if-older] FOLDER: builds the Debian packages there, from a copy, so that nothing generated is
# in the tree; as nobody where it is run as root; or only where they are older than what they are made of.
set -eu
cd "$(dirname "$0")/.."
older=
if [ "$1" = --if-older ]; then older=1 && shift; fi
mkdir -p "$1"
to=$(realpath "$1")
exec 8>"$to.lock"
flock 8
is_new() {
  [ -e "$to/build.log" ] && ls "$to"/*.deb >/dev/null 2>&1 &&
    [ -z "$(find bpf include user debian configs docs README.md Makefile -newer "$to/build.log" -type f | head -n 1)" ]
}
if [ -n "$older" ] && is_new; then exit; fi
rm -rf "${to:?}"/* && mkdir "$to/shunt"
tar -c --exclude=./build --exclude=./build-san --exclude=./.git . | tar -x --no-same-owner -C "$to/shunt"
unset MAKEFLAGS MFLAGS MAKELEVEL
cpus=$(nproc)
export DEB_BUILD_OPTIONS="nocheck parallel=$cpus ${DEB_BUILD_OPTIONS:-}"
as=()
if [ "$(id -u)" -eq 0 ]; then
  # Above it may stand folders that nobody may pass: build where it may, and fetch what came of it.
  at=$(mktemp -d)
  trap 'rm -rf "$at"' EXIT
  mv "$to/shunt" "$at/"
  chown -R nobody "$at"
  as=(setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$at")
  cd "$at/shunt"
else
  cd "$to/shunt"
fi
"${as[@]}" dpkg-buildpackage -us -uc -b >"$to/build.log" 2>&1 || {
  tail -n 30 "$to/build.log" >&2
  exit 1
}
cd ..
for file in shunt*_*; do
  [ "$PWD" = "$to" ] || install -m 644 "$file" "$to/"
done
ls "$to"/*.deb
