#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The page in a browser: it shows what is, changes as that changes, fits a phone, and asks nobody else for
# anything.
# shellcheck source-path=SCRIPTDIR disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"
command -v chromium >/dev/null || skip_all "there is no chromium"
watched_web
{
  sed '/^services:/,$d' "$W/shunt.yaml"
  printf 'services:\n  - { name: large, vip: %s, port: 80, forward: dsr, check: none, backends_file: large.backends }\n' $VIP4
} >"$W/large.yaml"
{
  sed '/^services:/,$d' "$W/shunt.yaml"
  echo "services:"
  for n in $(seq 100); do
    service "many-$n" tcp "203.0.113.$n" 80 "forward: dsr" "check: none" "backends: [$([ "$n" -lt 100 ] && addr4 1 || echo 10.0.0.99)]"
  done
} >"$W/many.yaml"
for n in $(seq 0 999); do echo "10.1.$((n / 250)).$((n % 250 + 1)) name=node-$n"; done >"$W/large.backends"
running 2
here=http://127.0.0.1:9466
ask() { on lb curl -s --max-time 30 "$@"; }

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
for what in status services backends; do check "the JSON of $what is the command's" wait_for 2 same $what; done
is "a page of backends" "$(ask "$here/api/v1/backends?service=web&offset=1&limit=1" | jq -c '[.total, .backends[].name]')" '[2,"b2"]'
status_of() { ask -o /dev/null -w '%{http_code}' "$@"; }
is "of no service there are none" "$(status_of "$here/api/v1/backends?service=nonsense")" 404
b1="$here/api/v1/history?service=web&backend=b1"
is "a backend's history is the command's" "$(ask "$b1" | jq -S .)" "$(shunt history web b1 --json | jq -S .)"
for _ in $(seq 45); do shunt drain web b1 && shunt enable web b1; done >/dev/null
is "one that takes several of the daemon's answers too" "$(ask "$b1" | jq -S .)" "$(shunt history web b1 --json | jq -S .)"
holds "and all of it" "$(ask "$b1" | jq '.history | length') >= 90"
is "and the newest of it" "$(ask "$b1&limit=2" | jq -c '[.history[].to]')" "$(shunt history web b1 --json | jq -c '[.history[:2][].to]')"
is "many may ask at once" "$(for _ in $(seq 20); do ask -o "$W/past" -w '%{http_code}\n' "$b1" & done | sort | uniq -c | xargs)" "20 200"
for q in "" "service=web" "service=web&backend=b9" "service=none&backend=b1"; do
  is "of nobody ($q) there is none" "$(status_of "$here/api/v1/history?$q")" 404
done
is "nor so many" "$(status_of "$b1&limit=101") $(status_of "$b1&limit=0")" "400 400"
kill -STOP "${pids[shuntd]}"
is "a daemon that does not answer is told" "$(status_of "$b1")" 503
kill -CONT "${pids[shuntd]}"
check "and asked again when it does" wait_for 5 eval '[ "$(status_of "$b1")" = 200 ]'
is "a limit that is none is refused" "$(status_of "$here/api/v1/backends?limit=-1")" 400

# In a browser: one session for all of it.
rows="document.querySelectorAll('.backends tbody tr')"
# past N EXPRESSION: of the element with that backend's history.
past() { echo "(document.querySelectorAll('.history')[$1]$2)"; }
says() { echo "wait=document.getElementById('$1').innerText.includes('$2')"; }
browse() { on lb timeout 100 "$python" "$E2E/browser.py" "$W/profile$#" "$@" 2>&1 | tee "$W/browser.log"; return "${PIPESTATUS[0]}"; }
# At any width reasons have room, and nothing is cut off at the right.
fits="[...document.querySelectorAll('.why')].every((w) => w.clientWidth > 200) &&
  [...document.querySelectorAll('.table')].every((t) => t.scrollWidth <= t.clientWidth)"
widths=()
for n in 360 640 641 860 861 1180 1181 1400; do
  widths+=("size=${n}x900" "wait=document.documentElement.clientWidth === $n && $fits")
