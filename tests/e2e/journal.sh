#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A real journal gets the daemon's lines with fields; without it they are text. The supervisor hears of
# readiness, of the loop that turns, and of the end. Nothing that is secret is in any line.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
journald=/lib/systemd/systemd-journald
if [ ! -x $journald ] || ! command -v journalctl >/dev/null; then skip_all "systemd-journald is not here"; fi
stage 1
companion && decap 1
web 1

# Folders of its own for the journal, and for whom it listens to; the daemon's are the script's.
mkdir -p "$W/run/systemd/journal" "$W/run/log/journal"
run_had=$(ls -d /run/systemd /run/log 2>/dev/null)
mkdir -p /run/systemd /run/log
# shellcheck disable=SC2016 # what the shell there expands
start journald lb unshare -m --propagation private sh -c '
  mount --bind "$0/run/systemd" /run/systemd && mount --bind "$0/run/log" /run/log && exec "$1"' "$W" $journald
journal() { journalctl -q -D "$W/run/log/journal" -o json "$@"; }
check "a journal of its own" wait_for 10 test -S "$W/run/systemd/journal/socket"

cat >"$W/supervisor.py" <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(4096).decode(), flush=True)
END
start supervisor lb "$python" "$W/supervisor.py" "$W/notify"
wait_for 5 test -S "$W/notify"

# What may not be told: these words stand in the configuration or in a file that it names.
install -m 600 /dev/stdin "$W/quic.key" <<<5ec7e70000000000000000005ec7e7f1
config <<END
hash_secret: unsaid-hash-secret
log_level: debug
notify: { webhook: "http://user:unsaid-password@127.0.0.1:9/unsaid-token" }
services:
$(service web tcp $VIP4 80 "forward: ipip" "$FAST" "backends: [$(addr4 1) name=b1]")
$(service api tcp $VIP4 81 "forward: ipip" 'check: { type: http, interval: 200ms, headers: { Authorization: "Bearer unsaid-bearer" } }' "backends: [$(addr4 1) name=b1]")
$(service quic udp $VIP4 443 "forward: ipip" "check: none" "quic_lb: [{ id: 0, server_id_length: 3, nonce_length: 4, key_file: quic.key }]" "backends: [$(addr4 1) name=b1 server_id=c4605e]")
END
# shellcheck disable=SC2016 # what the shell there expands
NOTIFY_SOCKET=$W/notify WATCHDOG_USEC=400000 start shuntd lb \
  nsenter --mount="/proc/${pids[journald]}/ns/mnt" systemd-cat bash -c '
  JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$@"' daemon "$O/shuntd" -c "$W/shunt.yaml"
heard() { grep -qx "$1" "$W/supervisor.log"; }
check "the supervisor hears that it is ready" wait_for 20 heard READY=1
check "with its state" heard 'STATUS=Services: 3, interfaces: 1'
check "and that its loop turns" wait_for 5 heard WATCHDOG=1
kill -STOP "${pids[shuntd]}"
sleep 1
beats=$(grep -c WATCHDOG "$W/supervisor.log")
sleep 0.5
is "not so when it hangs" "$(grep -c WATCHDOG "$W/supervisor.log")" "$beats"
kill -CONT "${pids[shuntd]}"

has() { journal "${@:2}" | jq -es "any(.[]; $1)"; }
check "ready is an entry with an id of its own" wait_for 10 has \
  '.MESSAGE | test("^ready: instance")' MESSAGE_ID="$(sed -n 's/.*EVENT_STARTED\] = "\(.*\)".*/\1/p' user/pure/event_text.c)"
check "the backend is up" wait_for 10 is_state web b1 up
stop web1 KILL
check "a backend that goes down is found by its fields" wait_for 10 has \
  '.PRIORITY == "4" and .SHUNT_FROM == "up" and .SHUNT_CODE == "L4CON" and (.MESSAGE | test("^backend web/b1: up -> down"))' \
  SHUNT_KIND=health SHUNT_SERVICE=web SHUNT_BACKEND=b1 SHUNT_TO=down "SHUNT_INSTANCE=$INSTANCE"
