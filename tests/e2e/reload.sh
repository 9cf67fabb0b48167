#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every way to change the configuration, under load: what is right takes effect, what is wrong changes
# nothing, and no request fails.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
stage 3
companion && decap 1 2 3
for n in 1 2 3; do web $n 80 81; done
backends4 1 2 >"$W/web.backends"
# Load goes to turns: rr remembers flows, so that no change of the pool may cost a request.
web_service() {
  service web tcp $VIP4 80 "forward: ipip" "$FAST" "backends_file: web.backends"
  service turns tcp $VIP6 80 "scheduler: rr" "forward: ipip" "$FAST" "backends_file: web.backends"
}
config <<END
services:
$(web_service)
END
running 4
answering() { spread 60 "http://$VIP4/" | awk '{print $2}' | xargs; }
answers() { [ "$(answering)" = "$1" ]; }

load web "http://[$VIP6]/" 200
echo "10.0.0.13 name=b3" >>"$W/web.backends"
check "a line added to the backends file takes effect" wait_for 5 answers "b1 b2 b3"
check "b3 is drained before it is taken away" shunt drain turns b3
sleep 0.3
backends4 1 2 >"$W/new"
mv "$W/new" "$W/web.backends"
check "a file moved over it takes effect" wait_for 5 answers "b1 b2"
printf '%s\n' 10.0.0.11 "10.0.0.12 weight=" >"$W/new"
mv "$W/new" "$W/web.backends"
said() { grep -q "$1" "$W/shuntd.log"; }
check "a bad line is refused, with file and line" wait_for 5 said 'web.backends:2:'
is "and changes nothing" "$(answering)" "b1 b2"
refuses "a reload by hand says so too" 1 'web.backends:2:' shunt reload
backends4 1 2 3 >"$W/web.backends"
check "the next good file takes effect" wait_for 5 answers "b1 b2 b3"

config <<END
services:
$(web_service)
$(service more tcp $VIP4 81 "forward: ipip" "$FAST" "backends_file: web.backends")
END
is "a service that is not read yet does not answer" "$(get http://$VIP4:81/; echo $?)" 28
kill -HUP "${pids[shuntd]}"
check "SIGHUP adds a service" wait_for 5 get "http://$VIP4:81/"
echo "services: [" >>"$W/shunt.yaml"
refuses "a broken file is refused" 1 'shunt.yaml:[0-9]+' shunt reload
kill -HUP "${pids[shuntd]}"
sleep 0.3
is "and changes nothing, by SIGHUP neither" "$(answering)$(get "http://$VIP4:81/" | cut -c 1)" "b1 b2 b3b"
: >"$W/shunt.yaml"
refuses "so is an empty one" 1 'shunt.yaml' shunt reload
config <<END
services:
$(web_service)
END
check "shunt reload removes a service" shunt reload
is "which no longer answers" "$(get http://$VIP4:81/; echo $?)" 28

check "a backend is drained by hand" shunt drain web b3
check "and gets no new connections" wait_for 2 answers "b1 b2"
check "a backend is enabled by hand" shunt enable web b3
check "and gets them again" wait_for 2 answers "b1 b2 b3"
check "a weight is changed by hand" shunt weight web b1 5
sed -i '/b1/s/$/ weight=2/' "$W/web.backends"
check "a reload that contradicts it says which won" wait_for 5 said 'runtime weight 5 of web/b1 is dropped'
is "and the file's is in force" "$(shunt backends web --json | jq '.backends[] | select(.name == "b1").weight')" 2
stop_load web
failures_of web
note "$(loaded web total) requests"
is "no request failed in all of this" "$(loaded web failed)" 0
finish
