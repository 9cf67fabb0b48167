#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The first process of the guest, in its initramfs (busybox): the host's root, read-only under a layer in
# memory, this kernel's modules in it, and then the command that stands in /share/command.
export PATH=/bin
console=/dev/console
say() { echo "init: $*" >"$console"; }
stop() {
  say "$*"
  busybox poweroff -f
}
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /low /up /root /share
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do
  insmod "/modules/$module" 2>/dev/null || say "cannot load $module"
done </modules/order
p9="trans=virtio,version=9p2000.L,msize=262144"
mount -t 9p -o "$p9,ro,cache=loose" host /low || stop "no root"
mount -t 9p -o "$p9" share /share || stop "no share"
mount -t tmpfs -o mode=755,size=75% up /up
mkdir /up/top /up/work
mount -t overlay -o lowerdir=/low,upperdir=/up/top,workdir=/up/work overlay /root || stop "no overlay"
for dir in proc sys dev; do mount --move /$dir /root/$dir; done
console=/root/dev/console
mkdir -p /root/run /root/lib/modules /root/tmp
mount -t tmpfs -o mode=755 run /root/run
mount -t tmpfs tmp /root/tmp
mkdir -p /root/run/lock /root/run/share /root/dev/shm /root/dev/pts
mount --move /share /root/run/share
mount -t tmpfs shm /root/dev/shm
mount -t devpts pts /root/dev/pts
mount -t bpf bpf /root/sys/fs/bpf
mount -t debugfs debugfs /root/sys/kernel/debug
mount -t tracefs tracefs /root/sys/kernel/tracing
mount --bind "/root$(cat /root/run/share/modules)" /root/lib/modules
ln -sfn /proc/self/fd /root/dev/fd
# The kernel looks for modprobe where this process lives.
printf '#!/bin/sh\nexec /bin/chroot /root /sbin/modprobe "$@"\n' >/bin/modprobe-there
chmod +x /bin/modprobe-there
echo /bin/modprobe-there >/root/proc/sys/kernel/modprobe
/bin/modprobe-there tun
ip link set lo up
hostname guest
say "up after $(cut -d " " -f 1 /root/proc/uptime) s"
chroot /root /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
  TERM=dumb /bin/bash /run/share/command >/root/run/share/out 2>&1 </root/dev/null
echo $? >/root/run/share/status
sync
busybox poweroff -f