done
check "it shows what is, and what becomes of it" browse light size=1280x900 "open=$here/" \
  "$(says state 'all well')" "$(says map b2)" "$(says map 'eth0 native')" "$(says list 203.0.113.10:80/tcp)" \
  "$(says events 'enabled')" "wait=$rows.length === 2" \
  "print=[...$rows].map((r) => r.querySelector('.state').innerText).join()" \
  "run=kill ${pids[web2]}" "$(says state '1 of 2 backends not usable')" "$(says list 'L4CON: connection refused')" \
  "$(says events 'up -> down')" "$(says map down)" \
  "print=document.querySelectorAll('.history li').length" \
  "print=$(past 1 ".firstChild.click()")" "wait=$(past 1 ".querySelectorAll('li').length") > 1" \
  "wait=/up →\s*down[^]*connection refused/.test($(past 1 .innerText))" \
  "print=$(past 0 .firstChild).focus()" key=Enter "wait=$(past 0 ".querySelectorAll('li').length") === 12" \
  "wait=/drained →\s*up[^]*by root .uid 0./.test($(past 0 .innerText))" \
  "run=$O/shunt -i $INSTANCE --run-dir $W/run drain web b1 >/dev/null" \
  "wait=/up →\s*drained/.test($(past 0 ".querySelector('li').innerText"))" \
  "print=$(past 0 .open) && $(past 1 .open) && document.activeElement === $(past 0 .firstChild)" \
  "run=$O/shunt -i $INSTANCE --run-dir $W/run enable web b1 >/dev/null" \
  "print=getComputedStyle(document.body).backgroundColor" dark "print=getComputedStyle(document.body).backgroundColor" \
  size=390x844 "wait=document.querySelector('#map svg').viewBox.baseVal.width < 390" "print=document.documentElement.scrollWidth" \
  "${widths[@]}" \
  light size=1280x900 "run=cp $W/large.yaml $W/shunt.yaml; $O/shunt -i $INSTANCE --run-dir $W/run reload >/dev/null" \
  "$(says list '/ 1000')" "print=(document.querySelector('details').open = true)" "wait=$rows.length === 50" \
  "print=document.querySelector('.pager button:last-child').click()" "$(says list '51 to 100 of 1000')" "$(says list node-99)" \
  "print=(document.getElementById('find').value = 'nothing', document.getElementById('find').dispatchEvent(new Event('input')))" \
  "$(says list 'No service fits')" \
  "print=(document.getElementById('find').value = '', document.getElementById('find').dispatchEvent(new Event('input')))" \
  "run=cp $W/many.yaml $W/shunt.yaml; $O/shunt -i $INSTANCE --run-dir $W/run reload >/dev/null" \
  "$(says map 'and 92 more services')" "$(says map many-100)" "$(says state '1 service without usable backends')" \
  "print=document.querySelector('#pages button:last-child').click()" "$(says pages '51 to 100 of 100 services')" "$(says list many-51)" \
  "print=document.getElementById('trouble').click()" "wait=document.querySelectorAll('.service').length === 1" "$(says list many-100)" \
  "print=document.getElementById('trouble').click()" \
  "run=sed -i '/^services:/,\$d' $W/shunt.yaml; echo 'services: []' >>$W/shunt.yaml; $O/shunt -i $INSTANCE --run-dir $W/run reload >/dev/null" \
  "$(says list 'There are no services yet')" "$(says state 'no services')" "run=kill -STOP ${pids[shuntd]}" \
  "$(says state 'no answer')" "run=kill -CONT ${pids[shuntd]}" "$(says state 'no services')" "forgive=503 (Service Unavailable)" ||
  sed 's/^/# /' "$W/browser.log"
mapfile -t printed < <(grep -v '^fault' "$W/browser.log")
is "all backends were up" "${printed[0]:-}" '"up,up"'
is "no history is asked for before somebody wants it" "${printed[1]:-}" 0
is "what is open stays so, and the focus where it is" "${printed[4]:-}" true
holds "the dark is dark" "$([ "${printed[5]:-1}" != "${printed[6]:-1}" ]; echo $?) == 0"
is "a phone has nothing to scroll sideways" "${printed[7]:-}" 390

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
