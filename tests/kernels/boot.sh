#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs a command under another kernel: tests/kernels/boot.sh DIRECTORY COMMAND [ARGUMENT...]
#
# DIRECTORY is what fetch.sh left.  The guest (qemu, without KVM if there is none) sees this machine's
# files, and what it writes is gone with it.  The command runs as root, from this directory; its output and exit
# status are the command's.  TIME is the limit in seconds (124 when it is over), CPUS and MEMORY (in MB)
# the guest's size, CONSOLE a file for what the kernel says.
set -u
kernel=$(realpath "$1")
shift
here=$(realpath "$(dirname "$0")")
work=$(mktemp -d /tmp/shunt-boot.XXXXXX) || exit 1
qemu=
cleanup() {
  [ -z "$qemu" ] || kill "$qemu" 2>/dev/null # timeout passes it on
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# What it takes to see the host's files, each after what it needs.
modules() {
  local name
  for name in virtio_pci 9pnet_virtio 9p overlay virtio_rng; do
    modprobe -d "$kernel/modules" -S "$(cat "$kernel/version")" -D "$name" 2>/dev/null
  done | sed -n 's/^insmod //p' | awk '!seen[$1]++ {print $1}'
}

initramfs() {
  local root=$work/initramfs file plain
  mkdir -p "$root/bin" "$root/modules" "$root/dev"
  cp "$(command -v busybox)" "$root/bin/busybox"
  ln -s busybox "$root/bin/sh"
  cp "$here/init.sh" "$root/init"
  chmod +x "$root/init"
  : >"$root/modules/order"
  for file in $(modules); do
    plain=$(basename "${file%.[gxz]*}")
    plain=${plain%.ko}.ko
    case $file in
    *.xz) xz -dc "$file" >"$root/modules/$plain" ;;
    *.gz) gzip -dc "$file" >"$root/modules/$plain" ;;
    *.zst) zstd -qdc "$file" >"$root/modules/$plain" ;;
    *) cp "$file" "$root/modules/$plain" ;;
    esac
    echo "$plain" >>"$root/modules/order"
  done
  (cd "$root" && find . | cpio --quiet -o -H newc) >"$work/initramfs.cpio"
}

initramfs
mkdir "$work/share"
{
  printf 'cd %q || exit 1\n' "$PWD"
  # Of the caller's environment what the tests read.
  for name in O P LIMIT SLOW FILTER MANY; do
    [ -z "${!name:-}" ] || printf 'export %s=%q\n' "$name" "${!name}"
  done
  printf '%q ' "$@"
  echo
} >"$work/share/command"
echo "$kernel/modules" >"$work/share/modules"
: >"$work/share/out"
accel=tcg
[ -n "${KVM:-}" ] && accel=kvm
timeout -k 5 "${TIME:-600}" qemu-system-x86_64 -machine q35,accel=$accel -cpu max -smp "${CPUS:-2}" -m "${MEMORY:-3072}" \
  -nodefaults -no-user-config -display none -no-reboot -serial "file:${CONSOLE:-$work/console}" \
  -device virtio-rng-pci -kernel "$kernel/vmlinuz" -initrd "$work/initramfs.cpio" \
  -append "console=ttyS0 quiet panic=-1 mitigations=off" \
  -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
  -virtfs local,path="$work/share",mount_tag=share,security_model=none \
  </dev/null >"$work/qemu" 2>&1 &
qemu=$!
tail -n +1 -f --pid=$qemu -s 0.5 "$work/share/out"
wait $qemu
status=$?
qemu=
[ -e "$work/share/status" ] && exit "$(cat "$work/share/status")"
echo "boot: the guest ended without a result ($([ $status -eq 124 ] && echo "after ${TIME:-600} s" || echo "status $status")); it said:"
cat "$work/qemu"
tail -n 40 "${CONSOLE:-$work/console}"
exit $((status == 124 ? 124 : 1))
