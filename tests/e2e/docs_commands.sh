#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The commands and configurations of README.md and docs/, run as they stand there, for a service that is as the
# pages say. A page that has a story of its own (readme.sh for methods, new_user.sh) has the rest of its blocks
# here; blocks for a machine with systemd are new_user.sh's. tests/lint/docs.sh sees that no block is left over.
# shellcheck source-path=SCRIPTDIR
# The pages say where files are: this story has its own /etc, /run/shunt and pins.
[ -n "${OWN_MOUNTS:-}" ] || OWN_MOUNTS=1 exec unshare --mount --propagation private bash "$0"
INSTANCE=default
. "$(dirname "$0")/lib.sh"
mkdir "$W/etc" "$W/bin" "$W/here"
cp -a /etc/. "$W/etc/" && mkdir -p "$W/etc/shunt" /run/shunt && mount --bind "$W/etc" /etc
mount -t tmpfs tmpfs /run/shunt && mount -t bpf bpf /sys/fs/bpf
ln -s "$O/shunt" "$O/shuntd" "$O/shunt-decap" "$W/bin/"

# Other hosts are namespaces.
cat >"$W/bin/ssh" <<END
#!/bin/bash
case \$1 in lb*) ns=lb ;; *) ns=b1 ;; esac
exec nsenter --net=/run/netns/$P-\$ns -- bash -c "\${*:2}"
END
printf '#!/bin/sh\nexec "$@"\n' >"$W/bin/sudo"
printf '#!/bin/sh\nexit 0\n' >"$W/bin/reboot"
chmod +x "$W"/bin/{ssh,sudo,reboot}

# blocks HEAD PAGE: the lines of all blocks with this head, "sh", "sh backend", ...; none of it in between.
blocks() { awk -v head="$1" '/^```/ { on = ($0 == "```" head); next } on' "$2"; }
# line NS LINE: as somebody types it there.
line() { (cd "$W/here" && on "$1" env PATH="$W/bin:$PATH" bash -o pipefail -c "$2" </dev/null); }
doctored() { [ "$1" -eq 5 ] || [ "$1" -eq 6 ]; }

# ---- one for each kind of block: LINE ------------------------------------------------------------
sh_balancer() {
  local rc
  line lb "$1"
  rc=$?
  case $1 in "shunt doctor"*) [ "$rc" -eq 0 ] || doctored "$rc" ;; *) return "$rc" ;; esac
}
sh_backend() { line b1 "$1"; }
sh_watch() {
  line lb "timeout -s INT 1 bash -c $(printf %q "$1")"
  [ $? -eq 124 ]
}
# What only hardware can do: the tool knows it.
sh_nic() { line lb "$1" || ! grep -qE 'bad command line|unrecognized|not found' "$W/said"; }
sh_source() {
  local command=${1%%#*}
  eval "make -n ${command#sudo make}" >/dev/null
}
sh_last() { line lb "$1"; }

# each KIND PAGE: its lines, one a case.
each() {
  local kind=$1 page=$2 head="sh $1" text
  head=${head% balancer}
  while IFS= read -r text; do
    case $text in '' | '#'*) continue ;; esac
    check "${page##*/}: $text" "sh_$kind" "$text"
    commands=$((commands + 1))
  done < <(blocks "$head" "$page")
}

