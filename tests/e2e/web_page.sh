#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The page in a browser: it shows what is, changes as that changes, fits a phone, and asks nobody else for
# anything.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
command -v chromium >/dev/null || skip_all "there is no chromium"
stage 2
companion
web 1
web 2
backends4 1 2 >"$W/web.backends"
config <<END
web: {}
services:
$(service web tcp $VIP4 80 "forward: dsr" "$FAST" "backends_file: web.backends")
END
{
  sed '/^services:/,$d' "$W/shunt.yaml"
  printf 'services:\n  - { name: large, vip: %s, port: 80, forward: dsr, check: none, backends_file: large.backends }\n' $VIP4
} >"$W/large.yaml"
for n in $(seq 0 999); do echo "10.1.$((n / 250)).$((n % 250 + 1)) name=node-$n"; done >"$W/large.backends"
running 2
here=http://127.0.0.1:9466
ask() { on lb curl -s --max-time 5 "$@"; }

# What is behind it.
policy=$(ask -D - -o /dev/null $here/ | tr -d '\r' | sed -n 's/^Content-Security-Policy: //p')
check "its policy allows nothing but its own" grep -q "^default-src 'none'; script-src 'self';" <<<"$policy"
refuses "nor code within it" 1 '' grep -qE "unsafe|https?:|\*" <<<"$policy"
holds "in all it is less than 150 KiB" \
  "$(for f in / /page.css /page.js /graphs.js /icon.svg; do ask $here$f; done | wc -c) < 150 * 1024"
same() { # less what time changes
  local filter='walk(if type == "object" then with_entries(select(.key | test("_ms$|_us$|packets|bytes|flows|total") | not)) else . end)'
  [ "$(ask "$here/api/v1/$1" | jq -S "$filter")" = "$(shunt "$1" --json | jq -S "$filter")" ]
}
for what in status services backends; do check "the JSON of $what is the command's" same $what; done
is "a page of backends" "$(ask "$here/api/v1/backends?service=web&offset=1&limit=1" | jq -c '[.total, .backends[].name]')" '[2,"b2"]'
status_of() { ask -o /dev/null -w '%{http_code}' "$@"; }
is "of no service there are none" "$(status_of "$here/api/v1/backends?service=nonsense")" 404
is "a limit that is none is refused" "$(status_of "$here/api/v1/backends?limit=-1")" 400

# In a browser: one session for all of it.
rows="document.querySelectorAll('.backends tbody tr')"
says() { echo "wait=document.getElementById('$1').innerText.includes('$2')"; }
browse() { on lb timeout 100 "$python" "$E2E/browser.py" "$W/profile$#" "$@" 2>&1 | tee "$W/browser.log"; return "${PIPESTATUS[0]}"; }
check "it shows what is, and what becomes of it" browse light size=1280x900 "open=$here/" \
  "$(says state 'all well')" "$(says map b2)" "$(says map 'eth0 native')" "$(says list 203.0.113.10:80/tcp)" \
  "$(says events 'ready')" "wait=$rows.length === 2" \
  "print=[...$rows].map((r) => r.querySelector('.state').innerText).join()" \
  "run=kill ${pids[web2]}" "$(says state '1 of 2 backends not usable')" "$(says list 'L4CON: connection refused')" \
  "$(says events 'up -> down')" "$(says map down)" \
  "print=getComputedStyle(document.body).backgroundColor" dark "print=getComputedStyle(document.body).backgroundColor" \
  size=390x844 "wait=document.querySelector('#map svg').viewBox.baseVal.width < 390" "print=document.documentElement.scrollWidth" \
  light size=1280x900 "run=cp $W/large.yaml $W/shunt.yaml; $O/shunt -i $INSTANCE --run-dir $W/run reload >/dev/null" \
  "$(says list '/ 1000')" "print=(document.querySelector('details').open = true)" "wait=$rows.length === 50" \
  "print=document.querySelector('.pager button:last-child').click()" "$(says list '51 to 100 of 1000')" "$(says list node-99)" \
  "print=(document.getElementById('find').value = 'nothing', document.getElementById('find').dispatchEvent(new Event('input')))" \
  "$(says list 'No service fits')" \
  "run=sed -i '/^services:/,\$d' $W/shunt.yaml; echo 'services: []' >>$W/shunt.yaml; $O/shunt -i $INSTANCE --run-dir $W/run reload >/dev/null" \
  "$(says list 'There are no services yet')" "$(says state 'no services')" "run=kill -STOP ${pids[shuntd]}" \
  "$(says state 'no answer')" "run=kill -CONT ${pids[shuntd]}" "$(says state 'no services')" "forgive=503 (Service Unavailable)" ||
  sed 's/^/# /' "$W/browser.log"
mapfile -t printed < <(grep -v '^fault' "$W/browser.log")
is "all backends were up" "${printed[0]:-}" '"up,up"'
holds "the dark is dark" "$([ "${printed[1]:-1}" != "${printed[2]:-1}" ]; echo $?) == 0"
is "a phone has nothing to scroll sideways" "${printed[3]:-}" 390

refuses "what its policy forbids is noticed" 1 'fault: .*violates' browse "open=$here/" \
  "print=(document.body.append(Object.assign(document.createElement('script'), {textContent: 'document.title = 1'})), 1)" "run=sleep 0.2"

# Events, to as many as there is room for.
for n in $(seq 32); do start "listener$n" lb curl -sN $here/api/v1/events; done
listen() { [ "$(ask "$here"/metrics | awk '$1 == "shunt_web_streams" { print $2 }')" = "$1" ]; }
check "thirty-two listen" wait_for 5 listen 32
is "one more is refused" "$(status_of $here/api/v1/events)" 503
check "the others are told" wait_for 5 grep -q '"kind": "reload' "$W/listener32.log"
for n in $(seq 32); do stop "listener$n"; done
check "who leaves makes room" wait_for 20 listen 0
finish
