#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt top in terminals of several sizes: what it shows, its keys, that it follows what happens and the
# size, gives the terminal back however it ends, and what it costs with a thousand backends.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
command -v tmux >/dev/null || skip_all "tmux is not here (sudo make deps)"
stage 1
companion
web 1 80 81
{ for n in $(seq 1000); do echo "10.9.$((n / 250)).$((n % 250 + 1)) name=m$n weight=1"; done; } >"$W/many.backends"
config <<END
services:
$(service web tcp $VIP4 80 "forward: dsr" "$FAST" "backends: [10.0.0.11 name=b1]")
$(service quiet tcp $VIP4 81 "forward: dsr" "check: none" "backends: [10.0.0.11 name=q1]")
$(service broken tcp $VIP4 82 "forward: dsr" "$FAST_TCP" "backends: [10.0.0.11 name=closed]")
$(service many tcp $VIP4 90 "forward: nat" "check: none" "slots: 65536" "backends_file: many.backends")
END

top() { shunt top "$@"; }
refuses "without a terminal it says what there is instead" 1 'wants a terminal; .*stats --watch' top
check "shuntd starts" shuntd_start || finish

T() { on lb tmux -S "$W/tmux" -f /dev/null "$@"; }
trap 'T kill-server 2>/dev/null; cleanup' EXIT
T new-session -d -x 80 -y 24 env PS1='READY> ' TERM=screen-256color LC_ALL=C.UTF-8 bash --norc --noprofile
T set-option -g status off
T set-option -g window-size manual
T resize-window -x 80 -y 24
screen() { T capture-pane -p; }
shows() { screen | grep -qE -- "$1"; }
keys() { T send-keys "$@"; }
see() { # WORDS REGEX
  wait_for 8 shows "$2" && { result 0 "$1"; return; }
  note "wanted /$2/, the screen:"
  screen | sed 's/^/#   |/'
  result 1 "$1"
}
is_at() { [ "$(screen | grep -nE -m 1 "$2" | cut -d: -f1)" = "$1" ]; } # LINE REGEX
begin() { keys -l "ulimit -c 0; $* $O/shunt -i $INSTANCE --run-dir $W/run top${OF:+ $OF}; echo END=\$?" && keys Enter; }
# What is typed before the shell has its terminal back is top's, and lost.
at_prompt() { [ "$(T display-message -p '#{alternate_on}#{pane_current_command}')" = 0bash ]; }
quit() { keys "$1" && wait_for 5 at_prompt; }
widest() { screen | LC_ALL=C.UTF-8 wc -L; }

load rush http://$VIP4/ 200
begin
see "services stand there, with what is usable" '^web +1/1 '
see "and what is not" '^broken +0/1!? '
see "the one with traffic first, with a bar" '^web +1/1 +[0-9.]+ ?k? +█'
check "that is the first" wait_for 5 is_at 4 '^web'
see "what all of them have together" '^[0-9.]+ ?k? pkt/s .* flows/s'
see "keys stand at the bottom" 'q quit +Enter in +Esc out'
check "the last line" wait_for 5 is_at 24 'q quit'
keys n
see "sorted by name" 'by name'
check "broken comes first then" wait_for 5 is_at 4 '^broken'
keys n
see "and the other way round" 'by name, reversed'
check "web comes first then" wait_for 5 is_at 4 '^web'
keys u
see "by state" 'by state'
check "what is broken first" wait_for 5 is_at 4 '^broken'
keys p
keys /
keys -l "qui"
see "a filter" '/qui'
check "leaves what has it in its name" eval "shows '^quiet' && ! shows '^web '"
keys Escape
see "and is dropped" '^web '
keys Space
see "a pause" PAUSED
before=$(screen | sed -n 2,10p)
sleep 2.5
is "in which nothing moves" "$(screen | sed -n 2,10p)" "$before"
keys Space
wait_for 5 eval "! shows PAUSED"
keys n
wait_for 5 is_at 4 '^broken'
keys Home
keys Enter
see "a service's backends" '> broken '
see "with state, and the reason where there is room" '^closed +down'
keys Escape
see "and back" '^web +1/1'
keys p Home Enter
see "of the one with traffic" '> web '
see "its backends" '^b1 +up +[0-9.]+'
shunt disable web b1 >/dev/null
see "what happens is seen" '^b1 +maintenance'
shunt enable web b1 >/dev/null
for size in 40x12 200x50 30x6 10x3 80x24; do
  T resize-window -x "${size%x*}" -y "${size#*x}"
  wait_for 5 eval "[ \"\$(screen | wc -l)\" -le ${size#*x} ]"
  sleep 0.5
  holds "$size: nothing is wider" "$(widest) <= ${size%x*}"
  case $size in
  10x3) see "$size: it says so" 'too small' ;;
  *) see "$size: the backend and its state" '^b1 +(up|start|m)' ;;
  esac
  case $size in
  40x12) see "$size: its packets" '^b1 +up +[0-9.]+' && see "$size: keys" '^q quit  Enter in' ;;
  200x50) see "$size: address and reason too" '^b1 +up .* 10\.0\.0\.11:80 +L7OK' ;;
  esac
