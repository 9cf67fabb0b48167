#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Events run a program and are posted to a webhook; what hangs, fails or forks costs nothing else.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 2
companion && decap 1 2
for n in 1 2; do web $n; done
chmod 755 "$W"
mkdir -m 777 "$W/out"
cat >"$W/tell" <<END
#!/bin/sh
if [ -e $W/out/hang ]; then echo \$\$ >>$W/out/pids; sleep 1000 & echo \$! >>$W/out/pids
  setsid sh -c 'echo \$\$ >>$W/out/pids; (sleep 1000 & echo \$! >>$W/out/pids; wait)'; wait; fi
{ id -un; echo "\$1 \$SHUNT_SERVICE \$SHUNT_BACKEND \$SHUNT_FROM \$SHUNT_TO \$SHUNT_CODE"; } >>$W/out/told
cat >>$W/out/json
END
chmod 755 "$W/tell"
cat >"$W/hook.py" <<'END'
import http.server, os, socketserver, sys, time
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        while os.path.exists(sys.argv[1] + "/hang"): time.sleep(0.1)
        open(sys.argv[1] + "/posted", "ab").write(body)
        self.send_response(500 if os.path.exists(sys.argv[1] + "/refuse") else 204)
        self.end_headers()
    def log_message(self, *a): pass
class Server(http.server.ThreadingHTTPServer):
    def server_bind(self): # not the base's, which asks a name server for its name
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "hook", 9009
Server(("127.0.0.1", 9009), Hook).serve_forever()
END
start hook lb "$python" "$W/hook.py" "$W/out"
wait_for 10 on lb bash -c 'exec 3<>/dev/tcp/127.0.0.1/9009'
config <<END
notify: { exec: [$W/tell, arg], webhook: "http://127.0.0.1:9009/x", timeout: 2s, rate: 600 }
services:
$(service web tcp $VIP4 80 "forward: ipip" "$FAST" "backends: [$(addr4 1) name=b1, $(addr4 2) name=b2]")
END
running 2
told() { grep -qx "$1" "$W/out/told"; }
posted() { jq -es "any(.[]; $1)" "$W/out/posted"; }
said() { grep -q -- "$1" "$W/shuntd.log"; }

stop web2 KILL
check "a program is run, with the event in its environment" wait_for 15 told "arg web b2 up down L4CON"
is "as a user without privileges" "$(head -n 1 "$W/out/told")" nobody
check "and as JSON on its standard input" wait_for 5 jq -e 'select(.backend == "b2") | .to == "down" and .check == null' "$W/out/json"
check "the webhook has the same" wait_for 15 posted '.backend == "b2" and .to == "down" and (.text | test("refused"))'
is "nobody is told of the start" "$(grep -c starting "$W/out/told")" 0

touch "$W/out/hang"
web 2
check "while both hang, checks go on" wait_for 5 is_state web b2 up
check "the program is killed, which is said" wait_for 15 said 'tell: had not ended after 2000 ms and was killed'
holds "it had started three more, two of them in a session of their own" "$(sort -u "$W/out/pids" | wc -l) >= 4"
check "with all that it has started" wait_for 10 sh -c "! kill -0 \$(cat $W/out/pids) 2>/dev/null"
check "the webhook's silence is said" wait_for 15 said 'webhook 127.0.0.1:9009: Timeout was reached, tried 3 times'
rm "$W/out/hang"
shunt drain web b1 >/dev/null
check "then they are told again" wait_for 15 told "arg web b1 up drained "
check "of edits, too" wait_for 15 posted '.backend == "b1" and .kind == "edited" and .to == "drained" and (.by | test("uid 0"))'
sed -i "s,$W/tell,$W/nosuch," "$W/shunt.yaml"
shunt reload >/dev/null && shunt enable web b1 >/dev/null
check "a program that is not there is said to be so" wait_for 15 said 'nosuch: exit status 127: it could not be run'
finish
