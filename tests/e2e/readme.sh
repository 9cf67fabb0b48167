#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What docs/methods.md tells backends to do: each block of commands is run as it stands there, on a
# backend that has nothing else, and real TCP and UDP go through the service.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
manual=docs/methods.md
dsr=dsr # every method, so that none is forgotten

# blocks KIND: the lists of methods that such blocks are for, one a line.
blocks() { sed -n "s/^\`\`\`sh $1 //p" $manual; }
# block KIND METHODS: the commands.
block() { sed -n "/^\`\`\`sh $1 $2\$/,/^\`\`\`\$/p" $manual | sed '1d;$d'; }

# follow NS KIND METHODS: runs a block there, with shunt in the path.
follow() {
  block "$2" "$3" >"$W/block"
  [ -s "$W/block" ] || return
  PATH=$O:$PATH on "$1" bash -e "$W/block"
}

# bare N: a backend with an address and a default route, and nothing said of VIPs.
bare() {
  namespace "b$1"
  plug "b$1" eth0 "b$1" 1600
  address "b$1" eth0 "$(addr4 "$1")/24"
  on "b$1" ip route add default via 10.0.0.1
  on "b$1" ethtool -K eth0 tx off >/dev/null
}

# bare_end N: all of it goes, the servers first.
bare_end() {
  stop "web$1" KILL
  stop "udp$1" KILL
  ip netns del "$P-b$1"
  on sw ip link del "b$1" 2>/dev/null
  wait_for 5 eval "! on sw ip link show b$1"
}

# through METHOD WORDS: TCP and UDP by that method to b1, which serves already.
through() {
  config <<END
services:
$(service web tcp $VIP4 80 "forward: $1" "check: none" "backends: [10.0.0.11]")
$(service dns udp $VIP4 5353 "forward: $1" "check: none" "backends: [10.0.0.11]")
END
  check "$1: shuntd starts" shuntd_start || return
  check "$1: the backend is up" wait_for 5 all_up 2 || shunt backends | sed 's/^/# /'
  is "$1: TCP, $2" "$(spread 20 http://$VIP4/)" "20 b1"
  is "$1: UDP, $2" "$(ask_udp $VIP4 5353 20 5)" "20 b1"
  is "$1: by that method" "$(shunt stats --json | jq "[.verdicts[] | select(.name == \"forward_$1\").packets > 100] | any")" true
  shuntd_stop
  on lb "$O/shuntd" --remove -c "$W/shunt.yaml" >/dev/null 2>&1
}

stage 0
companion
for kind in backend kernel; do
  while read -r list; do
    for method in $list; do
      bare 1
      if [ $kind = kernel ] && ! follow b1 kernel "$list" >"$W/said" 2>&1; then
        echo "ok $((++cases)) - $method: with the kernel's device # SKIP not on this kernel: $(tail -n 1 "$W/said")"
      elif [ $kind = kernel ] || check "$method: the backend does what the manual says" follow b1 backend "$list"; then
        web 1 80 && udp 1 5353
        through "$method" "after the $kind's commands"
        [ $kind = kernel ] || dsr="$dsr $method"
      fi
      bare_end 1
    done
  done < <(blocks $kind)
done
for method in dsr ipip gue gre nat masq; do
  check "the manual says what $method needs" grep -qw "$method" <<<"$dsr"
done

# The balancer is the backend.
check "local: the balancer does what the manual says" follow lb balancer local
cat >"$W/answer.py" <<'END'
import http.server
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"lb\n")
http.server.ThreadingHTTPServer(("0.0.0.0", 80), Answer).serve_forever()
END
start answer lb "$python" "$W/answer.py"
start udp-lb lb "$python" "$E2E/udp.py" serve lb 5353
wait_for 5 on lb curl -sf http://127.0.0.1/
wait_for 5 on lb "$python" "$E2E/udp.py" ask 127.0.0.1 5353 1
config <<END
services:
$(service web tcp $VIP4 80 "forward: local" "check: none")
$(service dns udp $VIP4 5353 "forward: local" "check: none")
END
check "local: shuntd starts" shuntd_start || finish
is "local: nothing is said of an address that is not there" "$(grep -c 'is not this host' "$W/shuntd.log")" 0
is "local: TCP" "$(spread 20 http://$VIP4/)" "20 lb"
is "local: UDP" "$(ask_udp $VIP4 5353 20 5)" "20 lb"
finish