# ---- configurations: each block is a file of its own, on standard input --------------------------
base() { printf 'interfaces: [eth0]\nservices:\n  - name: web\n    vip: 203.0.113.10\n    port: %s\n    protocol: %s\n' "$1" "$2"; }
backends_of() { grep -q '^ *backends:' "$1" || echo '    backends: [10.0.0.11]'; }
yaml_whole() { line lb "shunt check '$1'"; }
yaml_service() { { base 80 tcp && cat "$1" && backends_of "$1"; } >"$1.whole" && yaml_whole "$1.whole"; }
yaml_udp() { { base 443 udp && cat "$1" && backends_of "$1"; } >"$1.whole" && yaml_whole "$1.whole"; }
yaml_top() { { base 80 tcp && backends_of "$1" && cat "$1"; } >"$1.whole" && yaml_whole "$1.whole"; }
yaml_prometheus() {
  command -v promtool >/dev/null || return 0
  sed "s,/usr/share/doc/shunt/examples,$PWD/configs," "$1" >"$1.whole" && promtool check config "$1.whole"
}
# configurations PAGE
configurations() {
  local page=$1 file kind
  rm -f "$W"/here/block.*
  awk -v to="$W/here/block." '/^```yaml/ { on = to (++n) "." ($2 ? $2 : "whole"); next } /^```/ { on = ""; next }
    on { print > on }' "$page"
  for file in "$W"/here/block.*; do
    [ -e "$file" ] || continue
    kind=${file##*.}
    check "${page##*/}: configuration ${file#*block.}" "yaml_$kind" "$file"
    configurations=$((configurations + 1))
  done
}
# A file that stands beside a configuration, by its name.
awk -v to="$W/here/" '/^```backends/ { on = to $2; next } /^```/ { on = ""; next } on { print > on }' README.md docs/*.md
"$python" - "$W/here/packets.pcap" <<END
import sys
from scapy.all import Ether, IP, TCP, wrpcap
wrpcap(sys.argv[1], [Ether() / IP(src="192.0.2.7", dst="$VIP4") / TCP(sport=35000, dport=80, flags="S")])
END

stage 2
companion && decap 1 2
for n in 1 2; do web $n; done
cat >/etc/shunt/shunt.yaml <<END
interfaces: [eth0]
web: {}
state_dir: $W/state
services:
$(service web tcp $VIP4 80 "scheduler: wlc" "forward: ipip" "flow_timeout: 1s" "$FAST" "backends:" \
  "  - { address: 10.0.0.11, name: web1 }" "  - { address: 10.0.0.12, name: web2 }")
END
mkdir -p "$W/state" && ln -s /run/shunt "$W/run" && ln -s /etc/shunt/shunt.yaml "$W/shunt.yaml"
running 2
spread 20 "http://$VIP4/" >/dev/null
commands=0 configurations=0
for page in README.md docs/*.md; do
  [ "$page" != docs/getting-started.md ] || continue
  configurations "$page"
  for kind in source balancer backend watch nic; do each $kind "$page"; done
done
blocks python docs/netlink.md >"$W/client.py"
is "netlink.md: the program lists the backends" "$(on lb "$python" "$W/client.py" 2>&1 | awk '{ print $1, $3 }' | xargs)" \
  "web1 packets web2 packets"
# Commands within sentences: there are such, and such options.
cat >"$W/named.py" <<'END'
import json, re, subprocess, sys
table = json.load(open(sys.argv[1]))
options = {c["name"]: {o["name"] for o in c["options"] + table["options"]} for c in table["commands"]}
daemon = set(re.findall(r"--([a-z-]+)", subprocess.run(["shuntd", "--help"], capture_output=True, text=True).stdout))
named = 0
for page in sys.argv[2:]:
    text = re.sub(r"^```.*?^```", "", open(page).read(), flags=re.S | re.M)
    for program, words in re.findall(r"`(shuntd?)\s+([^`|]*)", text):
        name = words.split()[0]
        known = daemon if program == "shuntd" else options.get(name)
        unknown = [o for o in re.findall(r"--([a-z-]+)", words) if known is None or o not in known]
        named += 1
        if known is None or unknown:
            print(f"{page}: {program} {' '.join(words.split())}")
if named < 60:
    print(f"only {named} commands")
END
"$O/shunt" help --json >"$W/table"
is "commands and options within sentences are such as there are" \
  "$(PATH=$W/bin:$PATH "$python" "$W/named.py" "$W/table" README.md docs/*.md)" ""
is "troubleshooting.md: each symptom has commands" "$(awk '/^## / { if (n && !c) print h; h = $0; n++; c = 0 } /^```sh/ { c++ }
  END { if (!c) print h }' docs/troubleshooting.md)" ""
shuntd_stop
for page in README.md docs/*.md; do each last "$page"; done
holds "there were commands and configurations" "$commands >= 70 && $configurations >= 9"
finish
