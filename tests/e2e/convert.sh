#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt convert: the configurations that tests convert are ones that HAProxy itself takes, and the samples
# that come with keepalived and HAProxy, where they are here, give what shuntd takes, or it is said why not.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
convert() { "$O/shunt" convert "$@" --interface lo --vip 203.0.113.7; }

if command -v haproxy >/dev/null; then
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$W/key" -out "$W/cert" -subj /CN=a -days 1 2>/dev/null
  cat "$W/cert" "$W/key" >"$W/site.pem"
  for file in configs/convert/haproxy.cfg tests/unit/convert/tcp.cfg; do
    sed "s,/etc/haproxy/site.pem,$W/site.pem,; s,/dev/log,127.0.0.1,
      s/\(db\|www\)\.example\.com:\([0-9]\)/10.0.0.13:\2/" $file >"$W/haproxy.cfg"
    check "HAProxy takes $file" haproxy -c -f "$W/haproxy.cfg"
  done
else
  note "HAProxy is not here: what it takes is not asked"
fi

# sample KIND FILE: what is made of it is what shuntd takes, and every line on standard error says where
# and what; where nothing is made there is a reason.
sample() {
  convert "$1" "$2" >"$W/made" 2>"$W/remarks"
  local rc=$?
  if [ $rc -eq 0 ]; then
    check "${2##*/}: shuntd takes what is made" "$O/shuntd" --check -c "$W/made"
  else
    is "${2##*/}: nothing is made, and the last line says why" \
      "$(tail -n 1 "$W/remarks")" "shunt: there is no service in ${2##*/} that shunt could have; the remarks say why"
  fi
  is "and remarks name file and line" "$(grep -v '^shunt: ' "$W/remarks" | grep -vcE "^[^:]*:[0-9]+: .")" 0
}
for file in configs/convert/ipvsadm.rules tests/unit/convert/options.rules configs/convert/keepalived.conf; do
  sample ipvs "$file"
done
for file in configs/convert/keepalived.conf tests/unit/convert/*.conf; do sample keepalived "$file"; done
for file in configs/convert/haproxy.cfg tests/unit/convert/tcp.cfg; do sample haproxy "$file"; done
for file in /usr/share/doc/keepalived/samples/keepalived.conf.*; do
  if [ -f "$file" ] && [ "${file%.gz}" = "$file" ]; then sample keepalived "$file"; fi
done
for file in /usr/share/doc/haproxy/examples/*.cfg; do
  if [ -f "$file" ]; then sample haproxy "$file"; fi
done
finish