done
keys q
see "q ends it" 'END=0'
see "and the terminal is as it was" '^READY> '
T send-keys -l 'stty -a | grep -c " echo "; clear' && keys Enter

# However it ends, the terminal echoes and shows its cursor again.
restored() {
  T send-keys C-l
  keys -l 'stty -a | tr ";" "\n" | grep -cw -- -echo'
  keys Enter
  wait_for 5 eval "screen | grep -qx 0" && [ "$(T display-message -p '#{alternate_on}#{cursor_flag}')" = 01 ]
}
for signal in INT TERM HUP QUIT; do
  keys C-l
  begin
  wait_for 8 shows '^web +1/1'
  top_pid=$(pgrep -n -f "run-dir $W/run top")
  kill -$signal "$top_pid"
  check "SIG$signal ends it" wait_for 5 ended "$top_pid"
  check "and the terminal is as it was after SIG$signal" restored
done
keys C-l
begin
wait_for 8 shows '^web +1/1'
keys C-z
see "Ctrl-Z stops it" 'Stopped'
keys -l fg
keys Enter
see "and fg brings it back" 'q quit'
keys C-c
check "Ctrl-C ends it" wait_for 5 ended "$(pgrep -n -f "run-dir $W/run top" || echo 0)"
check "and the terminal is as it was after Ctrl-C" restored

keys C-l
begin NO_COLOR=1
wait_for 8 shows '^web +1/1'
is "no colours with NO_COLOR" "$(T capture-pane -pe | grep -cE $'\033\\[[0-9;]*3[0-7]m')" 0
quit q
begin
wait_for 8 shows '^web +1/1'
holds "and colours without" "$(T capture-pane -pe | grep -cE $'\033\\[[0-9;]*3[0-7]m') > 0"
quit q
wait_for 5 shows 'END='
keys C-l
begin TERM=dumb
see "a terminal that cannot is told of" 'top cannot draw on this terminal \(TERM=dumb\)'
begin TERM=nosuch
see "so is one that nobody knows" 'TERM=nosuch'
keys C-l
OF=nosuch begin
see "a service that is not there" 'no service "nosuch"'
keys C-l
begin
wait_for 8 shows '^web +1/1'
stop_load rush
shuntd_stop
see "a daemon that goes is told of, and the rows stay" '[Nn]o shuntd|is not running|does not'
check "the rows" shows '^web '
shuntd_start
see "and when it is back it goes on" '^[0-9.]+ ?[kM]? pkt/s'
quit q

# What it costs: of one core, over ten seconds, with a thousand backends on the screen.
keys C-l
OF=many begin
see "a thousand backends" ' of 1000 up'
pid=$(pgrep -n -f "run-dir $W/run top")
ticks() { awk '{print $14 + $15}' "/proc/$pid/stat"; }
from=$(ticks)
sleep 10
used=$(($(ticks) - from))
note "CPU: $used of 1000 ticks in 10 s"
if [ "${O##*/}" = build ]; then holds "at most 2 % of a core" "$used <= 20"; fi
keys q
finish
