#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What bash, zsh and fish make of a Tab, each in a terminal of its own, with the scripts that are
# installed: commands, options, words, files, and names of services and backends of a daemon that runs.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
for program in tmux zsh fish; do
  command -v $program >/dev/null || skip_all "$program is not here (sudo make deps)"
done
stage 1
companion
web 1
config <<END
services:
$(service web tcp $VIP4 80 "forward: dsr" "check: none" "backends: [10.0.0.11 name=web-1, 10.0.0.12]")
$(service dns udp $VIP4 53 "forward: dsr" "check: none" "backends: [10.0.0.11 name=dns-1]")
END
check "shuntd starts" shuntd_start || finish
# They run what their script asks by the name that was typed: here with the instance before it.
mkdir -p "$W/bin" "$W/home"
cat >"$W/bin/shunt" <<END
#!/bin/sh
exec $O/shunt -i $INSTANCE --run-dir $W/run "\$@"
END
chmod +x "$W/bin/shunt"
: >"$W/home/only-this-file.yaml"

shell=none
T() { on lb tmux -S "$W/tmux-$shell" -f /dev/null "$@"; } # a server each: one that ends is in nobody's way
shells() { T kill-server 2>/dev/null; }
trap 'status=$?; shells; (exit $status); cleanup' EXIT

# begin SHELL: in an empty directory but for one file, with nothing of the user's, and a known prompt.
begin() {
  local run
  case $1 in
  bash) run="bash --norc --noprofile" ;;
  zsh) run="zsh -f" ;;
  fish) run="fish --no-config" ;;
  esac
  # shellcheck disable=SC2086 # words
  T new-session -d -x 110 -y 40 -c "$W/home" env -i HOME="$W/home" TERM=screen \
    PATH="$W/bin:$PATH" LC_ALL=C.UTF-8 PS1='READY> ' $run || return
  case $1 in
  bash) T send-keys ". $O/completion/shunt" Enter ;;
  zsh) T send-keys "autoload -U compinit && compinit -D -u; . $O/completion/_shunt" Enter ;;
  fish) T send-keys "function fish_prompt; echo 'READY> '; end; . $O/completion/shunt.fish" Enter ;;
  esac
  T send-keys "echo LOA''DED" Enter
  wait_for 10 shows '^LOADED' || return
  T send-keys C-l
  wait_for 10 shows 'READY>'
}
screen() { T capture-pane -p; }
shows() { screen | grep -qE -- "$1"; }
# typed KEYS...: after a line that is empty again.
typed() {
  T send-keys C-u C-l
  sleep 0.1
  T send-keys "$@"
}
# completes WORDS LINE WANTED: a Tab behind LINE makes the screen show WANTED, a regex.
completes() {
  typed -l "$2"
  T send-keys Tab
  if wait_for 5 shows "$3"; then result 0 "$1"; return; fi
  T send-keys Tab # bash lists at the second
  wait_for 5 shows "$3" && { result 0 "$1"; return; }
  note "the screen:"
  screen | sed '/^$/d; s/^/#   /'
  result 1 "$1"
}

for shell in bash zsh fish; do
  check "$shell starts" begin $shell || continue
  completes "$shell: a command" "shunt finge" 'shunt fingerprint$'
  completes "$shell: commands" "shunt dr" 'shunt drain$'
  completes "$shell: an option of the command" "shunt drain --dead" 'shunt drain --deadline$'
  completes "$shell: one that all take" "shunt backends --js" 'shunt backends --json$'
  completes "$shell: the name of a service" "shunt backends we" 'shunt backends web$'
  completes "$shell: a backend of that service" "shunt drain dns d" 'shunt drain dns dns-1$'
  completes "$shell: behind an option with its value" "shunt drain --deadline 5m dns d" '5m dns dns-1$'
  completes "$shell: a name with dots and a colon" "shunt history web 10." 'web 10\.0\.0\.12'
  completes "$shell: a word of a few" "shunt completion f" 'shunt completion fish$'
  completes "$shell: a file" "shunt check on" 'shunt check only-this-file.yaml'
  completes "$shell: several" "shunt en" 'shunt enable$'
  completes "$shell: lists what there is" "shunt help " 'fingerprint'
  shells
done
# Where nobody answers there is nothing to offer, and nothing is said.
check "shuntd stops" shuntd_stop
is "without a daemon no names are offered" "$("$W/bin/shunt" complete -- backends '' 2>&1)" ""
is "nor is anything after an unknown command" "$("$W/bin/shunt" complete -- nonsense '' 2>&1)" ""
is "hidden commands are not offered" "$("$W/bin/shunt" complete -- compl | cut -f1)" completion
took=$(now_ms)
"$W/bin/shunt" complete -- backends '' >/dev/null
holds "and it takes no time" "$(now_ms) - $took < 1000 * ${SLOW:-4}"
finish