check "and so is its service" wait_for 10 has '.PRIORITY == "4"' SHUNT_KIND=service_empty SHUNT_SERVICE=web
is "one line a transition" "$(journal SHUNT_SERVICE=web SHUNT_TO=down | wc -l)" 1
shunt drain web b1 --reason 'for PRIORITY=0' >/dev/null
check "who and why are fields" wait_for 5 has '.SHUNT_REASON == "for PRIORITY=0"' SHUNT_KIND=edited SHUNT_TO=drained
cp "$W/shunt.yaml" "$W/good.yaml"
sed -i 's,unsaid-token,unsaid token,' "$W/shunt.yaml"
shunt reload >"$W/reload.log" 2>&1
check "a refused reload is an error" wait_for 5 has '.PRIORITY == "3"' SHUNT_KIND=reload_refused
sed -i 's,unsaid-bearer,unsaid\\nbearer,; s,unsaid token,unsaid-token,' "$W/shunt.yaml"
shunt reload >>"$W/reload.log" 2>&1
check "with the same words as the answer" wait_for 5 has '.MESSAGE | test("control character")' SHUNT_KIND=reload_refused
sed 's,^log_level:.*,log_level: error,' "$W/good.yaml" >"$W/shunt.yaml"
check "levels change by a reload" shunt reload
before=$(journal SHUNT_KIND=edited | wc -l)
shunt enable web b1 >/dev/null
sleep 0.2
is "and are held to" "$(journal SHUNT_KIND=edited | wc -l)" "$before"
kill -USR1 "${pids[shuntd]}"
check "a signal turns debugging on" wait_for 5 has '.MESSAGE == "debugging is on"'
shunt drain web b1 >/dev/null
more_than() { [ "$(journal SHUNT_KIND=edited | wc -l)" -gt "$1" ]; }
check "and then all is told" wait_for 5 more_than "$before"
kill -USR1 "${pids[shuntd]}"
check "once more, and it is off" wait_for 5 has '.MESSAGE == "debugging is off"'
is "the level is that of the file" "$(shunt log-level)" "error, as configured"
is "it can be another" "$(shunt log-level info --json | jq -r '.level, .configured')" $'info\nerror'
check "that is told, with who did it" wait_for 5 has \
  '.MESSAGE | test("^log level: info until shuntd starts again, .*configured: error.*, by root")'
before=$(journal SHUNT_KIND=edited | wc -l)
shunt enable web b1 >/dev/null
check "and holds" wait_for 5 more_than "$before"
check "a reload is no reason to forget it" shunt reload
is "it is the same after that" "$(shunt log-level --json | jq -r '.level, .configured')" $'info\nerror'
is "it ends when somebody says so" "$(shunt log-level configured)" "error, as configured"
journal >"$W/all.log"
holds "there is something to look at" "$(wc -l <"$W/all.log") > 10"
is "no secret is in the log, nor in what a reload answers" \
  "$(grep -hiE 'unsaid|5ec7e7' "$W/all.log" "$W/reload.log" "$W/shuntd.log")" ""

ids() { grep -oE '[0-9a-f]{32}' | sort; }
is "the catalogue has words for every kind" "$(ids <configs/shunt.catalog)" \
  "$(grep -v EVENT_OTHER user/pure/event_text.c | ids)"
mkdir -p "$W/root/usr/lib/systemd/catalog" "$W/root/var/lib/systemd/catalog"
cp configs/shunt.catalog "$W/root/usr/lib/systemd/catalog/"
check "and journalctl takes it" journalctl --root="$W/root" --update-catalog
journalctl --root="$W/root" --list-catalog >"$W/catalog"
check "all of it" grep -q 'shunt: shuntd is ready' "$W/catalog"

stop journald KILL
check "a journal that ends takes nobody along" shunt status
check "it ends when told to" stop shuntd
check "which the supervisor hears" wait_for 5 heard STOPPING=1
for folder in /run/systemd /run/log; do
  grep -qx $folder <<<"$run_had" || rmdir $folder 2>/dev/null
done
finish
